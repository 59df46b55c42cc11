#include "proto-spec/server/posix_free_memory.h"

#include <malloc.h>
#include <unistd.h>

#include <fstream>

namespace loglog::server {
namespace {

/// Private memory of the process that is resident, bytes: program and libraries, which are files,
/// are not the allocator's.
std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, resident = 0, of_files = 0;
  if (!(file >> size >> resident >> of_files) || resident < of_files) return 0;
  return (resident - of_files) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

bool give_back_free_memory() {
#ifdef __GLIBC__
  const struct mallinfo2 used = ::mallinfo2();
  // Pages that were given back before count as free too, so the free bytes alone do not tell.
  if (used.fordblks <= free_memory_max ||
      resident_bytes() <= used.uordblks + used.hblkhd + free_memory_max)
    return false;
  ::malloc_trim(0);
  return true;
#else
  return false;
#endif
}

}  // namespace loglog::server

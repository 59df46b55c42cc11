// The glibc implementation. The subtle part is to tell free memory that is resident from free
// memory that has been given back already.
#include "proto-spec/server/posix_free_memory.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace loglog::server {
namespace {

/// Resident private memory, bytes. Pages that map files (program, libraries) are subtracted,
/// because they are not the allocator's.
std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, resident = 0, of_files = 0;
  if (!(file >> size >> resident >> of_files) || resident < of_files) return 0;
  return (resident - of_files) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

std::uint64_t free_memory() {
#ifdef __GLIBC__
  const struct mallinfo2 heap = ::mallinfo2();
  // fordblks still counts pages that were given back earlier. Without the comparison with resident
  // memory each look would find them again.
  const std::uint64_t in_use = heap.uordblks + heap.hblkhd;
  const std::uint64_t resident = resident_bytes();
  return std::min<std::uint64_t>(heap.fordblks, resident - std::min(resident, in_use));
#else
  return 0;
#endif
}

bool FreeMemoryWatch::look() {
  const std::uint64_t free = free_memory();
  least_ = std::min(least_, free);
  const bool all_seen = ++looks_ == idle_looks;
  const bool idle = all_seen && least_ > stayed_ + idle_memory_max;
  if (all_seen) {
    stayed_ = std::min(stayed_, least_);
    looks_ = 0;
    least_ = ~std::uint64_t{0};
  }
  if (!idle && free <= free_memory_max) return false;
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
  if (idle) stayed_ = free_memory();
  return true;
}

}  // namespace loglog::server

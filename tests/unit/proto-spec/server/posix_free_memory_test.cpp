#include "proto-spec/server/posix_free_memory.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <vector>

using namespace loglog::server;

// A sanitizer has an allocator of its own.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace {

std::uint64_t resident() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, pages = 0;
  file >> size >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("memory that was freed between blocks in use goes back to the system, once it is much") {
  give_back_free_memory();
  const std::uint64_t before = resident();
  std::vector<std::unique_ptr<char[]>> blocks(4000);
  for (auto& b : blocks)
    b = std::make_unique<char[]>(
        100'000);  // below what the allocator takes from the system one by one
  REQUIRE(resident() > before + 300'000'000);
  CHECK_FALSE(give_back_free_memory());
  for (std::size_t i = 0; i < blocks.size(); i += 2) blocks[i].reset();
  CHECK(resident() > before + 300'000'000);  // kept by the allocator
  CHECK(give_back_free_memory());
  CHECK(resident() < before + 200'000'000 + free_memory_max + 20'000'000);
  CHECK_FALSE(give_back_free_memory());
}
#endif

#include "proto-spec/server/posix_free_memory.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <vector>

using namespace loglog::server;

namespace {

std::uint64_t resident() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, pages = 0;
  file >> size >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("memory that was freed between blocks in use goes back to the system, once it is much") {
  give_back_free_memory();
  const std::uint64_t before = resident();
  std::vector<std::unique_ptr<char[]>> small, large;
  for (int i = 0; i < 2000; ++i) {
    large.push_back(std::make_unique<char[]>(100'000));  // below what the allocator takes from the system one by one
    small.push_back(std::make_unique<char[]>(100));
  }
  const std::uint64_t filled = resident();
  REQUIRE(filled > before + 150'000'000);
  CHECK_FALSE(give_back_free_memory());
  large.clear();
  CHECK(resident() > before + 100'000'000);  // kept by the allocator
  CHECK(give_back_free_memory());
  CHECK(resident() < before + free_memory_max + 20'000'000);
  CHECK_FALSE(give_back_free_memory());
}
#endif

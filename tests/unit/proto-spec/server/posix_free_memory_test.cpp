// FreeMemoryWatch returns freed memory to the system, which keeps a node's memory near the
// sum of its figures (spec/09). Measured by the resident size of this process.
#include "proto-spec/server/posix_free_memory.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <vector>

using namespace loglog::server;

// A sanitizer replaces the allocator, so the test runs without sanitizers alone.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace {

/// Resident bytes of this process.
std::uint64_t resident() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, pages = 0;
  file >> size >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("memory that was freed between blocks in use goes back to the system, once it is much") {
  FreeMemoryWatch watch;
  watch.look();
  const std::uint64_t before = resident();
  std::vector<std::unique_ptr<char[]>> blocks(4000);
  for (auto& b : blocks)
    // Each block is smaller than the size at which the allocator maps memory block by block.
    b = std::make_unique<char[]>(100'000);
  REQUIRE(resident() > before + 300'000'000);
  CHECK_FALSE(watch.look());
  // Every second block goes, so no page range at the top of the heap becomes free.
  for (std::size_t i = 0; i < blocks.size(); i += 2) blocks[i].reset();
  CHECK(resident() > before + 300'000'000);  // the allocator keeps the freed blocks
  CHECK(free_memory() > 180'000'000);
  CHECK(watch.look());
  CHECK(resident() < before + 200'000'000 + free_memory_max + 20'000'000);
  CHECK(free_memory() <= free_memory_max);
  CHECK_FALSE(watch.look());
}

TEST_CASE("a little memory that stays free after a burst goes back to the system as well") {
  FreeMemoryWatch watch;
  // The first row gives back what other tests have left, as far as the system takes it.
  for (int look = 0; look < idle_looks; ++look) watch.look();
  const std::uint64_t before = free_memory();
  std::vector<std::unique_ptr<char[]>> blocks(200);
  for (auto& b : blocks) b = std::make_unique<char[]>(100'000);
  const auto free_half = [&] {
    for (std::size_t i = 0; i < blocks.size(); i += 2) blocks[i].reset();
  };
  free_half();
  REQUIRE(free_memory() > before + 5'000'000);
  REQUIRE(free_memory() < free_memory_max);
  // Memory that is used now and then is kept: at a single look of the row it is in use.
  for (int look = 1; look < idle_looks; ++look) CHECK_FALSE(watch.look());
  for (std::size_t i = 0; i < blocks.size(); i += 2) blocks[i] = std::make_unique<char[]>(100'000);
  CHECK_FALSE(watch.look());
  free_half();
  for (int look = 1; look < idle_looks; ++look) CHECK_FALSE(watch.look());
  CHECK(watch.look());
  CHECK(free_memory() <= before + idle_memory_max);
}
#endif

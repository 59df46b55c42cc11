// Integration: small entries beside large entries on the same connection of an embedded cluster.
// The process's memory must stay near the sum of its limits (spec/09).
// The fault that it guards: a few bytes of a small entry keep a whole receive block.
#include <fmt/format.h>
#include <loglog/embedded.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include "tests/support/in_process.h"

// With AddressSanitizer: freed memory in quarantine must not look like memory in use.
extern "C" const char* __asan_default_options() { return "quarantine_size_mb=8"; }

using namespace loglog;
using namespace loglog::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto load_for = 8s;
/// The cache of newest frames (8 MiB for each of two logs here), the staged runs of client and
/// node, and the allocator's own reserve. With the fault memory grows by 40 to 70 MB a second and
/// node.
constexpr std::uint64_t growth_max = 160'000'000;

/// Resident bytes of this process.
std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  must(static_cast<bool>(file >> size >> resident), "this test needs /proc");
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

int main() {
  const Folder folder;
  auto cluster =
      EmbeddedCluster::start({.data = folder.path, .listen = "127.0.0.1:0", .storage = 1});
  must(cluster.has_value() && cluster->wait_ready(20s), "a cluster");
  auto client = Client::connect({.addresses = {cluster->address()}});
  must(client.has_value(), "a client");
  auto small = client->open_or_create_log("small", {.replicas = 1, .write_quorum = 1});
  auto large = client->open_or_create_log("large", {.replicas = 1, .write_quorum = 1});
  must(small.has_value() && large.has_value(), "two logs");
  must(static_cast<bool>(large->append(std::string(100'000, 'x'))), "an append");
  const std::uint64_t before = resident_bytes();
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> large_appends = 0;
  std::thread load([&] {
    const std::string payload(100'000, 'x');
    while (!stop)
      if (large->append(payload)) ++large_appends;
  });
  const auto end = std::chrono::steady_clock::now() + load_for;
  std::uint64_t small_appends = 0;
  for (; std::chrono::steady_clock::now() < end; std::this_thread::sleep_for(2ms))
    if (small->append(std::string(60, 'y'))) ++small_appends;
  const std::uint64_t after = resident_bytes();
  stop = true;
  load.join();
  fmt::print("{} small and {} large appends, {} MB resident before, {} after\n", small_appends,
             large_appends.load(), before / 1'000'000, after / 1'000'000);
  must(small_appends > 100 && large_appends > 100, "the load was none");
  must(after < before + growth_max, "more is kept in memory than is counted");
  fmt::print("counted_memory: ok\n");
}

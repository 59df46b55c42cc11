// The bounds are the nodes' own limits plus a slack for messages that may exceed them once.
#include "tests/simulator/memory_watch.h"

#include <fmt/format.h>

#include "proto-spec/vocabulary/limits.h"
#include "tests/simulator/checkers.h"

namespace loglog::simulator {
namespace {
constexpr Duration every = 10ms;
/// Messages without a payload, and runs of a few hundred KiB, pass as well.
constexpr std::uint64_t slack = 2u << 20;
constexpr std::uint64_t no_limit = 1u << 30;
}  // namespace

void set_reachable_limits(storage::Options& o, bool greedy) {
  if (greedy) {
    o.asked.bytes_per_peer_max = o.asked.bytes_max = o.asked.bulk_bytes_per_peer_max =
        o.asked.bulk_bytes_max = no_limit;
    o.fetched.ahead_bytes_max = o.fetched.bytes_max = no_limit;
    o.given.bytes_per_peer_max = 512u << 10;
    o.given.bytes_max = 1u << 20;
    return;
  }
  o.asked.bytes_per_peer_max = 1u << 20;
  o.asked.bytes_max = 2u << 20;
  o.asked.bulk_bytes_per_peer_max = 512u << 10;
  o.asked.bulk_bytes_max = 1u << 20;
  o.fetched.ahead_bytes_max = 1u << 20;
  o.fetched.bytes_max = 2u << 20;
  o.given.bytes_per_peer_max = 4u << 20;
  o.given.bytes_max = 6u << 20;
}

void MemoryWatch::start() {
  look();
  world_.scheduler.after(every, [this] { start(); });
}

void MemoryWatch::look() {
  if (world_.options.peer_bytes_per_second > 0) look_at_peers();
  if (world_.options.stalled_readers) look_at_readers();
}

/// Every connection may have a page of `connection_queue_floor`, however many bytes the others
/// hold.
void MemoryWatch::look_at_readers() {
  for (const auto& node : world_.storage) {
    if (!node->alive()) continue;
    const storage::Report r = node->machine()->report();
    const std::uint64_t max = reachable_pages_in_flight + r.clients * connection_queue_floor;
    if (r.pages_in_flight > max)
      violated(world_, promise::memory,
               fmt::format("{}: {} bytes of pages under way, at most {} are allowed", node->name(),
                           r.pages_in_flight, max));
  }
}

// P1, P2: asked, fetched and given bytes of each node, and the longest queue between two nodes.
void MemoryWatch::look_at_peers() {
  storage::Options limits;
  const bool greedy = world_.options.greedy;
  set_reachable_limits(limits, greedy);
  // A run that is larger than all limits passes alone, at each of two peers.
  const std::uint64_t beyond = slack + (greedy ? 0 : 2 * world_.options.entry_bytes_most);
  const auto bounded = [this](const std::string& where, const char* what, std::uint64_t has,
                              std::uint64_t max) {
    if (has > max)
      violated(world_, promise::memory,
               fmt::format("{}: {} bytes {}, at most {} are allowed", where, has, what, max));
  };
  for (const auto& node : world_.storage) {
    if (!node->alive() || node->machine() == nullptr) continue;
    const storage::Report r = node->machine()->report();
    // Bytes that were asked for still arrive after the limit of fetched bytes was checked.
    bounded(node->name(), "asked of peers", r.asked_bytes, limits.asked.bytes_max + beyond);
    bounded(node->name(), "fetched and not written", r.fetched_bytes,
            limits.fetched.bytes_max + limits.asked.bytes_max + beyond);
    bounded(node->name(), "given to peers", r.given_bytes, limits.given.bytes_max + beyond);
  }
  bounded("the network", "queued on one connection", world_.network.peer_queue_most(),
          limits.given.bytes_per_peer_max + beyond);
}

}  // namespace loglog::simulator

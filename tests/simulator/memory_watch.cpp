#include "tests/simulator/memory_watch.h"

#include <fmt/format.h>

#include "tests/simulator/checkers.h"

namespace loglog::simulator {
namespace {
constexpr Duration every = 10ms;
/// A run that is larger than all limits passes alone, at each of two peers; so do messages that carry no payload.
constexpr std::uint64_t slack = 5u << 20;
}  // namespace

void set_reachable_limits(storage::Options& o) {
  o.asked_bytes_per_peer_max = 1u << 20;
  o.asked_bytes_max = 2u << 20;
  o.asked_bulk_bytes_per_peer_max = 512u << 10;
  o.asked_bulk_bytes_max = 1u << 20;
  o.fetched_ahead_bytes_max = 1u << 20;
  o.fetched_bytes_max = 2u << 20;
  o.given_bytes_per_peer_max = 4u << 20;
  o.given_bytes_max = 6u << 20;
}

void MemoryWatch::start() {
  look();
  world_.scheduler.after(every, [this] { start(); });
}

void MemoryWatch::look() {
  storage::Options limits;
  set_reachable_limits(limits);
  const auto bounded = [this](const std::string& where, const char* what, std::uint64_t has, std::uint64_t max) {
    if (has > max) violated(world_, promise::memory, fmt::format("{}: {} bytes {}, at most {} are allowed", where, has, what, max));
  };
  for (const auto& node : world_.storage) {
    if (!node->alive() || node->machine() == nullptr) continue;
    const storage::Report r = node->machine()->report();
    // What is asked for comes when the limit of fetched bytes has been looked at.
    bounded(node->name(), "asked of peers", r.asked_bytes, limits.asked_bytes_max + slack);
    bounded(node->name(), "fetched and not written", r.fetched_bytes, limits.fetched_bytes_max + limits.asked_bytes_max + slack);
    bounded(node->name(), "given to peers", r.given_bytes, limits.given_bytes_max + slack);
  }
  bounded("the network", "queued on one connection", world_.network.peer_queue_most(), limits.given_bytes_per_peer_max + slack);
}

}  // namespace loglog::simulator

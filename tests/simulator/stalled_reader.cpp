// The reader asks for as much as the protocol allows, because the node's own bound must hold then.
#include "tests/simulator/stalled_reader.h"

#include <fmt/format.h>

#include "proto-spec/vocabulary/limits.h"
#include "tests/simulator/checkers.h"

namespace loglog::simulator {

Hello StalledReader::hello() const {
  Hello h;
  h.magic = hello_magic;
  h.lowest_version = protocol_lowest;
  h.highest_version = protocol_highest;
  h.role = Role::client;
  return h;
}

void StalledReader::on_connected(ConnectionId id, const Hello&, std::uint64_t) {
  std::uint32_t requests = 0;
  for (const auto& [log, files] : node_.disk.content()) {
    const Offset first = files.segments.empty() ? Offset{} : files.segments.begin()->first;
    world_.network.send(*this, id, RequestId{++requests}, Follow{log, first, follow_credit_max});
    world_.network.send(*this, id, RequestId{++requests}, Read{log, first, page_size_max, 0});
  }
  world_.scheduler.after(stay_, [this] { kill(); });
}

// Pages "arrive" here when the node hands them to its queue: `takes_nothing` only hides that they
// left.
void StalledReader::on_arrived(ConnectionId, RequestId, Message&& m) {
  const auto* page = std::get_if<Page>(&m);
  if (page == nullptr) return;
  queued_ += page->frames.size();
  const std::uint64_t max = reachable_pages_in_flight + connection_queue_floor;
  if (queued_ > max)
    violated(
        world_, promise::memory,
        fmt::format("{}: {} bytes queued to a client that takes nothing, at most {} are allowed",
                    node_.name(), queued_, max));
}

}  // namespace loglog::simulator

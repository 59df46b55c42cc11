// The audit keeps a position and an unverified rest. Each page is appended to the rest, and every
// good frame moves the position on.
#include "tests/simulator/audit.h"

#include <fmt/format.h>

#include "proto-spec/disk/frame.h"

namespace loglog::simulator {
namespace {
constexpr std::uint32_t page_size = 64u << 10;
}

ReplicaAudit::ReplicaAudit(World& world, const Process& node, LogId log, Offset committed)
    : Process(world, "audit:" + node.name(), "audit"),
      node_(node),
      log_(log),
      committed_(committed) {}

std::string ReplicaAudit::standing() const {
  return fmt::format("{} serves log {} up to {} of {}; its last answer: {}", node_.name(),
                     log_.value, at_.value, committed_.value, name_of(last_));
}

Hello ReplicaAudit::hello() const {
  Hello h;
  h.magic = hello_magic;
  h.lowest_version = protocol_lowest;
  h.highest_version = protocol_highest;
  h.role = Role::client;
  return h;
}

void ReplicaAudit::dial() { world_.network.dial(*this, node_.address(), next_connection(), 0); }

void ReplicaAudit::on_connected(ConnectionId id, const Hello&, std::uint64_t) {
  connection_ = id;
  ask();
}

// A node that is down or restarting is dialled again every 100 ms; the bound on the whole audit is
// in run.cpp.
void ReplicaAudit::on_connect_failed(std::uint64_t, ConnectionId) {
  connection_ = {};
  world_.scheduler.after(100ms, [this, life = life()] { deliver(life, [this] { dial(); }); });
}

void ReplicaAudit::on_disconnected(ConnectionId id) { on_connect_failed(0, id); }

void ReplicaAudit::ask() {
  if (connection_ != ConnectionId{})
    world_.network.send(*this, connection_, RequestId{++requests_},
                        Read{log_, at_ + rest_.size(), page_size, 0});
}

void ReplicaAudit::ask_later() {
  world_.scheduler.after(100ms, [this, life = life()] { deliver(life, [this] { ask(); }); });
}

void ReplicaAudit::on_arrived(ConnectionId, RequestId request, Message&& m) {
  if (const auto* page = std::get_if<Page>(&m); page && request.value == requests_) take(*page);
}

// Verifies as many whole frames as the bytes contain. Then the audit asks on, or reports damage and
// asks again later, because a repair takes time (K4).
void ReplicaAudit::take(const Page& page) {
  last_ = page.reason;
  if (page.reason == Errc::trimmed) {
    at_ = std::max(at_, page.first);
    rest_.clear();
    return done() ? void() : ask();
  }
  rest_.insert(rest_.end(), page.frames.span().begin(), page.frames.span().end());
  std::uint64_t good = 0;
  FrameState stop = FrameState::incomplete;
  while (good < rest_.size()) {
    const FrameView v = look_at_frame(ByteSpan(rest_).subspan(good), log_, at_ + good, true);
    stop = v.state;
    if (stop != FrameState::good) break;
    good += v.prefix.frame_length();
  }
  at_ += good;
  rest_.erase(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(good));
  if (done()) return;
  // The rest may be the beginning of a frame that is larger than a page.
  if (good > 0 || (!page.frames.empty() && stop == FrameState::incomplete)) return ask();
  const bool bad =
      !page.frames.empty() || page.reason == Errc::io_error || page.reason == Errc::corrupt;
  if (bad) {
    world_.faults.count("damage found by the audit");
    world_.network.send(*this, connection_, RequestId{}, ReportCorrupt{log_, at_, page_size});
  }
  rest_.clear();
  ask_later();
}

}  // namespace loglog::simulator

#include "tests/simulator/audit.h"

#include <fmt/format.h>

#include "proto-spec/disk/frame.h"

namespace loglog::simulator {
namespace {
constexpr std::uint32_t page_min = 64u << 10;
}

ReplicaAudit::ReplicaAudit(World& world, const Process& node, LogId log, Offset committed)
    : Process(world, "audit:" + node.name(), "audit"), node_(node), log_(log), committed_(committed) {}

std::string ReplicaAudit::standing() const {
  return fmt::format("{} serves log {} up to {} of {}; its last answer: {}", node_.name(), log_.value, at_.value, committed_.value,
                     name_of(last_));
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

void ReplicaAudit::on_connect_failed(std::uint64_t, ConnectionId) {
  connection_ = {};
  world_.scheduler.after(100ms, [this, life = life()] { deliver(life, [this] { dial(); }); });
}

void ReplicaAudit::on_disconnected(ConnectionId id) { on_connect_failed(0, id); }

void ReplicaAudit::ask() {
  if (connection_ != ConnectionId{}) world_.network.send(*this, connection_, RequestId{++requests_}, Read{log_, at_, page_, 0});
}

void ReplicaAudit::ask_later() {
  world_.scheduler.after(100ms, [this, life = life()] { deliver(life, [this] { ask(); }); });
}

void ReplicaAudit::on_arrived(ConnectionId, RequestId request, Message&& m) {
  if (const auto* page = std::get_if<Page>(&m); page && request.value == requests_) take(*page);
}

void ReplicaAudit::take(const Page& page) {
  last_ = page.reason;
  if (page.reason == Errc::trimmed) {
    at_ = std::max(at_, page.first);
    return done() ? void() : ask();
  }
  std::uint64_t good = 0;
  FrameState stop = FrameState::incomplete;
  const ByteSpan bytes = page.frames.span();
  while (good < bytes.size()) {
    const FrameView v = look_at_frame(bytes.subspan(good), log_, at_ + good, true);
    stop = v.state;
    if (stop != FrameState::good) break;
    good += v.prefix.frame_length();
  }
  at_ += good;
  if (done()) return;
  if (good > 0) {
    page_ = page_min;
    return ask();
  }
  if (!bytes.empty() && stop == FrameState::incomplete && bytes.size() >= page_ && page_ < page_size_max) {
    page_ *= 2;  // a frame larger than the page
    return ask();
  }
  const bool bad = !bytes.empty() || page.reason == Errc::io_error || page.reason == Errc::corrupt;
  if (bad) {
    world_.faults.count("damage found by the audit");
    world_.network.send(*this, connection_, RequestId{}, ReportCorrupt{log_, at_, page_min});
  }
  ask_later();
}

}  // namespace loglog::simulator

// Counters for each connection. The sum of fetching and queued bytes over all flows is bytes_.
#include "storage-node/core/page_flow.h"

#include <algorithm>

#include "proto-spec/vocabulary/check.h"

namespace loglog::storage {

/// The limit of a connection is the memory that is still free for all. So shares shrink as more
/// readers are slow, and the first slow readers never take the last bytes. A connection with
/// nothing under way always gets a page of the floor, so that a reader that does read goes on
/// beside any number of readers that do not.
std::uint64_t PageFlow::allowed(ConnectionId to, std::uint64_t wanted) const {
  const auto f = flows_.find(to);
  if (f != flows_.end() && f->second.gone) return 0;
  const std::uint64_t own = f == flows_.end() ? 0 : f->second.in_flight();
  const std::uint64_t free =
      options_.pages_in_flight_max - std::min(options_.pages_in_flight_max, bytes_);
  const std::uint64_t limit = std::min<std::uint64_t>(connection_queue_max, free);
  if (own >= limit && own > 0) return 0;
  return std::min(wanted, std::max<std::uint64_t>(connection_queue_floor, limit - own));
}

void PageFlow::started(ConnectionId to, std::uint64_t bytes) {
  flows_[to].fetching += bytes;
  bytes_ += bytes;
}

/// A read may have given fewer bytes than it was started for, or its connection may be gone.
void PageFlow::fetched(ConnectionId to, std::uint64_t started, std::uint64_t queued) {
  const auto f = flows_.find(to);
  check(f != flows_.end() && f->second.fetching >= started && queued <= started,
        "pages under way are miscounted");
  f->second.fetching -= started;
  if (f->second.gone) queued = 0;
  f->second.queued += queued;
  bytes_ -= started - queued;
  if (queued < started && !f->second.held.empty()) eased_.insert(to);
  drop_if_unused(f);
}

void PageFlow::written(ConnectionId to, std::uint64_t bytes) {
  const auto f = flows_.find(to);
  if (f == flows_.end()) return;
  bytes = std::min(bytes, f->second.queued);
  f->second.queued -= bytes;
  bytes_ -= bytes;
  if (!f->second.held.empty()) eased_.insert(to);
  drop_if_unused(f);
}

/// A log waits once, however many of its readers are held.
void PageFlow::hold(ConnectionId to, LogId log) {
  std::deque<LogId>& held = flows_[to].held;
  if (std::ranges::find(held, log) == held.end()) held.push_back(log);
}

std::optional<std::pair<ConnectionId, LogId>> PageFlow::next_to_resume() {
  // A connection that got a page since it was eased may be full again.
  while (!eased_.empty()) {
    const ConnectionId to = *eased_.begin();
    const auto f = flows_.find(to);
    if (f == flows_.end() || f->second.held.empty() || allowed(to, 1) == 0) {
      eased_.erase(to);
      continue;
    }
    const LogId log = f->second.held.front();
    f->second.held.pop_front();
    return std::pair{to, log};
  }
  return std::nullopt;
}

bool PageFlow::enter(ConnectionId from) {
  Flow& f = flows_[from];
  if (f.readers >= readers_per_connection_max) return false;
  ++f.readers;
  ++readers_;
  return true;
}

bool PageFlow::enter_follow(ConnectionId from, RequestId request, LogId log) {
  if (!enter(from)) return false;
  flows_[from].follows[request] = log;
  return true;
}

void PageFlow::leave(ConnectionId from) {
  const auto f = flows_.find(from);
  if (f == flows_.end() || f->second.gone) return;
  check(f->second.readers > 0, "a reader leaves that never came");
  --f->second.readers;
  --readers_;
  drop_if_unused(f);
}

void PageFlow::leave_follow(ConnectionId from, RequestId request) {
  const auto f = flows_.find(from);
  if (f == flows_.end() || f->second.follows.erase(request) == 0) return;
  leave(from);
}

std::optional<LogId> PageFlow::followed(ConnectionId from, RequestId request) const {
  const auto f = flows_.find(from);
  if (f == flows_.end()) return std::nullopt;
  const auto log = f->second.follows.find(request);
  return log == f->second.follows.end() ? std::nullopt : std::optional(log->second);
}

/// Pages that are being read still count, because their memory exists until fetched().
void PageFlow::forget(ConnectionId connection) {
  const auto f = flows_.find(connection);
  if (f == flows_.end()) return;
  bytes_ -= f->second.queued;
  readers_ -= f->second.readers;
  f->second = {.fetching = f->second.fetching, .gone = true, .held = {}, .follows = {}};
  drop_if_unused(f);
}

void PageFlow::drop_if_unused(std::map<ConnectionId, Flow>::iterator f) {
  const Flow& flow = f->second;
  if (flow.in_flight() > 0 || flow.readers > 0 || !flow.held.empty() || !flow.follows.empty())
    return;
  eased_.erase(f->first);
  flows_.erase(f);
}

}  // namespace loglog::storage

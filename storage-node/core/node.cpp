// Tickets of disk operations, and the timers of the logs.
#include "storage-node/core/node.h"

#include <algorithm>

namespace loglog::storage {

Ticket Node::disk(DiskOperation operation, Done done) {
  const Ticket ticket{++next_ticket_};
  under_way_.emplace(ticket, UnderWay{strand_of(operation), std::move(done)});
  out.disk.push_back({ticket, std::move(operation)});
  return ticket;
}

/// The operation may belong to a log that has been dropped; its `done` still runs, and the log is
/// freed only after that (StorageMachine::give_back_dropped).
std::optional<LogId> Node::disk_done(DiskDone& done) {
  const auto handle = under_way_.extract(done.ticket);
  if (handle.empty()) return std::nullopt;
  if (!handle.mapped().done) return handle.mapped().log;
  handle.mapped().done(std::move(done));
  return std::nullopt;
}

bool Node::works_on(LogId log) const {
  return std::ranges::any_of(under_way_, [log](const auto& o) { return o.second.log == log; });
}

/// A log has a single timer, at the earliest time that it asked for. Its tick asks again for the
/// later times.
void Node::wake_at(LogId log, Time when) {
  if (when == never) return;
  const auto [it, added] = wakes_.try_emplace(log, when);
  if (!added) {
    if (it->second <= when) return;
    by_time_.erase({it->second, log});
    it->second = when;
  }
  by_time_.insert({when, log});
}

std::vector<LogId> Node::take_due() {
  std::vector<LogId> due;
  while (!by_time_.empty() && by_time_.begin()->first <= now) {
    due.push_back(by_time_.begin()->second);
    wakes_.erase(by_time_.begin()->second);
    by_time_.erase(by_time_.begin());
  }
  return due;
}

Time Node::next_wake() const {
  return std::min({by_time_.empty() ? never : by_time_.begin()->first, staging.next_expiry(),
                   transfers.next_tick(), tail_caches.next_tick()});
}

}  // namespace loglog::storage

// An address is forgotten a minute after its last dropped run, and not run by run: an address that
// keeps dropping stays suspect.
#include "sequencer/core/dropped_runs.h"

#include <algorithm>

namespace loglog::sequencer {

void DroppedRuns::dropped(Time now, const std::string& address) {
  if (address.empty()) return;
  std::erase_if(by_address_,
                [now](const auto& a) { return now - a.second.last >= forgotten_after; });
  // The bound on addresses must not be a way out: the address that has behaved the longest goes.
  if (by_address_.size() >= addresses_max && !by_address_.contains(address))
    by_address_.erase(
        std::ranges::min_element(by_address_, {}, [](const auto& a) { return a.second.last; }));
  Seen& seen = by_address_[address];
  ++seen.runs;
  seen.last = now;
  // The first new connection waits too; otherwise a reconnect right after the drop would be free.
  seen.next_newcomer = now + newcomer_pause;
}

void DroppedRuns::closed(Time now, ConnectionId connection, const std::string& address) {
  if (address.empty()) return;
  while (!closed_.empty() &&
         (closed_.size() == closed_max || now - closed_.front().at > closed_remembered))
    closed_.pop_front();
  closed_.push_back({connection, address, now});
}

void DroppedRuns::dropped_after_close(Time now, ConnectionId connection) {
  const auto c = std::ranges::find(closed_, connection, &Closed::connection);
  if (c != closed_.end()) dropped(now, c->address);
}

bool DroppedRuns::is_suspect(Time now, const std::string& address) const {
  const auto a = by_address_.find(address);
  return a != by_address_.end() && a->second.runs > free_max &&
         now - a->second.last < forgotten_after;
}

bool DroppedRuns::admit_newcomer(Time now, const std::string& address) {
  if (!is_suspect(now, address)) return true;
  Seen& seen = by_address_.at(address);
  if (now < seen.next_newcomer) return false;
  seen.next_newcomer = now + newcomer_pause;
  return true;
}

}  // namespace loglog::sequencer

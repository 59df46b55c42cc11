// A search reports each step here; the call ends at its result or at its deadline.
#include "sdk/core/time_searches.h"

#include <algorithm>

namespace loglog::client {

/// `question`: a time or an offset, as the constructors of TimeSearch take it.
template <class Question>
void TimeSearches::begin(Time now, Token t, LogId log, Question question, Time deadline) {
  auto search =
      std::make_shared<TimeSearch>(options_, view_, choice_, log, question,
                                   [this, t](Time, Errc e, Offset found) { step(t, e, found); });
  calls_[t] = {deadline, Errc::unavailable, search};
  search->poll(now);
}

void TimeSearches::offset_at(Time now, Token t, LogId log, std::uint64_t wall_ms, Time deadline) {
  begin(now, t, log, wall_ms, deadline);
}

void TimeSearches::segment_of(Time now, Token t, LogId log, Offset offset, Time deadline) {
  begin(now, t, log, offset, deadline);
}

/// Takes a step of a search. A failed round is only remembered for the deadline: the search goes
/// on.
void TimeSearches::step(Token t, Errc e, Offset found) {
  const auto i = calls_.find(t);
  if (i == calls_.end()) return;
  if (e != Errc::ok && e != Errc::no_such_log) {
    i->second.last = e;
    return;
  }
  i->second.search->stop();
  calls_.erase(i);
  if (e == Errc::ok) answers_.complete(t, PointInTime{found});
  else answers_.fail(t, e);
}

void TimeSearches::tick(Time now) {
  for (auto i = calls_.begin(); i != calls_.end();) {
    const auto [token, call] = *i++;  // a copy: a step of the search may erase the call
    if (call.deadline > now) {
      call.search->poll(now);
      continue;
    }
    call.search->stop();
    calls_.erase(token);
    answers_.fail_late(token, call.last);
  }
}

Time TimeSearches::wake() const {
  Time w = never;
  for (const auto& [t, call] : calls_) w = std::min({w, call.deadline, call.search->wake()});
  return w;
}

void TimeSearches::close() {
  for (const auto& [t, call] : calls_) {
    call.search->stop();
    answers_.fail(t, Errc::client_closed);
  }
  calls_.clear();
}

}  // namespace loglog::client

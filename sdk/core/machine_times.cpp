// offset_at() and segment_of(): a TimeSearch and a deadline for each call (R6).
#include <algorithm>

#include "sdk/core/machine_parts.h"

namespace loglog::client {

void ClientMachine::offset_at(Time now, Token token, LogId log, std::uint64_t wall_ms,
                              Time deadline) {
  Parts& p = *parts_;
  p.now = now;
  if (p.closed) return p.fail(token, Errc::client_closed);
  auto search = std::make_shared<TimeSearch>(
      p.options, p.view, p.choice, log, wall_ms,
      [&p, token](Time, Errc e, Offset found) { p.time_step(token, e, found); });
  p.times[token] = {deadline, Errc::unavailable, search};
  search->poll(now);
}

void ClientMachine::segment_of(Time now, Token token, LogId log, Offset offset, Time deadline) {
  Parts& p = *parts_;
  p.now = now;
  if (p.closed) return p.fail(token, Errc::client_closed);
  auto search = std::make_shared<TimeSearch>(
      p.options, p.view, p.choice, log, offset,
      [&p, token](Time, Errc e, Offset found) { p.time_step(token, e, found); });
  p.times[token] = {deadline, Errc::unavailable, search};
  search->poll(now);
}

/// Takes a step of a search. A failed round is only remembered for the deadline: the search goes
/// on.
void ClientMachine::Parts::time_step(Token t, Errc e, Offset found) {
  const auto i = times.find(t);
  if (i == times.end()) return;
  if (e != Errc::ok && e != Errc::no_such_log) {
    i->second.last = e;
    return;
  }
  i->second.search->stop();
  times.erase(i);
  if (e == Errc::ok) complete(t, PointInTime{found});
  else fail(t, e);
}

void ClientMachine::Parts::tick_times(Time at) {
  for (auto i = times.begin(); i != times.end();) {
    const auto [token, call] = *i++;  // a copy: a step of the search may erase the call
    if (call.deadline > at) {
      call.search->poll(at);
      continue;
    }
    call.search->stop();
    times.erase(token);
    fail_late(token, call.last);
  }
}

void ClientMachine::Parts::close_times() {
  for (const auto& [t, call] : times) {
    call.search->stop();
    fail(t, Errc::client_closed);
  }
  times.clear();
}

Time ClientMachine::Parts::times_wake() const {
  Time w = never;
  for (const auto& [t, call] : times) w = std::min({w, call.deadline, call.search->wake()});
  return w;
}

}  // namespace loglog::client

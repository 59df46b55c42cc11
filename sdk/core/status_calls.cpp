// A call learns the sequencers from the metadata, asks each as soon as its connection is up, and
// ends with the answers that came.
#include "sdk/core/status_calls.h"

#include <algorithm>
#include <utility>

namespace loglog::client {

void StatusCalls::ask(Time now, Token t, bool logs, Time deadline) {
  Call& c = calls_[t];
  c.logs = logs;
  c.begun_at = now;
  c.deadline = deadline;
  poll(now, t, c);
}

/// Asks each known sequencer once, as soon as its connection is up.
void StatusCalls::poll(Time now, Token t, Call& call) {
  if (view_.metadata().sequencers.empty()) view_.leader(now);  // asks for the metadata
  else if (!call.known_at) call.known_at = now;
  for (const SequencerInfo& q : view_.metadata().sequencers) {
    const ConnectionId c = view_.sequencer(now, q.id);
    if (c == ConnectionId{} || call.asked.contains(q.id)) continue;
    call.asked[q.id] = true;
    view_.request(now, c, GetStatus{call.logs}, options_.status_timeout,
                  [this, t, id = q.id](Time, Message* m) {
                    const auto i = calls_.find(t);
                    const auto* a = m ? std::get_if<Status>(m) : nullptr;
                    if (i == calls_.end()) return;
                    if (a) i->second.result.sequencers.push_back(*a);
                    i->second.asked[id] = false;
                  });
  }
}

void StatusCalls::tick(Time now) {
  for (auto i = calls_.begin(); i != calls_.end();) {
    const auto c = i++;
    poll(now, c->first, c->second);
    const auto& all = view_.metadata().sequencers;
    const bool complete_now = !all.empty() && c->second.result.sequencers.size() == all.size();
    if (!complete_now && ends(c->second) > now) continue;
    ClusterStatus result = std::move(c->second.result);
    const Token t = c->first;
    calls_.erase(c);
    end(t, std::move(result));
  }
}

/// Names the sequencers that did not answer, and completes the call.
void StatusCalls::end(Token t, ClusterStatus result) {
  const auto& all = view_.metadata().sequencers;
  if (all.empty()) {
    const std::string whom = view_.failures();
    return answers_.fail(t, Errc::unavailable, whom.empty() ? "no node answers" : whom);
  }
  for (const SequencerInfo& q : all) {
    const bool answered = std::any_of(result.sequencers.begin(), result.sequencers.end(),
                                      [&q](const Status& x) { return x.id == q.id; });
    if (!answered) result.unreachable.push_back(q);
  }
  answers_.complete(t, std::move(result));
}

/// When a call ends at the latest. While the sequencers are unknown: at its deadline, or after
/// status_timeout if every address has failed. Afterwards: after status_timeout, twice the time
/// that finding the sequencers took, or four round trips, whichever is longest. So a slow network
/// alone makes no sequencer unreachable.
Time StatusCalls::ends(const Call& c) const {
  const Time at_least = c.begun_at + options_.status_timeout;
  if (!c.known_at) return view_.all_refused() ? std::min(c.deadline, at_least) : c.deadline;
  const Duration wait = std::max(
      {options_.status_timeout, 2 * (*c.known_at - c.begun_at), 4 * view_.longest_round_trip()});
  return std::min(c.deadline, *c.known_at + wait);
}

Time StatusCalls::wake() const {
  Time w = never;
  for (const auto& [t, c] : calls_) w = std::min(w, ends(c));
  return w;
}

void StatusCalls::close() {
  for (const auto& [t, c] : calls_) answers_.fail(t, Errc::client_closed);
  calls_.clear();
}

}  // namespace loglog::client

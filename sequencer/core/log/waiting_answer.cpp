// Both functions know the three kinds of answers that wait; a TailIs is replaced whole.
#include "sequencer/core/log/waiting_answer.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace loglog::sequencer {

Message told(WaitingAnswer& w, const TailIs& now) {
  if (auto* refusal = std::get_if<ConditionFailed>(&w.answer))
    refusal->end = std::min(now.committed, w.end_max);
  else if (auto* fence = std::get_if<FenceIs>(&w.answer)) fence->end = now.committed;
  else w.answer = now;
  return std::move(w.answer);
}

Message given_up(const WaitingAnswer& w, Errc why, const std::string& detail) {
  if (const auto* r = std::get_if<ConditionFailed>(&w.answer))
    return Refused{r->log, r->producer, r->first, Errc::not_ready, r->term, {}, {}};
  return Failed{why, detail};
}

}  // namespace loglog::sequencer

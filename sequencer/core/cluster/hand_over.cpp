// Two clocks that do not meet: the pauses of S8, and the times of a stop.
#include "sequencer/core/cluster/hand_over.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace loglog::sequencer {
namespace {
/// The pause doubles with each hand-over, so that two sequencers with half a network each do not
/// pass the lead back and forth.
constexpr Duration yield_pause_min = 5s;
constexpr Duration yield_pause_max = 300s;
constexpr Duration nobody_pause = 10ms;  // until it is looked at again, if nobody can take over yet
}  // namespace

bool HandOver::should_yield(Time now, std::size_t served, std::size_t open) {
  if (served == open) {
    underserved_since_ = never;
    yield_pause_ = {};
    return false;
  }
  if (underserved_since_ == never) underserved_since_ = now;
  return now - underserved_since_ >= options_.recovery_step_timeout && now >= no_yield_before_;
}

void HandOver::yielded(Time now) {
  yield_pause_ = std::clamp(2 * yield_pause_, yield_pause_min, yield_pause_max);
  no_yield_before_ = now + yield_pause_;
}

void HandOver::resign(Time now, bool leads) {
  resign_by_ = now + options_.resigning.in_all_max;
  answer_until_ = now + options_.resigning.answers_max;
  due_ = now;
  led_ = leads;
}

std::vector<SequencerId> HandOver::in_order(std::vector<Candidate> candidates) const {
  std::ranges::stable_sort(candidates, {}, [this](const Candidate& c) {
    return std::pair(asked_.contains(c.id) ? 1 : 0, -static_cast<std::int64_t>(c.served));
  });
  std::vector<SequencerId> out;
  out.reserve(candidates.size());
  for (const Candidate& c : candidates) out.push_back(c.id);
  return out;
}

void HandOver::asked(Time now, std::optional<SequencerId> id) {
  due_ = now + (id ? options_.resigning.ask_again : nobody_pause);
  if (id) asked_.insert(*id);
}

Time HandOver::wake(bool leads, bool owes) const {
  if (!resigned()) return never;
  return leads ? std::min(resign_by_, std::max(due_, owes ? answer_until_ : Time{})) : resign_by_;
}

}  // namespace loglog::sequencer

// LogTerm: appends under conditions (F1, F2), decided from the reference alone.
#include <algorithm>

#include "proto-spec/vocabulary/check.h"
#include "proto-spec/vocabulary/rules.h"
#include "sequencer/core/log_term.h"

namespace loglog::sequencer {
namespace {
/// Most answers that wait for what was ordered before them.
constexpr std::size_t held_max = 4096;
}  // namespace

/// Asked only of a run that is the producer's next: one that was ordered already is answered as that, whatever has changed since.
/// A refusal stands for the whole term: neither `entries_end_` nor the fence moves back in it, so a late copy of the Commit is
/// refused as well.
bool LogTerm::conditions_hold(Client client, const Commit& c, const Conditions& conditions) {
  if (conditions.fence != FenceToken{} && conditions.fence < info_.fence && !removed(Rule::F2_refuse)) {
    host_.to_client(client, ConditionFailed{info_.id, term_, c.run.producer, c.run.first, Errc::producer_fenced, committed_, info_.fence});
    return false;
  }
  if (conditions.expected == no_offset) return true;
  // What stands in the way may be gone with the next term; nobody is told of it before it is committed.
  const bool ends_there = conditions.expected >= entries_end_ || removed(Rule::F1_end);
  if (ends_there && conditions.expected <= stream_.end()) return true;
  if (held_.size() >= held_max) {
    refuse(client, c, Errc::too_many);
    return false;
  }
  held_.push_back({removed(Rule::F1_held) ? committed_ : stream_.end(), client,
                   ConditionFailed{info_.id, term_, c.run.producer, c.run.first, Errc::offset_mismatch, {}, info_.fence}});
  answer_held();
  return false;
}

void LogTerm::tell_fence(Client client) {
  held_.push_back({removed(Rule::F2_held) ? committed_ : stream_.end(), client, FenceIs{info_.id, info_.fence, {}}});
  answer_held();
}

void LogTerm::answer_held() {
  for (; !held_.empty() && held_.front().at <= committed_; held_.pop_front()) {
    Held& h = held_.front();
    if (auto* refusal = std::get_if<ConditionFailed>(&h.answer)) refusal->end = committed_;
    else std::get<FenceIs>(h.answer).end = committed_;
    host_.to_client(h.client, std::move(h.answer));
  }
}

}  // namespace loglog::sequencer

// LogTerm: appends under conditions (F1, F2), decided from the reference alone.
#include <algorithm>

#include "proto-spec/vocabulary/check.h"
#include "proto-spec/vocabulary/rules.h"
#include "sequencer/core/log_term.h"

namespace loglog::sequencer {
namespace {
/// Most answers that wait for what was ordered before them.
constexpr std::size_t held_max = 4096;

ConditionFailed mismatch(const LogInfo& log, Term term, const Commit& c) {
  return {log.id, term, c.run.producer, c.run.first, Errc::offset_mismatch, {}, log.fence};
}
}  // namespace

/// Asked only of a run that is the producer's next: one that was ordered already is answered as
/// that, whatever has changed since. A refusal stands for the whole term. Neither `entries_end_`
/// nor the fence moves back in it, so a late copy of the Commit is refused as well. But the log's
/// end moves on, to where an offset beyond it holds: such a refusal uses up the producer's number,
/// so that a late copy is answered as the first one was (F1).
bool LogTerm::conditions_hold(Client client, const Commit& c, const Conditions& conditions) {
  if (conditions.fence != FenceToken{} && conditions.fence < info_.fence &&
      !removed(Rule::F2_refuse)) {
    host_.to_client(client, ConditionFailed{info_.id, term_, c.run.producer, c.run.first,
                                            Errc::producer_fenced, committed_, info_.fence});
    return false;
  }
  if (conditions.expected == no_offset) return true;
  const bool beyond = conditions.expected > stream_.end();
  if (!beyond && (conditions.expected >= entries_end_ || removed(Rule::F1_end))) return true;
  if (!may_hold(client, c)) return false;
  if (beyond && !removed(Rule::F1_beyond)) {
    if (!removed(Rule::F1_settled)) producers_.refuse(c, stream_.end(), client.connection);
    refuse_beyond(client, c, stream_.end());
    return false;
  }
  // What stands in the way may be gone with the next term; nobody is told of it before it is
  // committed.
  held_.push_back(
      {client, mismatch(info_, term_, c), removed(Rule::F1_held) ? committed_ : stream_.end()});
  answer_held();
  return false;
}

/// Whether one more answer may wait; refuses the run else.
bool LogTerm::may_hold(Client client, const Commit& c) {
  if (held_.size() + tails_waiting_.size() < held_max) return true;
  refuse(client, c, Errc::too_many);
  return false;
}

/// A newer leader may have placed what this one does not know of: the refusal is told once members
/// confirm the term (R2). `end`: of the log when the run was judged. The producer is told no later
/// one, which might lie above the offset that it expected.
void LogTerm::refuse_beyond(Client client, const Commit& c, Offset end) {
  tails_by_.add(client.connection);
  tails_waiting_.push_back({client, mismatch(info_, term_, c), {}, end});
}

void LogTerm::tell_fence(Client client) {
  held_.push_back({client, FenceIs{info_.id, info_.fence, {}},
                   removed(Rule::F2_held) ? committed_ : stream_.end()});
  answer_held();
}

void LogTerm::answer_held() {
  for (; !held_.empty() && held_.front().until <= committed_; held_.pop_front())
    tell(held_.front());
}

void LogTerm::tell(Held& held) {
  if (auto* refusal = std::get_if<ConditionFailed>(&held.answer))
    refusal->end = std::min(committed_, held.end_max);
  else if (auto* fence = std::get_if<FenceIs>(&held.answer)) fence->end = committed_;
  else held.answer = TailIs{info_.id, begins(), committed_, term_};
  host_.to_client(held.client, std::move(held.answer));
}

/// A conditional run that was not ordered here is committed again, with this leader or the next.
void LogTerm::give_up(const Held& held, Errc why, const std::string& detail) {
  if (const auto* r = std::get_if<ConditionFailed>(&held.answer))
    host_.to_client(held.client,
                    Refused{info_.id, r->producer, r->first, Errc::not_ready, term_, {}, {}});
  else host_.to_client(held.client, Failed{why, detail});
}

}  // namespace loglog::sequencer

// LogTerm: appends under conditions (F1, F2) and answers that wait. The leader decides from the
// reference alone, without reading the log. A refusal is told only when it can no longer become
// wrong.
#include <algorithm>

#include "proto-spec/vocabulary/check.h"
#include "sequencer/core/log/log_term.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {
namespace {
/// Most answers that wait for earlier runs to be committed.
constexpr std::size_t held_max = 4096;

ConditionFailed mismatch(const LogInfo& log, Term term, const Commit& c) {
  return {log.id, term, c.run.producer, c.run.first, Errc::offset_mismatch, {}, log.fence};
}
}  // namespace

/// Asked only of a run that is the producer's next run: a run that was ordered is answered as
/// ordered, whatever has changed since. A refusal stands for the whole term. Neither `entries_end_`
/// nor the fence moves back in a term, so a late copy of the commit is refused as well. The log's
/// end moves on, however, to a place where an offset beyond it holds. A refusal beyond the end
/// therefore uses up the producer's number, so that a late copy gets the same answer (F1, decision
/// 0031).
bool LogTerm::conditions_hold(Client client, const Commit& c, const Conditions& conditions) {
  if (rules::is_producer_fenced(conditions.fence, info_.fence)) {
    host_.to_client(client, ConditionFailed{info_.id, term_, c.run.producer, c.run.first,
                                            Errc::producer_fenced, committed_, info_.fence});
    return false;
  }
  if (conditions.expected == no_offset) return true;
  const bool beyond = conditions.expected > stream_.end();
  if (!beyond && rules::nothing_above(conditions.expected, entries_end_)) return true;
  if (!may_hold(client, c)) return false;
  if (rules::refusal_needs_confirmation(beyond)) {
    if (rules::refusal_uses_up_number()) producers_.refuse(c, stream_.end(), client.connection);
    refuse_beyond(client, c, stream_.end());
    return false;
  }
  // F1: the entry in the way may be gone with the next term if it is not committed. So nobody is
  // told of it before everything ordered so far is committed.
  held_.push_back(
      {client, mismatch(info_, term_, c), rules::refusal_waits_for(committed_, stream_.end())});
  answer_held();
  return false;
}

/// True if a further answer may wait; otherwise refuses the run with too_many.
bool LogTerm::may_hold(Client client, const Commit& c) {
  if (held_.size() + tails_.waiting() < held_max) return true;
  refuse(client, c, Errc::too_many);
  return false;
}

/// F1: an offset beyond the end. A newer leader may have placed entries that this leader does not
/// know, so the refusal waits until members confirm the term (R2). `end`: the log's end when the
/// run was judged. No later end is told, because it might lie above the offset that the producer
/// expected.
void LogTerm::refuse_beyond(Client client, const Commit& c, Offset end) {
  tails_.add({client, mismatch(info_, term_, c), {}, end});
}

/// The same argument as for F1: no entry with a lower token lies at or above the end once all that
/// was ordered before is committed.
void LogTerm::tell_fence(Client client) {
  held_.push_back({client, FenceIs{info_.id, info_.fence, {}},
                   rules::token_waits_for(committed_, stream_.end())});
  answer_held();
}

/// `until` ascends along the queue, so only the front is looked at.
void LogTerm::answer_held() {
  for (; !held_.empty() && held_.front().until <= committed_; held_.pop_front())
    tell(held_.front());
}

void LogTerm::tell(WaitingAnswer& w) {
  host_.to_client(w.client, told(w, {info_.id, begins(), committed_, term_}));
}

void LogTerm::give_up(const std::vector<WaitingAnswer>& all, Errc why, const std::string& detail) {
  for (const WaitingAnswer& w : all) host_.to_client(w.client, given_up(w, why, detail));
}

}  // namespace loglog::sequencer

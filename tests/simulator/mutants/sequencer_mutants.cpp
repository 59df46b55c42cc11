// Functions of the sequencer's core that misbehave, each for a rule that is removed. They are
// compiled into the mutation build alone (LOGLOG_MUTATIONS); the product only declares them.
#include <algorithm>

#include "sequencer/core/log_term.h"

namespace loglog::sequencer {

// ---- S3_once

/// Breaks S3: without a new term, the other replicas choose a base among themselves in this term,
/// and matched replicas stay matched.
void LogTerm::choose_again(Time now) {
  find(base_)->state.reset();
  for (Replica& r : replicas_)
    if (r.at == At::reconciling) move(r, At::stated, now);
  phase_ = Phase::sealing;
  choose_base(now);
}

// ---- D1

/// Breaks D1: gives the offset to the next run.
void LogTerm::place_again(Offset at) {
  missing_.erase(missing_.lower_bound(at), missing_.end());
  while (!in_flight_.empty() && in_flight_.back().end > at) in_flight_.pop_back();
  for (Replica& r : replicas_) r.sent = std::min(r.sent, at);
  stream_.cut(at);
}

void OrderStream::cut(Offset o) {
  while (!items_.empty() && items_.back().at >= o) {
    end_ = items_.back().at;
    items_.pop_back();
  }
}

// ---- C1_term

/// Breaks C1: the new disk goes on in the old disk's place in the same term.
void LogTerm::admit_in_term(Time now, Replica& r, Member member) {
  r = Replica{};
  r.member = member;
  r.newcomer = true;
  if (host_.ready(member.node)) node_ready(now, member.node);
}

}  // namespace loglog::sequencer

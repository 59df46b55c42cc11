// Functions of the sequencer's core that misbehave, each for a rule that is removed. They are
// compiled into the mutation build alone (LOGLOG_MUTATIONS); the product only declares them.
#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "sequencer/core/log/log_term.h"
#include "sequencer/core/log/producer_table.h"
#include "sequencer/core/sequencer_machine.h"

namespace loglog::sequencer {

// ---- S3_once

/// Breaks S3: without a new term, the other replicas choose a base among themselves in this term,
/// and matched replicas stay matched.
Contradiction Recovery::choose_again(Time now) {
  replicas_.find(base_.node())->state.reset();
  for (Replica& r : replicas_)
    if (r.phase == ReplicaPhase::reconciling) replicas_.move(r, ReplicaPhase::stated, now);
  base_.forget();
  return choose_base(now);
}

// ---- D1

/// Breaks D1: gives the offset to the next run.
void LogTerm::place_again(Offset at) {
  missing_.forget_from(at);
  commits_.forget_from(at);
  ordering_.order_again_from(at, replicas_);
}

void Ordering::order_again_from(Offset at, ReplicaSet& replicas) {
  for (Replica& r : replicas) r.orders.sent = std::min(r.orders.sent, at);
  stream_.cut(at);
}

void MissingRuns::forget_from(Offset at) { runs_.erase(runs_.lower_bound(at), runs_.end()); }

void CommitPoint::forget_from(Offset at) {
  while (!in_flight_.empty() && in_flight_.back().end > at) in_flight_.pop_back();
}

void OrderStream::cut(Offset o) {
  while (!items_.empty() && items_.back().at >= o) {
    end_ = items_.back().at;
    items_.pop_back();
  }
}

// ---- C1_term

/// Breaks C1: the new disk is a member in a term in which the old disk has a part.
void SequencerMachine::admit_in_term(const AdmitDisk& d) {
  for (const LogInfo& l : state_.metadata.state().logs) {
    std::vector<Member> members = l.members;
    std::ranges::replace(members, Member{d.node, d.old}, Member{d.node, d.disk});
    if (l.state == LogState::open && members != l.members)
      state_.propose(SetMembers{l.id, std::move(members)});
  }
}

/// Breaks C1: the new disk goes on in the old disk's place in the same term.
void Recovery::admit_in_term(Time now, Replica& r, Member member) {
  r = Replica{};
  r.member = member;
  r.newcomer = true;
  if (host_.ready(member.node)) node_ready(now, r);
}

// ---- A2

/// Breaks A2: forgets a producer within a term if all its runs are committed.
void ProducerTable::forget_if_committed(ProducerId producer, Offset committed) {
  const auto known = producers_.find(producer);
  if (known == producers_.end()) return;
  const std::deque<Run>& runs = known->second.runs;
  if (!std::ranges::all_of(runs, [&](const Run& r) { return r.end() <= committed; })) return;
  runs_ -= runs.size();
  producers_.erase(known);
}

}  // namespace loglog::sequencer

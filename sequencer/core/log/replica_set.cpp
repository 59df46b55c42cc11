// A replica moves along ReplicaPhase: absent -> (joining, sealing) -> asked -> stated ->
// reconciling -> streaming. A misfit sends it back to asked; lost is final for the term.
#include "sequencer/core/log/replica_set.h"

#include <utility>

#include "sequencer/core/rules.h"

namespace loglog::sequencer {

ReplicaSet::ReplicaSet(const LogInfo& info, LogHost& host) : host_(host), log_(info.id) {
  for (const Member& m : info.members) {
    Replica r;
    r.member = {m.node, host_.disk_of(m.node)};
    r.newcomer = rules::is_foreign_disk(r.member.disk, m.disk);
    if (host_.has_lost(m.node)) r.phase = ReplicaPhase::lost;
    replicas_.push_back(std::move(r));
  }
}

Replica* ReplicaSet::find(NodeId node) {
  for (Replica& r : replicas_)
    if (r.member.node == node) return &r;
  return nullptr;
}

std::size_t ReplicaSet::streaming() const {
  return static_cast<std::size_t>(std::ranges::count_if(replicas_, &Replica::streams));
}

/// The only function that changes `phase`.
void ReplicaSet::move(Replica& r, ReplicaPhase phase, Time now) {
  if (phase != ReplicaPhase::reconciling) end_copy(r);
  r.copy.reached = Offset{};
  r.phase = phase;
  r.since = r.copy.moved = now;
  r.asking.retry = never;
  r.asking.first_only = false;
}

void ReplicaSet::lose(Replica& r, Time now) {
  move(r, ReplicaPhase::lost, now);
  r.acked = r.durable = Offset{};
}

void ReplicaSet::end_copy(Replica& r) {
  if (!std::exchange(r.copy.may_run, false) && !std::exchange(r.copy.waits, false)) return;
  host_.end_copy(log_, r.member.node);
}

}  // namespace loglog::sequencer

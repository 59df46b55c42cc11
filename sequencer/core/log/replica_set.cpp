// A replica moves along ReplicaPhase: absent -> (joining, sealing) -> asked -> stated ->
// reconciling -> streaming. A misfit sends it back to asked; lost is final for the term.
#include "sequencer/core/log/replica_set.h"

#include <utility>

#include "sequencer/core/rules.h"

namespace loglog::sequencer {

bool front_is_whole(const StateIs& s, Offset trim) {
  return s.first == s.tail || !rules::lacks_front(s.first, trim);
}

ReplicaSet::ReplicaSet(const LogInfo& info, LogHost& host, Term term)
    : host_(host), log_(info.id), term_(term) {
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

void ReplicaSet::ask(Time now, Replica& r) {
  move(r, ReplicaPhase::asked, now);
  r.asking.request = host_.to_node(r.member.node, GetState{log_, term_});
}

/// Two views that never agree would otherwise chase each other as fast as the network allows.
void ReplicaSet::ask_again(Time now, Replica& r) {
  if (now < r.asking.again + pause_time) return pause(now, r);
  r.asking.again = now;
  ask(now, r);
}

void ReplicaSet::pause(Time now, Replica& r) {
  move(r, ReplicaPhase::stated, now);
  r.asking.retry = r.asking.not_before = now + pause_time;
}

/// Everything committed in this term is on W members of this term's set, and replaced disks have no
/// part in it. So a later seal quorum of the new set finds it, however little a newcomer has copied
/// yet.
void ReplicaSet::take_in_newcomers(const std::vector<Member>& members) {
  std::vector<Member> wanted = members;
  for (std::size_t i = 0; i < replicas_.size(); ++i)
    if (replicas_[i].newcomer && replicas_[i].state) wanted[i] = replicas_[i].member;
  if (wanted == members || wanted == members_asked_) return;
  members_asked_ = wanted;
  host_.set_members(log_, std::move(wanted));
}

void ReplicaSet::end_copy(Replica& r) {
  if (!std::exchange(r.copy.may_run, false) && !std::exchange(r.copy.waits, false)) return;
  host_.end_copy(log_, r.member.node);
}

}  // namespace loglog::sequencer

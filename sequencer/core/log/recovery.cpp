// Handlers of replicas' messages come first, then the choice of the base, rest and begin, and the
// deadlines (S8). Losses are judged before anything else in a message is.
#include "sequencer/core/log/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proto-spec/vocabulary/rules.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {
namespace {

/// S8: the deadline of a step is this many times as long while something may still move, for
/// instance a long copy.
constexpr int patience = 10;

/// A question without an answer is asked again after recovery_step_timeout.
bool awaits_answer(const Replica& r) {
  return r.phase == ReplicaPhase::joining || r.phase == ReplicaPhase::sealing ||
         r.phase == ReplicaPhase::asked;
}

}  // namespace

Recovery::Recovery(const Options& options, LogHost& host, const LogInfo& info, Term term,
                   bool own_seal, bool wanted, ReplicaSet& replicas, Ordering& ordering,
                   const CommitPoint& commits)
    : options_(options),
      host_(host),
      info_(info),
      term_(term),
      own_seal_(own_seal),
      wanted_(wanted),
      replicas_(replicas),
      ordering_(ordering),
      commits_(commits),
      base_(info),
      repair_(options, host, info, term, replicas, base_, ordering, commits) {}

/// A log with a term of its own seals its nodes itself (T3); otherwise the node-wide seal is
/// enough.
void Recovery::node_ready(Time now, Replica& r) {
  if (!own_seal_) return replicas_.ask(now, r);
  replicas_.move(r, ReplicaPhase::sealing, now);
  host_.to_node(r.member.node, Seal{info_.id, term_, host_.instance(), host_.metadata_version()});
}

void Recovery::sealed(Time now, Replica& r) {
  if (r.phase == ReplicaPhase::sealing) replicas_.ask(now, r);
}

Contradiction Recovery::lose(Time now, Replica& r, const std::string& why) {
  if (r.is_lost()) return std::nullopt;
  replicas_.lose(r, now);
  host_.event(Event::Level::alarm,
              fmt::format("log {}: DATA LOSS on node {}: {}; it counts as down", info_.id.value,
                          r.member.node.value, why));
  if constexpr (mutations) {
    if (rules::lost_member_counts_for_seal() && !has_base()) return choose_base(now);
  }
  return std::nullopt;
}

/// A newcomer does not know the log before it joins (C1); a member that does not know it lost it.
Contradiction Recovery::not_member(Time now, Replica& r) {
  if (rules::has_lost_log(r.newcomer)) return lose(now, r, "it does not know the log");
  if (r.phase != ReplicaPhase::sealing && r.phase != ReplicaPhase::asked) return std::nullopt;
  replicas_.move(r, ReplicaPhase::joining, now);
  host_.join(info_.id, r.member.node);
  return std::nullopt;
}

/// A StateIs answers a GetState, tells of an order that did not fit (D2), or reports damage by
/// itself (K3).
Contradiction Recovery::state_is(Time now, Replica& r, RequestId request, const StateIs& m) {
  const NodeId from = r.member.node;
  if (rules::is_foreign_disk(m.disk, r.member.disk))
    return lose(now, r, "it has another disk than the member");
  // T4: bytes that the replica acknowledged or matched in this term cannot be gone. If they rotted,
  // the node itself says suspect: it is copied again, and until then it counts for nothing (K3,
  // K4).
  if (rules::stops_counting(m.suspect)) {
    // With client-observed commit (V2) the node may have told clients that a run is durable before
    // its `Durable` reached this leader. So the hole must be refilled up to `ordered`, not only up
    // to `acked`.
    r.held = rules::end_to_refill(r.held_once(), r.orders.furthest);
    r.acked = r.durable = Offset{};
    r.joined = false;
  }
  // T4: a shorter tail without a hole is a loss. It is committed as MarkLost, because the next
  // leader would hear only the short tail and take it for everything that there was.
  if (rules::has_lost_tail(m.tail, std::max(r.acked, r.durable))) {
    auto why = lose(now, r,
                    fmt::format("its tail {} is below {}, which it held in this term", m.tail.value,
                                r.durable.value));
    host_.lost(from);
    return why;
  }
  if (r.asking.first_only && request == r.asking.request) {
    // The question was only about its first offset, for a replica that must be re-based.
    r.asking.first_only = false;
    if (front_is_whole(m, info_.trim)) base_.raise_first(m.first);
    r.state = m;
    return repair_all(now);
  }
  if (r.phase == ReplicaPhase::reconciling || r.phase == ReplicaPhase::sealing)
    return std::nullopt;  // an old answer
  if (r.streams()) {
    // D2: an order did not fit. Answers to orders behind the misfit come too; the first answer
    // counts.
    host_.warn(info_.id, from, "misfit",
               fmt::format("log {}: node {} is at {}, ordered from {}", info_.id.value, from.value,
                           m.tail.value, r.orders.sent.value));
    replicas_.ask_again(now, r);
    return std::nullopt;
  }
  if (r.phase != ReplicaPhase::asked) return std::nullopt;
  // The answer belongs to an order that was sent before this GetState.
  if (r.asking.request != RequestId{} && request != r.asking.request) return std::nullopt;
  return take_state(now, r, m);
}

/// Takes the answer to the newest GetState and lets recovery or repair go on.
Contradiction Recovery::take_state(Time now, Replica& r, const StateIs& m) {
  replicas_.move(r, ReplicaPhase::stated, now);
  r.state = m;
  if (commits_.committed() != Offset{} || rests_) replicas_.take_in_newcomers(info_.members);
  if (ordering_.has_begun() && m.suspect)
    // K4: by then its hole may be filled.
    r.asking.retry = now + options_.recovery_step_timeout;
  note_tail(now, r, m.tail);
  if (first() > info_.trim && front_is_whole(m, info_.trim) && m.first < m.tail)
    base_.lower_first(m.first);
  return has_base() ? repair_.repair(now, r, rests_) : choose_base(now);
}

/// S8: an answer alone is no movement. Otherwise replicas that ask again and again for bytes that
/// nobody gives would keep a term alive for ever.
void Recovery::note_tail(Time now, Replica& r, Offset tail) {
  if (tail > r.furthest) r.copy.got_nothing = false;
  if (is_recovering() && rules::tail_is_movement(tail, r.furthest)) moved_ = now;
  r.furthest = std::max(r.furthest, tail);
}

/// P4: the copy moves, so it is neither cancelled nor a reason for a new term (S8).
void Recovery::reconciling(Time now, Replica& r, Offset tail) {
  if (r.phase != ReplicaPhase::reconciling || !rules::copy_is_movement()) return;
  r.copy.reached = tail;
  r.copy.moved = now;
  note_tail(now, r, tail);
  if (is_recovering()) moved_ = now;
}

/// S5: the replica has cut and copied; its tail and chain must equal the leader's at the target.
Contradiction Recovery::reconciled(Time now, Replica& r, const Reconciled& m, bool& matched) {
  const NodeId from = r.member.node;
  matched = false;
  if (r.phase != ReplicaPhase::reconciling) return std::nullopt;
  if (m.error == Errc::log_halted) return fmt::format("node {} has halted it", from.value);
  note_tail(now, r, m.tail);
  if (m.error == Errc::data_loss) return lose(now, r, "it says so");
  if (m.error != Errc::ok && m.error != Errc::wrong_state) {
    host_.warn(info_.id, from, "repair",
               fmt::format("log {}: node {} cannot be repaired yet: {}", info_.id.value, from.value,
                           name_of(m.error)));
    if (m.error == Errc::unavailable) r.copy.got_nothing = true;
    replicas_.pause(now, r);
    repair_.ask_where_peers_begin();
    return std::nullopt;
  }
  if (m.error == Errc::wrong_state || m.tail != r.copy.target) {
    replicas_.ask_again(now, r);
    return std::nullopt;
  }
  if (rules::copied_other_bytes(m.chain, r.copy.target_chain))
    return fmt::format("node {} holds other bytes below {} than its peers", from.value,
                       m.tail.value);
  if (is_recovering() && rules::match_is_movement(r.joined)) moved_ = now;
  // From here on its acknowledgements count (S6), once they cover a frame of this term.
  r.joined = true;
  r.asking.peers = r.copy.got_nothing = r.copy.lacks_committed = false;
  r.durable = m.tail;
  r.held = Offset{};
  if (rules::match_is_acknowledgement()) r.acked = m.tail;
  if (!ordering_.stream().is_boundary(r.copy.target)) {
    // The target fell out of the window meanwhile, so another round is needed.
    replicas_.ask_again(now, r);
    return std::nullopt;
  }
  replicas_.move(r, ReplicaPhase::streaming, now);
  r.orders.sent = r.copy.target;
  r.orders.told = r.orders.told_at = Offset{};
  matched = true;
  return std::nullopt;
}

/// P3: the run is committed, so peers hold it or held it. If they have trimmed it, the replica
/// skips it by a re-base (S4); otherwise the replica copies it.
void Recovery::lacks_committed(Time now, Replica& r, Offset missing, Offset begins) {
  if (!r.streams()) return;
  if (missing < begins) repair_.ask_where_peers_begin();
  else r.copy.lacks_committed = true;
  replicas_.ask(now, r);
}

Contradiction Recovery::members_changed(Time now, const std::vector<Member>& members) {
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    Replica& r = replicas_[i];
    if (r.member == members[i]) {
      r.newcomer = false;
      continue;
    }
    if constexpr (mutations) {
      if (rules::new_disk_joins_in_term()) admit_in_term(now, r, members[i]);
    }
  }
  return has_base() ? std::nullopt : choose_base(now);
}

// ---- The base

/// S2, S3: once a seal quorum has answered, the most up-to-date member is the base for the rest of
/// the term. Every seal quorum holds all that may be committed. So a base of an earlier term that
/// gave no peer any bytes can be passed over if a seal quorum exists without it (S8).
Contradiction Recovery::choose_base(Time now) {
  const Replica* best = base_.best_answer(replicas_, true);
  if (best == nullptr && !base_.passed_over().empty() && !awaits_other_answers(now))
    best = base_.best_answer(replicas_, false);
  if (best == nullptr) return std::nullopt;
  if (auto why = base_.contradiction(replicas_, *best)) return why;
  const StateIs& s = *best->state;
  base_.take(*best, replicas_);
  ordering_.take_base(s);
  repair_.note_chain(best->member.node, s.tail, s.chain);
  moved_ = now;
  return repair_all(now);
}

/// True if some member that may become the base is ready and has not told its state yet.
bool Recovery::awaits_other_answers(Time now) const {
  if (now - moved_ >= options_.recovery_step_timeout) return false;
  return std::ranges::any_of(replicas_, [&](const Replica& r) {
    return !r.state && !r.newcomer && !r.is_lost() && host_.ready(r.member.node) &&
           !base_.passed_over().contains(r.member.node);
  });
}

/// A base that gave nothing is passed over together with the bases before it.
std::set<NodeId> Recovery::passed_over(bool halted) const {
  if (rests_ || !rules::passes_over_bases()) return {};
  std::set<NodeId> out = base_.passed_over();
  const bool in_vain =
      std::ranges::any_of(replicas_, [](const Replica& r) { return r.copy.got_nothing; });
  if (is_recovering() && !halted && in_vain) out.insert(base_.node());
  return out;
}

// ---- Rest and begin

bool Recovery::want(Time now) {
  if (std::exchange(wanted_, true)) return false;
  if (std::exchange(rests_, false)) moved_ = now;
  return true;
}

/// spec/04 "Begin": the term start is ordered once W replicas are matched, or the log rests (S7). A
/// log rests if nobody has asked for it, and if all members that can be reached are matched and
/// know all of it as committed. Members that are away are repaired when they come back. If a
/// replica still has to learn the committed offset, the term start is ordered to tell it.
Recovery::Next Recovery::next(Time now, bool retains_all) {
  std::size_t matched = 0, whole = 0, under_way = 0;
  for (const Replica& r : replicas_) {
    if (r.streams()) {
      ++matched;
      if (r.state && r.state->committed == ordering_.end()) ++whole;
    } else if (r.phase != ReplicaPhase::absent && !r.is_lost() &&
               now - r.since < options_.recovery_step_timeout) {
      ++under_way;
    }
  }
  if (matched < quorum_of(info_).write()) return Next::wait;
  if (wanted_ || !rules::may_rest(whole, matched) || !retains_all) return Next::begin;
  if (under_way == 0) rests_ = true;
  return rests_ ? Next::rest : Next::wait;
}

// ---- S8

/// True if each replica that needs bytes has asked for them in vain.
bool Recovery::base_gives_nothing() const {
  bool in_vain = false;
  for (const Replica& r : replicas_) {
    if (r.streams() || r.is_lost() || !host_.ready(r.member.node)) continue;
    if (!r.copy.got_nothing) return false;
    in_vain = true;
  }
  return in_vain;
}

/// True if some replica may give others the bytes that they need.
bool Recovery::has_source() const {
  return std::ranges::any_of(replicas_, [&](const Replica& r) {
    return r.streams() ||
           (r.member.node == base_.node() && !r.is_lost() && host_.ready(base_.node()));
  });
}

/// True if the nodes that are ready would be enough for a new term: W of them, and a seal quorum.
bool Recovery::quorums_reachable() const {
  std::size_t there = 0, can_be_sealed = 0;
  for (const Replica& r : replicas_) {
    if (r.is_lost() || !host_.ready(r.member.node)) continue;
    ++there;
    if (!r.newcomer) ++can_be_sealed;
  }
  const Quorum q = quorum_of(info_);
  return there >= q.write() && can_be_sealed >= q.seal();
}

bool Recovery::is_stuck(Time now) const {
  if (!has_base() || rests_ || !rules::recovery_has_deadline() || !quorums_reachable())
    return false;
  // Longer than a Reconcile may take, because a copy that is cut short still tells how far it came.
  if (is_recovering())
    return now - moved_ >= options_.recovery_step_timeout *
                               (has_source() && !base_gives_nothing() ? patience + 1 : 1);
  return ordering_.end() > commits_.committed() &&
         now - std::max(commits_.moved(), moved_) >= options_.recovery_step_timeout * patience;
}

Contradiction Recovery::tick(Time now, bool halted) {
  for (Replica& r : replicas_) {
    if (!host_.ready(r.member.node)) continue;
    const bool overdue = (awaits_answer(r) && now - r.since >= options_.recovery_step_timeout) ||
                         (r.phase == ReplicaPhase::reconciling &&
                          now - r.copy.moved >= options_.recovery_step_timeout * patience);
    if (overdue && !halted) node_ready(now, r);
    else if (r.phase == ReplicaPhase::stated && now >= r.asking.retry) replicas_.ask(now, r);
  }
  if (halted) return std::nullopt;
  if constexpr (mutations) {
    if (!rules::chooses_base_once() && is_recovering() &&
        now - moved_ >= options_.recovery_step_timeout)
      if (auto why = choose_again(now)) return why;
  }
  return !has_base() && !base_.passed_over().empty() ? choose_base(now) : std::nullopt;
}

/// Each deadline of tick() has its line here.
Time Recovery::wake(bool may_be_stuck) const {
  const Duration step = options_.recovery_step_timeout;
  Time t = never;
  if (!has_base() && !base_.passed_over().empty()) t = moved_ + step;
  for (const Replica& r : replicas_) {
    if (awaits_answer(r)) t = std::min(t, r.since + step);
    if (r.phase == ReplicaPhase::reconciling) t = std::min(t, r.copy.moved + step * patience);
    if (r.phase == ReplicaPhase::stated && has_base()) t = std::min(t, r.asking.retry);
  }
  if (!may_be_stuck) return t;
  if (is_recovering() && !rests_) return std::min(t, moved_ + step);
  if (ordering_.has_begun() && ordering_.end() > commits_.committed())
    return std::min(t, std::max(commits_.moved(), moved_) + step * patience);
  return t;
}

}  // namespace loglog::sequencer

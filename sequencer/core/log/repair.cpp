// A repair that cannot go on now leaves the replica `stated`, with the time of the next try.
#include "sequencer/core/log/repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sequencer/core/rules.h"

namespace loglog::sequencer {

/// This leader's view of the log's terms, to compare a replica's list with (S4).
TermHistory Repair::history() const {
  TermHistory h = base_.history();
  h.first = std::max(h.first, base_.first());
  if (ordering_.has_begun()) {
    h.terms.push_back({term_, ordering_.stream().base()});
    h.tail = ordering_.end();
  }
  return h;
}

/// S5: peers that may give bytes up to `o`: only replicas that are matched in this term.
std::vector<NodeId> Repair::holders(Offset o, NodeId except) const {
  std::vector<NodeId> out;
  for (const Replica& r : replicas_)
    if (r.phase != ReplicaPhase::absent && !r.is_lost() && r.member.node != except &&
        rules::may_give_bytes(r.streams() && r.durable >= o))
      out.push_back(r.member.node);
  return out;
}

/// K3: a replica without its first files still holds everything new, so it takes orders as it is.
/// To mend its front it is copied anew, which takes it out meanwhile. That may begin once a write
/// quorum of other replicas takes orders and holds as much.
bool Repair::may_mend_front(const Replica& r, bool resting) const {
  std::size_t others = 0;
  bool source = false;
  for (const Replica& o : replicas_) {
    if (&o == &r || !o.streams()) continue;
    if ((resting ? ordering_.end() : o.durable) < r.held_once()) continue;
    ++others;
    source = source || (o.state && front_is_whole(*o.state, info_.trim));
  }
  return source &&
         others >= std::min<std::size_t>(info_.options.write_quorum, replicas_.size() - 1);
}

void Repair::mend_fronts(Time now, bool resting) {
  for (Replica& r : replicas_)
    if (r.streams() && r.state && !front_is_whole(*r.state, info_.trim) &&
        may_mend_front(r, resting))
      replicas_.ask_again(now, r);
}

Contradiction Repair::repair_all(Time now, bool resting) {
  for (Replica& r : replicas_)
    if (r.phase == ReplicaPhase::stated)
      if (auto why = repair(now, r, resting)) return why;
  return std::nullopt;
}

/// The turn may come when the replica is gone or needs no copy any more; the turn then passes on.
Contradiction Repair::copy_now(Time now, NodeId node, bool resting) {
  Contradiction why;
  Replica* r = replicas_.find(node);
  if (r != nullptr && r->phase == ReplicaPhase::stated && r->copy.waits) {
    r->copy.waits = false;
    r->copy.may_run = true;
    why = repair(now, *r, resting);
  }
  if (r != nullptr && r->phase == ReplicaPhase::reconciling) return why;
  if (r != nullptr) r->copy.may_run = false;
  host_.end_copy(info_.id, node);
  return why;
}

/// P4: true if the copy may begin. A replica that has only to be cut, or lacks nothing, does not
/// wait.
bool Repair::may_copy(Replica& r, const Reconcile& m) {
  if (m.peers.empty() || (!m.rebase && m.target == m.cut)) return true;
  r.copy.may_run =
      host_.begin_copy(info_.id, r.member.node, replicas_.streaming() < info_.options.write_quorum);
  r.copy.waits = !r.copy.may_run;
  return r.copy.may_run;
}

/// S4: a cut that takes committed bytes, or a replica that has more than this leader has ordered,
/// contradicts the leader's view.
Contradiction Repair::judge_cut(const Replica& r, Offset cut) const {
  const StateIs& s = *r.state;
  // A node with a hole knows more as committed than it still has (K3); only existing bytes can be
  // cut.
  const Offset known = std::min(s.committed, s.tail);
  if (s.first == s.tail) {
    // No frame, no term, no cut: it begins where the log begins.
  } else if (cut < base_.first() && s.tail != cut) {
    if (rules::cuts_committed(base_.first(), known))
      return fmt::format("node {} parts at {} from the log, below {} that it knows as committed",
                         r.member.node.value, cut.value, known.value);
  } else if (rules::cuts_committed(cut, known)) {
    return fmt::format("node {} would be cut at {}, below {} that it knows as committed",
                       r.member.node.value, cut.value, known.value);
  }
  if (s.last_frame_term == term_ && s.tail > ordering_.end())
    return fmt::format("node {} ends at {}, beyond all that was ordered", r.member.node.value,
                       s.tail.value);
  return std::nullopt;
}

Contradiction Repair::repair(Time now, Replica& r, bool resting) {
  if (r.phase != ReplicaPhase::stated || r.copy.waits || !base_.is_chosen() ||
      now < r.asking.not_before)
    return std::nullopt;
  const StateIs& s = *r.state;
  const Offset first = base_.first();
  const Offset cut = rules::cut_point(history(), history_of(s));
  Reconcile m{info_.id, term_,   host_.metadata_version(),
              s.tail,   s.chain, s.last_frame_term,
              cut,      false,   {},
              {},       {},      {}};
  const bool has_nothing = s.first == s.tail;
  // It begins above the known beginning of the log. The peers may have trimmed since they were
  // asked, so they are asked again; a peer gives nothing below its first offset.
  if (has_nothing && s.tail > first && !r.asking.peers && ask_where_peers_begin()) {
    r.asking.peers = true;
    r.asking.retry = now + ReplicaSet::pause_time;
    return std::nullopt;
  }
  if (auto why = judge_cut(r, cut)) return why;
  const bool mends_front = !front_is_whole(s, info_.trim) && may_mend_front(r, resting);
  // K4: the replica drops its tail too, and counts only when it holds as much again.
  // Acknowledgements that are still under way do not count.
  if (mends_front) {
    r.held = rules::end_to_refill(r.held_once(), r.orders.furthest);
    r.joined = false;
  }
  m.rebase = cut < first || (has_nothing && s.tail > Offset{}) || mends_front;
  // K3: no replica that is here has the first files. A copy without them would make their loss the
  // log's own, so the replica waits for a replica that has them.
  if (m.rebase && rules::lacks_front(first, info_.trim)) {
    r.asking.retry = now + options_.recovery_step_timeout;
    return std::nullopt;
  }
  if (m.rebase) {
    m.cut = first;
    m.target_first = first;
  }
  Contradiction why;
  if (!pick_target(r, m.cut, m, why) || !may_copy(r, m)) return why;
  // The re-base drops all that the replica held. That was trimmed, or it is copied again at least
  // up to `held` (K4), so it is no loss.
  if (m.rebase) {
    r.durable = r.acked = Offset{};
    r.state->first = m.target_first;
  }
  r.copy.target = m.target;
  r.copy.target_chain = m.target_chain;
  replicas_.move(r, ReplicaPhase::reconciling, now);
  if (m.rebase || m.target != s.tail || m.cut != s.tail) ++host_.figures().repairs;
  host_.to_node(r.member.node, std::move(m));
  return std::nullopt;
}

bool Repair::ask_where_peers_begin() {
  bool asked = false;
  for (Replica& p : replicas_) {
    if (!p.streams()) continue;
    asked = true;
    // A second question beside the first would get an answer that looks like a misfit (D2).
    if (std::exchange(p.asking.first_only, true)) continue;
    p.asking.request = host_.to_node(p.member.node, GetState{info_.id, term_});
  }
  return asked;
}

/// S5, P3: true if orders would name many runs that the replica must fetch individually. A copy
/// brings the same bytes in large pieces.
bool Repair::is_far_behind(const Replica& r) const {
  const Offset tail = r.state->tail;
  const Offset committed = commits_.committed();
  if (r.copy.lacks_committed) return true;
  return committed > tail &&
         (committed - tail > options_.copy_above.bytes ||
          ordering_.stream().items_between(tail, committed) > options_.copy_above.runs);
}

/// Chooses where the replica joins the stream: a run boundary inside the window whose chain is
/// known. The first that fits: its own tail; the newest point that a matched peer holds; an earlier
/// point that the replica holds itself. The last case cuts only items that it never acknowledged,
/// and the same items are ordered to it again (D1).
bool Repair::pick_target(Replica& r, Offset cut, Reconcile& out, Contradiction& why) {
  const StateIs& s = *r.state;
  const OrderStream& stream = ordering_.stream();
  // A hole at the base's own end lies above everything that may be committed (S2), so nobody can
  // fill it.
  const bool whole = !s.suspect || (!ordering_.has_begun() && r.member.node == base_.node());
  const bool goes_on = !out.rebase && cut == s.tail && stream.is_boundary(cut) && whole;
  const auto stays = [&] {
    why = note_chain(r.member.node, cut, s.chain);
    out.target = cut;
    out.target_chain = s.chain;
    return !why;
  };
  if (goes_on && !is_far_behind(r)) return stays();
  const auto& points = chains_.points();
  for (auto p = points.rbegin();
       p != points.rend() && p->first >= std::max(cut, r.held) && p->first >= stream.begin(); ++p) {
    if (!stream.is_boundary(p->first)) continue;
    out.peers = holders(p->first, r.member.node);
    if (out.peers.empty()) continue;
    out.target = p->first;
    out.target_chain = p->second;
    return true;
  }
  if (goes_on) return stays();  // far behind, and no peer has more
  if (out.rebase || s.suspect) return false;
  for (auto p = points.rbegin(); p != points.rend() && p->first >= stream.begin(); ++p) {
    if (p->first > cut || !stream.is_boundary(p->first)) continue;
    // Below its acknowledgements nothing may be cut.
    if (p->first < std::max({r.acked, r.durable, s.committed})) return false;
    out.cut = out.target = p->first;
    out.target_chain = p->second;
    return true;
  }
  return false;
}

Contradiction Repair::note_chain(NodeId from, Offset o, Chain c) {
  if (!rules::is_contradiction(chains_.note(o, c))) return std::nullopt;
  return fmt::format("node {} holds other bytes below {} than another replica", from.value,
                     o.value);
}

}  // namespace loglog::sequencer

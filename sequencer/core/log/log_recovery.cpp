// LogTerm: recovery (spec/04), and replicas that come late by the same path.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proto-spec/disk/frame.h"
#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/vocabulary/rules.h"
#include "sequencer/core/log/log_term.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {
namespace {

/// Pause after a Reconcile that failed for want of peers or space.
constexpr Duration repair_pause = 200ms;
/// S8: the deadline of a step is this many times as long while something may still move, for
/// instance a long copy.
constexpr int patience = 10;

}  // namespace

LogTerm::LogTerm(const Options& options, LogHost& host, LogInfo info, Term term, bool own_seal,
                 bool wanted)
    : options_(options),
      host_(host),
      info_(std::move(info)),
      term_(term),
      own_seal_(own_seal),
      replicas_(info_, host),
      wanted_(wanted),
      ordering_(options, host, info_, term),
      commits_(options, host, info_, term),
      missing_(options, host, info_),
      tails_(host, info_.id, term, options.recovery_step_timeout),
      retention_(options, host, info_) {}

void LogTerm::start(Time now) {
  phase_since_ = now;
  ++host_.figures().log_terms;
  for (Replica& r : replicas_)
    if (host_.ready(r.member.node)) node_ready(now, r.member.node);
}

void LogTerm::want(Time now) {
  if (std::exchange(wanted_, true)) return;
  if (std::exchange(resting_, false)) phase_since_ = now;
  begin_or_rest(now);
}

/// A log with a term of its own seals its nodes itself (T3); otherwise the node-wide seal is
/// enough.
void LogTerm::node_ready(Time now, NodeId node) {
  Replica* r = replicas_.find(node);
  if (r == nullptr || r->is_lost() || phase_ == Phase::halted) return;
  if (!own_seal_) return ask(now, *r);
  replicas_.move(*r, ReplicaPhase::sealing, now);
  host_.to_node(node, Seal{info_.id, term_, host_.instance(), host_.metadata_version()});
}

void LogTerm::joined(Time now, NodeId node) {
  if (const Replica* r = replicas_.find(node); r != nullptr && r->phase == ReplicaPhase::joining)
    node_ready(now, node);
}

/// A rest may begin without the replica that is gone (S7).
void LogTerm::node_gone(Time now, NodeId node) {
  Replica* r = replicas_.find(node);
  if (r == nullptr || r->is_lost()) return;
  replicas_.move(*r, ReplicaPhase::absent, now);
  begin_or_rest(now);
}

/// S1: GetState is the barrier; its answer counts as the replica's state.
void LogTerm::ask(Time now, Replica& r) {
  replicas_.move(r, ReplicaPhase::asked, now);
  r.asking.request = host_.to_node(r.member.node, GetState{info_.id, term_});
}

/// The replica's answer did not fit this leader's view. Its state is asked for at once, but only
/// once in a pause: two views that never agree would otherwise chase each other as fast as the
/// network allows.
void LogTerm::ask_again(Time now, Replica& r) {
  if (now < r.asking.again + repair_pause) return pause(now, r);
  r.asking.again = now;
  ask(now, r);
}

/// Leaves the replica alone until the pause is over, whatever comes meanwhile.
void LogTerm::pause(Time now, Replica& r) {
  replicas_.move(r, ReplicaPhase::stated, now);
  r.asking.retry = r.asking.not_before = now + repair_pause;
}

void LogTerm::on(Time now, NodeId from, RequestId, const Sealed& m) {
  Replica* r = replicas_.find(from);
  if (r == nullptr || m.term != term_ || r->phase != ReplicaPhase::sealing) return;
  ask(now, *r);
}

/// A StateIs answers a GetState, tells of an order that did not fit (D2), or reports damage by
/// itself (K3). Losses are judged first, whatever the message answers.
void LogTerm::on(Time now, NodeId from, RequestId request, const StateIs& m) {
  Replica* r = replicas_.find(from);
  if (r == nullptr || m.term != term_ || r->is_lost() || r->phase == ReplicaPhase::absent ||
      phase_ == Phase::halted)
    return;
  if (rules::is_foreign_disk(m.disk, r->member.disk))
    return lose(*r, "it has another disk than the member", now);
  // T4: bytes that the replica acknowledged or matched in this term cannot be gone. If they rotted,
  // the node itself says suspect: it is copied again, and until then it counts for nothing (K3,
  // K4).
  if (rules::stops_counting(m.suspect)) {
    // With client-observed commit (V2) the node may have told clients that a run is durable before
    // its `Durable` reached this leader. So the hole must be refilled up to `ordered`, not only up
    // to `acked`.
    r->held = rules::end_to_refill(r->held_once(), r->orders.furthest);
    r->acked = r->durable = Offset{};
    r->joined = false;
  }
  // T4: a shorter tail without a hole is a loss. It is committed as MarkLost, because the next
  // leader would hear only the short tail and take it for everything that there was.
  if (rules::has_lost_tail(m.tail, std::max(r->acked, r->durable))) {
    lose(*r,
         fmt::format("its tail {} is below {}, which it held in this term", m.tail.value,
                     r->durable.value),
         now);
    return host_.lost(from);
  }
  if (r->asking.first_only && request == r->asking.request) {
    r->asking.first_only = false;
    if (front_is_whole(m))
      // The question was only about its first offset, for a replica that must be re-based.
      first_ = std::max(first_, m.first);
    r->state = m;
    return repair_all(now);
  }
  if (r->phase == ReplicaPhase::reconciling || r->phase == ReplicaPhase::sealing)
    return;  // an old answer
  if (r->streams()) {
    // D2: an order did not fit. Answers to orders behind the misfit come too; the first answer
    // counts.
    host_.warn(info_.id, from, "misfit",
               fmt::format("log {}: node {} is at {}, ordered from {}", info_.id.value, from.value,
                           m.tail.value, r->orders.sent.value));
    return ask_again(now, *r);
  }
  if (r->phase != ReplicaPhase::asked) return;
  // The answer belongs to an order that was sent before this GetState.
  if (r->asking.request != RequestId{} && request != r->asking.request) return;
  take_state(now, *r, m);
}

/// Takes the answer to the newest GetState and lets recovery or repair go on.
void LogTerm::take_state(Time now, Replica& r, const StateIs& m) {
  replicas_.move(r, ReplicaPhase::stated, now);
  r.state = m;
  if (is_open() || resting_) take_in_newcomers();
  if (ordering_.has_begun() && m.suspect)
    // K4: by then its hole may be filled.
    r.asking.retry = now + options_.recovery_step_timeout;
  moved_to(now, r, m.tail);
  // Another replica shows that the log begins earlier than the base does, so first_ moves down to
  // it.
  if (first_ > info_.trim && front_is_whole(m) && m.first < m.tail)
    first_ = std::min(first_, m.first);
  if (phase_ == Phase::sealing) return choose_base(now);
  repair(now, r);
}

/// S8: an answer alone is no movement. Otherwise replicas that ask again and again for bytes that
/// nobody gives would keep a term alive for ever.
void LogTerm::moved_to(Time now, Replica& r, Offset tail) {
  if (tail > r.furthest) r.copy.got_nothing = false;
  if (phase_ == Phase::recovering && rules::tail_is_movement(tail, r.furthest)) phase_since_ = now;
  r.furthest = std::max(r.furthest, tail);
}

/// S2, S3: once a seal quorum has answered, the most up-to-date member is the base for the rest of
/// the term. Every seal quorum holds all that may be committed. So a base of an earlier term that
/// gave no peer any bytes can be passed over if a seal quorum exists without it (S8).
void LogTerm::choose_base(Time now) {
  const Replica* best = best_answer(passed_over_);
  if (best == nullptr && !passed_over_.empty() && !awaits_other_answers(now))
    best = best_answer({});
  if (best == nullptr || contradicted(*best)) return;
  const StateIs& s = *best->state;
  base_ = best->member.node;
  base_history_ = history_of(s);
  base_chain_ = s.chain;
  first_ = first_of_whole(s);
  ordering_.take_base(s);
  chains_.note(s.tail, s.chain);
  phase_ = Phase::recovering;
  phase_since_ = now;
  repair_all(now);
}

/// The answer of the highest rank if the answers are a seal quorum; otherwise nullptr. Newcomers
/// answer for nothing (C1), and a suspect answer raises the seal quorum (S2).
Replica* LogTerm::best_answer(const std::set<NodeId>& passed_over) {
  std::size_t answers = 0;
  bool any_suspect = false;
  Replica* best = nullptr;
  const auto rank = [this](const Replica& r) {
    return std::tuple(rules::base_rank(r.state->last_frame_term, r.state->tail), !r.state->suspect,
                      front_is_whole(*r.state), r.phase == ReplicaPhase::stated);
  };
  for (Replica& r : replicas_) {
    if (r.is_lost() && rules::lost_member_counts_for_seal()) ++answers;
    if (!r.state || r.is_lost() || !rules::may_answer_seal(r.newcomer) ||
        passed_over.contains(r.member.node))
      continue;
    ++answers;
    any_suspect = any_suspect || r.state->suspect;
    if (best == nullptr || rank(r) > rank(*best)) best = &r;
  }
  if (answers < rules::seal_quorum(quorum_of(info_)) + rules::extra_seal_answers(any_suspect))
    return nullptr;
  return best;
}

/// True if some member that may become the base is ready and has not told its state yet.
bool LogTerm::awaits_other_answers(Time now) const {
  if (now - phase_since_ >= options_.recovery_step_timeout) return false;
  return std::any_of(replicas_.begin(), replicas_.end(), [&](const Replica& r) {
    return !r.state && !r.newcomer && !r.is_lost() && host_.ready(r.member.node) &&
           !passed_over_.contains(r.member.node);
  });
}

/// S8: true if each replica that needs bytes has asked for them in vain.
bool LogTerm::base_gives_nothing() const {
  bool in_vain = false;
  for (const Replica& r : replicas_) {
    if (r.streams() || r.is_lost() || !host_.ready(r.member.node)) continue;
    if (!r.copy.got_nothing) return false;
    in_vain = true;
  }
  return in_vain;
}

/// A base that gave nothing is passed over together with the bases before it.
std::set<NodeId> LogTerm::passed_over() const {
  if (is_open() || resting_ || !rules::passes_over_bases()) return {};
  std::set<NodeId> out = passed_over_;
  const bool in_vain = std::any_of(replicas_.begin(), replicas_.end(),
                                   [](const Replica& r) { return r.copy.got_nothing; });
  if (phase_ == Phase::recovering && in_vain) out.insert(base_);
  return out;
}

/// S3: halts the log if an answer contradicts the base: it knows a committed offset beyond the
/// base's tail, or it holds other bytes at the same tail and term.
bool LogTerm::contradicted(const Replica& base) {
  const StateIs& b = *base.state;
  for (const Replica& r : replicas_) {
    if (!r.state || r.is_lost()) continue;
    const StateIs& s = *r.state;
    if (rules::cuts_committed(b.tail, s.committed)) {
      halt(fmt::format("node {} knows {} as committed, the most up-to-date answer ends at {}",
                       r.member.node.value, s.committed.value, b.tail.value));
      return true;
    }
    if (s.last_frame_term == b.last_frame_term && s.tail == b.tail && !s.suspect && !b.suspect &&
        rules::is_contradiction(s.chain == b.chain)) {
      halt(fmt::format("nodes {} and {} hold different bytes below {}", r.member.node.value,
                       base.member.node.value, b.tail.value));
      return true;
    }
  }
  return false;
}

/// K3: a trim removes only files that lie wholly below the trim point, and it is in the metadata
/// before any node hears of it. So no replica begins above the trim point unless its first files
/// are gone. A replica without any frame begins where it was told to begin.
bool LogTerm::front_is_whole(const StateIs& s) const {
  return s.first == s.tail || !rules::lacks_front(s.first, info_.trim);
}

/// The offset where the log begins: the base's first offset, unless the base's first files are
/// gone.
Offset LogTerm::first_of_whole(const StateIs& base) const {
  if (front_is_whole(base)) return base.first;
  std::optional<Offset> first;
  for (const Replica& r : replicas_)
    if (r.state && !r.is_lost() && front_is_whole(*r.state) && r.state->first < r.state->tail)
      first = std::max(first.value_or(Offset{}), r.state->first);
  return first.value_or(base.first);
}

/// K3: a replica without its first files still holds everything new, so it takes orders as it is.
/// To mend its front it is copied anew, which takes it out meanwhile. That may begin once a write
/// quorum of other replicas takes orders and holds as much.
bool LogTerm::may_mend_front(const Replica& r) const {
  std::size_t others = 0;
  bool source = false;
  for (const Replica& o : replicas_) {
    if (&o == &r || !o.streams() || durable(o) < r.held_once()) continue;
    ++others;
    source = source || (o.state && front_is_whole(*o.state));
  }
  return source &&
         others >= std::min<std::size_t>(info_.options.write_quorum, replicas_.size() - 1);
}

/// Sends replicas without their first files back to GetState; repair() then re-bases them.
void LogTerm::mend_fronts(Time now) {
  for (Replica& r : replicas_)
    if (r.streams() && r.state && !front_is_whole(*r.state) && may_mend_front(r)) ask_again(now, r);
}

/// This leader's view of the log's terms, to compare a replica's list with (S4).
TermHistory LogTerm::history() const {
  TermHistory h = base_history_;
  h.first = std::max(h.first, first_);
  if (ordering_.has_begun()) {
    h.terms.push_back({term_, ordering_.stream().base()});
    h.tail = ordering_.end();
  }
  return h;
}

/// S5: peers that may give bytes up to `o`: only replicas that are matched in this term.
std::vector<NodeId> LogTerm::holders(Offset o, NodeId except) const {
  std::vector<NodeId> out;
  for (const Replica& r : replicas_)
    if (r.phase != ReplicaPhase::absent && !r.is_lost() && r.member.node != except &&
        rules::may_give_bytes(r.streams() && r.durable >= o))
      out.push_back(r.member.node);
  return out;
}

void LogTerm::repair_all(Time now) {
  for (Replica& r : replicas_)
    if (r.phase == ReplicaPhase::stated) repair(now, r);
}

/// The turn may come when the replica is gone or needs no copy any more; the turn then passes on.
void LogTerm::copy_now(Time now, NodeId node) {
  Replica* r = replicas_.find(node);
  if (r != nullptr && r->phase == ReplicaPhase::stated && r->copy.waits) {
    r->copy.waits = false;
    r->copy.may_run = true;
    repair(now, *r);
  }
  if (r != nullptr && r->phase == ReplicaPhase::reconciling) return;
  if (r != nullptr) r->copy.may_run = false;
  host_.end_copy(info_.id, node);
}

/// P4: true if the copy may begin. A replica that has only to be cut, or lacks nothing, does not
/// wait.
bool LogTerm::copies(Replica& r, const Reconcile& m) {
  if (m.peers.empty() || (!m.rebase && m.target == m.cut)) return true;
  r.copy.may_run =
      host_.begin_copy(info_.id, r.member.node, replicas_.streaming() < info_.options.write_quorum);
  r.copy.waits = !r.copy.may_run;
  return r.copy.may_run;
}

/// S4: the only way into the order stream, at recovery and later alike. Cut the replica where the
/// term lists diverge, then copy up to a point from which the stream continues.
void LogTerm::repair(Time now, Replica& r) {
  if (r.phase != ReplicaPhase::stated || r.copy.waits || phase_ == Phase::sealing ||
      phase_ == Phase::halted || now < r.asking.not_before)
    return;
  const StateIs& s = *r.state;
  const TermHistory theirs = history_of(s);
  const TermHistory ours = history();
  const Offset cut = rules::cut_point(ours, theirs);
  Reconcile m{info_.id, term_,   host_.metadata_version(),
              s.tail,   s.chain, s.last_frame_term,
              cut,      false,   {},
              {},       {},      {}};
  // A node with a hole knows more as committed than it still has (K3); only existing bytes can be
  // cut.
  const Offset known = std::min(s.committed, s.tail);
  const bool has_nothing = s.first == s.tail;
  // It begins above the known beginning of the log. The peers may have trimmed since they were
  // asked, so they are asked again; a peer gives nothing below its first offset.
  if (has_nothing && s.tail > first_ && !r.asking.peers && ask_where_peers_begin()) {
    r.asking.peers = true;
    r.asking.retry = now + repair_pause;
    return;
  }
  if (has_nothing) {
    // No frame, no term, no cut: it begins where the log begins.
  } else if (cut < first_ && s.tail != cut) {
    if (rules::cuts_committed(first_, known))
      return halt(
          fmt::format("node {} parts at {} from the log, below {} that it knows as committed",
                      r.member.node.value, cut.value, known.value));
  } else if (rules::cuts_committed(cut, known)) {
    return halt(fmt::format("node {} would be cut at {}, below {} that it knows as committed",
                            r.member.node.value, cut.value, known.value));
  }
  if (s.last_frame_term == term_ && s.tail > ordering_.end())
    return halt(fmt::format("node {} ends at {}, beyond all that was ordered", r.member.node.value,
                            s.tail.value));
  const bool mends_front = !front_is_whole(s) && may_mend_front(r);
  // K4: the replica drops its tail too, and counts only when it holds as much again.
  // Acknowledgements that are still under way do not count.
  if (mends_front) {
    r.held = rules::end_to_refill(r.held_once(), r.orders.furthest);
    r.joined = false;
  }
  m.rebase = cut < first_ || (has_nothing && s.tail > Offset{}) || mends_front;
  // K3: no replica that is here has the first files. A copy without them would make their loss the
  // log's own, so the replica waits for a replica that has them.
  if (m.rebase && rules::lacks_front(first_, info_.trim)) {
    r.asking.retry = now + options_.recovery_step_timeout;
    return;
  }
  if (m.rebase) {
    m.cut = first_;
    m.target_first = first_;
  }
  if (!pick_target(r, m.cut, m) || !copies(r, m)) return;
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
}

/// The peers may have trimmed bytes that a replica needs, which must then be re-based. Asks the
/// streaming replicas for their first offsets. False: no replica can be asked.
bool LogTerm::ask_where_peers_begin() {
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
bool LogTerm::is_far_behind(const Replica& r) const {
  const Offset tail = r.state->tail;
  if (r.copy.lacks_committed) return true;
  return committed() > tail &&
         (committed() - tail > options_.copy_above_bytes ||
          ordering_.stream().items_between(tail, committed()) > options_.copy_above_runs);
}

/// Chooses where the replica joins the stream: a run boundary inside the window whose chain is
/// known. The first that fits: its own tail; the newest point that a matched peer holds; an earlier
/// point that the replica holds itself. The last case cuts only items that it never acknowledged,
/// and the same items are ordered to it again (D1).
bool LogTerm::pick_target(Replica& r, Offset cut, Reconcile& out) {
  const StateIs& s = *r.state;
  // A hole at the base's own end lies above everything that may be committed (S2), so nobody can
  // fill it.
  const bool whole = !s.suspect || (phase_ == Phase::recovering && r.member.node == base_);
  const bool goes_on = !out.rebase && cut == s.tail && ordering_.stream().is_boundary(cut) && whole;
  if (goes_on && !is_far_behind(r)) {
    if (!note_chain(r.member.node, cut, s.chain)) return false;
    out.target = cut;
    out.target_chain = s.chain;
    return true;
  }
  const auto& points = chains_.points();
  for (auto p = points.rbegin(); p != points.rend() && p->first >= std::max(cut, r.held) &&
                                 p->first >= ordering_.stream().begin();
       ++p) {
    if (!ordering_.stream().is_boundary(p->first)) continue;
    out.peers = holders(p->first, r.member.node);
    if (out.peers.empty()) continue;
    out.target = p->first;
    out.target_chain = p->second;
    return true;
  }
  if (goes_on) {  // far behind, and no peer has more
    if (!note_chain(r.member.node, cut, s.chain)) return false;
    out.target = cut;
    out.target_chain = s.chain;
    return true;
  }
  if (out.rebase || s.suspect) return false;
  for (auto p = points.rbegin(); p != points.rend() && p->first >= ordering_.stream().begin();
       ++p) {
    if (p->first > cut || !ordering_.stream().is_boundary(p->first)) continue;
    // Below its acknowledgements nothing may be cut.
    if (p->first < std::max({r.acked, r.durable, s.committed})) return false;
    out.cut = out.target = p->first;
    out.target_chain = p->second;
    return true;
  }
  return false;
}

/// P4: the copy moves, so it is neither cancelled nor a reason for a new term (S8).
void LogTerm::on(Time now, NodeId from, RequestId, const Reconciling& m) {
  Replica* r = replicas_.find(from);
  if (r == nullptr || m.term != term_ || r->phase != ReplicaPhase::reconciling ||
      !rules::copy_is_movement())
    return;
  r->copy.reached = m.tail;
  r->copy.moved = now;
  moved_to(now, *r, m.tail);
  if (phase_ == Phase::recovering) phase_since_ = now;
}

/// S5: the replica has cut and copied; its tail and chain must equal the leader's at the target.
void LogTerm::on(Time now, NodeId from, RequestId, const Reconciled& m) {
  Replica* r = replicas_.find(from);
  if (r == nullptr || m.term != term_ || r->phase != ReplicaPhase::reconciling ||
      phase_ == Phase::halted)
    return;
  if (m.error == Errc::log_halted) return halt(fmt::format("node {} has halted it", from.value));
  moved_to(now, *r, m.tail);
  if (m.error == Errc::wrong_state) return ask_again(now, *r);
  if (m.error == Errc::data_loss) return lose(*r, "it says so", now);
  if (m.error != Errc::ok) {
    host_.warn(info_.id, from, "repair",
               fmt::format("log {}: node {} cannot be repaired yet: {}", info_.id.value, from.value,
                           name_of(m.error)));
    if (m.error == Errc::unavailable) r->copy.got_nothing = true;
    pause(now, *r);
    ask_where_peers_begin();
    return;
  }
  if (m.tail != r->copy.target) return ask_again(now, *r);
  if (rules::copied_other_bytes(m.chain, r->copy.target_chain))
    return halt(
        fmt::format("node {} holds other bytes below {} than its peers", from.value, m.tail.value));
  if (phase_ == Phase::recovering && rules::match_is_movement(r->joined)) phase_since_ = now;
  // From here on its acknowledgements count (S6), once they cover a frame of this term.
  r->joined = true;
  r->asking.peers = r->copy.got_nothing = r->copy.lacks_committed = false;
  r->durable = m.tail;
  r->held = Offset{};
  if (rules::match_is_acknowledgement()) r->acked = m.tail;
  if (!ordering_.stream().is_boundary(r->copy.target))
    // The target fell out of the window meanwhile, so another round is needed.
    return ask_again(now, *r);
  replicas_.move(*r, ReplicaPhase::streaming, now);
  r->orders.sent = r->copy.target;
  r->orders.told = r->orders.told_at = Offset{};
  if (phase_ == Phase::recovering) {
    begin_or_rest(now);
  } else if (info_.trim > Offset{}) {
    host_.to_node(from, TrimTo{info_.id, term_, info_.trim});
  }
  repair_all(now);
  mend_fronts(now);
}

/// spec/04 "Begin": orders the term start once W replicas are matched, or rests (S7). A log rests
/// if nobody has asked for it, and if all members that can be reached are matched and know all of
/// it as committed. Members that are away are repaired when they come back. If a replica still has
/// to learn the committed offset, the term start is ordered to tell it.
void LogTerm::begin_or_rest(Time now) {
  if (phase_ != Phase::recovering) return;
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
  if (matched < quorum_of(info_).write()) return;
  if (wanted_ || !rules::may_rest(whole, matched) || !retains_all()) order_term_start(now);
  else if (under_way == 0) resting_ = true;
  if (resting_) take_in_newcomers();
}

/// C1 step 3: asks to make newcomers that have joined (T5) members of the log. Everything committed
/// in this term is on W members of this term's set, and replaced disks have no part in it. So a
/// later seal quorum of the new set finds it, however little a newcomer has copied yet.
void LogTerm::take_in_newcomers() {
  std::vector<Member> members = info_.members;
  for (std::size_t i = 0; i < replicas_.size(); ++i)
    if (replicas_[i].newcomer && replicas_[i].state)
      members[i] = replicas_[i].member;  // it has joined (T5)
  if (members == info_.members || members == members_asked_) return;
  members_asked_ = members;
  host_.set_members(info_.id, std::move(members));
}

/// A new retention is judged anew. A log at rest gets a term start if it may have something to
/// trim.
void LogTerm::changed(Time now, const LogInfo& info) {
  info_.fence = info.fence;
  if (info.members != info_.members) members_changed(now, info.members);
  if (info.options.retention == info_.options.retention) return;
  info_.options.retention = info.options.retention;
  retention_.changed();
  if (resting_ && !retains_all()) want(now);
}

void LogTerm::members_changed(Time now, const std::vector<Member>& members) {
  info_.members = members;
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
  if (phase_ == Phase::sealing) choose_base(now);  // a further answer may count now
}

/// spec/04 "Begin".
void LogTerm::order_term_start(Time now) {
  resting_ = false;
  phase_ = Phase::opening;
  phase_since_ = now;
  const TermStart* previous = base_history_.terms.empty() ? nullptr : &base_history_.terms.back();
  commits_.begin(now, ordering_.begin(now, previous, term_set().members));
}

/// The replicas contradict each other, so nothing is guessed: the log takes no appends any more,
/// and its committed data stays readable.
void LogTerm::halt(const std::string& why) {
  if (phase_ == Phase::halted) return;
  stop(Errc::log_halted);
  phase_ = Phase::halted;
  halted_because_ = why;
  for (Replica& r : replicas_) replicas_.end_copy(r);
  host_.event(Event::Level::alarm,
              fmt::format("log {} ({}) is halted: {}", info_.id.value, info_.name, why));
}

/// T4: the replica counts as down for the rest of the term, and its acknowledgements are void.
void LogTerm::lose(Replica& r, const std::string& why, Time now) {
  if (r.is_lost()) return;
  replicas_.lose(r, now);
  host_.event(Event::Level::alarm,
              fmt::format("log {}: DATA LOSS on node {}: {}; it counts as down", info_.id.value,
                          r.member.node.value, why));
  if constexpr (mutations) {
    if (rules::lost_member_counts_for_seal() && phase_ == Phase::sealing) choose_base(now);
  }
}

void LogTerm::node_lost(Time now, NodeId node) {
  Replica* r = replicas_.find(node);
  if (r == nullptr || r->is_lost()) return;
  replicas_.lose(*r, now);
}

/// D4: records a reported chain; halts the log if another replica reported a different chain there.
bool LogTerm::note_chain(NodeId from, Offset o, Chain c) {
  if (!rules::is_contradiction(chains_.note(o, c))) return true;
  halt(fmt::format("node {} holds other bytes below {} than another replica", from.value, o.value));
  return false;
}

/// T3: the node has promised a higher term, so this term cannot go on there. The next term must be
/// above the promise.
void LogTerm::on(Time now, NodeId from, RequestId, const Fenced& m) {
  if (replicas_.find(from) == nullptr || m.promise < term_) return;
  host_.warn(info_.id, from, "promise",
             fmt::format("log {}: node {} has promised term {}", info_.id.value, from.value,
                         m.promise.value));
  phase_since_ = now;
  new_term(m.promise);
}

void LogTerm::on(Time now, NodeId from, RequestId, const NotMember&) {
  Replica* r = replicas_.find(from);
  if (r == nullptr) return;
  // A newcomer does not know the log before it joins (C1); a member that does not know it lost it.
  if (rules::has_lost_log(r->newcomer)) return lose(*r, "it does not know the log", now);
  if (r->phase != ReplicaPhase::sealing && r->phase != ReplicaPhase::asked) return;
  replicas_.move(*r, ReplicaPhase::joining, now);
  host_.join(info_.id, from);
}

/// True if the nodes that are ready would be enough for a new term: W of them, and a seal quorum.
bool LogTerm::quorums_reachable() const {
  std::size_t there = 0, can_be_sealed = 0;
  for (const Replica& r : replicas_) {
    if (r.is_lost() || !host_.ready(r.member.node)) continue;
    ++there;
    if (!r.newcomer) ++can_be_sealed;
  }
  const Quorum q = quorum_of(info_);
  return there >= q.write() && can_be_sealed >= q.seal();
}

/// Asks once; this object is replaced when the new term's number is committed.
void LogTerm::new_term(Term floor) {
  if (new_term_asked_) return;
  new_term_asked_ = true;
  host_.begin_term(info_.id, floor);
}

/// S8: nothing moves, and a new term with the members that can be reached now could do better.
bool LogTerm::stuck(Time now) const {
  if (phase_ == Phase::sealing || phase_ == Phase::halted || resting_ || new_term_asked_ ||
      !rules::recovery_has_deadline())
    return false;
  if (!quorums_reachable()) return false;
  if (phase_ == Phase::recovering) {
    const bool source = std::any_of(replicas_.begin(), replicas_.end(),
                                    [&](const Replica& r) {
                                      return r.streams() || (r.member.node == base_ &&
                                                             !r.is_lost() && host_.ready(base_));
                                    }) &&
                        !base_gives_nothing();
    // Longer than a Reconcile may take, because a copy that is cut short still tells how far it
    // came.
    return now - phase_since_ >= options_.recovery_step_timeout * (source ? patience + 1 : 1);
  }
  return ordering_.end() > committed() && now - std::max(commits_.moved(), phase_since_) >=
                                              options_.recovery_step_timeout * patience;
}

/// Repeats steps whose answers are overdue (S8), and ends waits that lasted too long.
void LogTerm::tick(Time now) {
  for (Replica& r : replicas_) {
    if (!host_.ready(r.member.node)) continue;
    const bool overdue = now - r.since >= options_.recovery_step_timeout;
    if (((r.phase == ReplicaPhase::joining || r.phase == ReplicaPhase::sealing ||
          r.phase == ReplicaPhase::asked) &&
         overdue) ||
        (r.phase == ReplicaPhase::reconciling &&
         now - r.copy.moved >= options_.recovery_step_timeout * patience))
      node_ready(now, r.member.node);
    else if (r.phase == ReplicaPhase::stated && now >= r.asking.retry) ask(now, r);
  }
  if constexpr (mutations) {
    if (!rules::chooses_base_once() && phase_ == Phase::recovering &&
        now - phase_since_ >= options_.recovery_step_timeout)
      choose_again(now);
  }
  if (phase_ == Phase::sealing && !passed_over_.empty()) choose_base(now);
  begin_or_rest(now);
  if (stuck(now)) new_term(term_);
  check_missing(now);
  if (now >= retention_.due()) retain(now);
  for (const WaitingAnswer& w : tails_.take_expired(now))
    give_up(w, Errc::unavailable, "too few replicas confirmed the term in time");
  ordering_.tick(now, replicas_, committed());
}

/// The earliest deadline of tick(). Each deadline there has its line here.
Time LogTerm::wake() const {
  Time t = std::min(ordering_.wake(), retention_.due());
  if (phase_ == Phase::halted) return never;
  if (phase_ == Phase::sealing && !passed_over_.empty())
    t = std::min(t, phase_since_ + options_.recovery_step_timeout);
  for (const Replica& r : replicas_) {
    if (r.phase == ReplicaPhase::joining || r.phase == ReplicaPhase::sealing ||
        r.phase == ReplicaPhase::asked)
      t = std::min(t, r.since + options_.recovery_step_timeout);
    if (r.phase == ReplicaPhase::reconciling)
      t = std::min(t, r.copy.moved + options_.recovery_step_timeout * patience);
    if (r.phase == ReplicaPhase::stated && phase_ != Phase::sealing)
      t = std::min(t, r.asking.retry);
  }
  if (!new_term_asked_) {
    if (phase_ == Phase::recovering && !resting_) {
      t = std::min(t, phase_since_ + options_.recovery_step_timeout);
    } else if (ordering_.has_begun() && ordering_.end() > committed()) {
      t = std::min(
          t, std::max(commits_.moved(), phase_since_) + options_.recovery_step_timeout * patience);
    }
  }
  return std::min({t, tails_.wake(), missing_.wake()});
}

}  // namespace loglog::sequencer

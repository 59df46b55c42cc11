// Messages of replicas come first, then those of clients, the ends of steps and terms, and the ends
// of waits.
#include "sequencer/core/log/log_term.h"

#include <fmt/format.h>

#include <utility>

#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/vocabulary/rules.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {

LogTerm::LogTerm(const Options& options, LogHost& host, LogInfo info, Term term, bool own_seal,
                 bool wanted)
    : host_(host),
      info_(std::move(info)),
      term_(term),
      replicas_(info_, host, term),
      ordering_(options, host, info_, term),
      commits_(options, host, info_, term),
      recovery_(options, host, info_, term, own_seal, wanted, replicas_, ordering_, commits_),
      missing_(options, host, info_),
      tails_(host, info_.id, term, options.recovery_step_timeout),
      retention_(options, host, info_) {}

LogTerm::Phase LogTerm::phase() const {
  if (halted()) return Phase::halted;
  if (is_open_) return Phase::open;
  if (ordering_.has_begun()) return Phase::opening;
  return recovery_.has_base() ? Phase::recovering : Phase::sealing;
}

void LogTerm::start(Time now) {
  recovery_.moves(now);
  ++host_.figures().log_terms;
  for (Replica& r : replicas_)
    if (host_.ready(r.member.node)) node_ready(now, r.member.node);
}

void LogTerm::want(Time now) {
  if (recovery_.want(now)) begin_or_rest(now);
}

std::set<NodeId> LogTerm::passed_over() const {
  return is_open() ? std::set<NodeId>{} : recovery_.passed_over(halted());
}

// ---- Nodes

/// nullptr: the message is of another term, or its node holds no replica.
Replica* LogTerm::find(NodeId from, Term term) {
  return term == term_ ? replicas_.find(from) : nullptr;
}

void LogTerm::node_ready(Time now, NodeId node) {
  Replica* r = replicas_.find(node);
  if (r != nullptr && !r->is_lost() && !halted()) recovery_.node_ready(now, *r);
}

void LogTerm::joined(Time now, NodeId node) {
  const Replica* r = replicas_.find(node);
  if (r != nullptr && r->phase == ReplicaPhase::joining) node_ready(now, node);
}

/// A rest may begin without the replica that is gone (S7).
void LogTerm::node_gone(Time now, NodeId node) {
  Replica* r = replicas_.find(node);
  if (r == nullptr || r->is_lost()) return;
  replicas_.move(*r, ReplicaPhase::absent, now);
  begin_or_rest(now);
}

void LogTerm::node_lost(Time now, NodeId node) {
  Replica* r = replicas_.find(node);
  if (r != nullptr && !r->is_lost()) replicas_.lose(*r, now);
}

void LogTerm::copy_now(Time now, NodeId node) { halt_if(recovery_.copy_now(now, node)); }

void LogTerm::on(Time now, NodeId from, RequestId, const Sealed& m) {
  if (Replica* r = find(from, m.term)) recovery_.sealed(now, *r);
}

void LogTerm::on(Time now, NodeId from, RequestId request, const StateIs& m) {
  Replica* r = find(from, m.term);
  if (r == nullptr || r->is_lost() || r->phase == ReplicaPhase::absent || halted()) return;
  halt_if(recovery_.state_is(now, *r, request, m));
}

void LogTerm::on(Time now, NodeId from, RequestId, const Reconciling& m) {
  if (Replica* r = find(from, m.term)) recovery_.reconciling(now, *r, m.tail);
}

void LogTerm::on(Time now, NodeId from, RequestId, const Reconciled& m) {
  Replica* r = find(from, m.term);
  if (r == nullptr || halted()) return;
  bool matched = false;
  halt_if(recovery_.reconciled(now, *r, m, matched));
  if (!matched) return;
  if (phase() == Phase::recovering) begin_or_rest(now);
  else if (info_.trim > Offset{}) host_.to_node(from, TrimTo{info_.id, term_, info_.trim});
  replica_moved(now);
}

/// A replica that moved may be the source that another replica waits for.
void LogTerm::replica_moved(Time now) {
  halt_if(recovery_.repair_all(now));
  recovery_.mend_fronts(now);
}

/// D4: an acknowledgement beyond the orders means that the replica has other bytes. The same holds
/// for chains that differ at an offset.
void LogTerm::on(Time now, NodeId from, RequestId, const Durable& m) {
  Replica* r = find(from, m.term);
  if (r == nullptr || !r->joined || r->is_lost() || halted()) return;
  const Offset base = ordering_.stream().base();
  Contradiction why;
  if (m.tail > ordering_.end())
    why = fmt::format("node {} acknowledges {}, beyond all that was ordered", from.value,
                      m.tail.value);
  else why = recovery_.note_chain(from, m.tail, m.chain);
  if (!why && m.checkpoint > base)
    why = recovery_.note_chain(from, m.checkpoint, m.checkpoint_chain);
  if (why) return halt_if(why);
  if (m.tail < r->durable) return;
  r->durable = m.tail;
  if (m.tail > base) r->acked = m.tail;  // S6: its last frame is of this term
  advance_commit(now);
  replica_moved(now);
}

void LogTerm::on(Time now, NodeId from, RequestId, const Missing& m) {
  Replica* r = find(from, m.term);
  if (r == nullptr || !r->joined || r->is_lost() || halted()) return;
  if (rules::must_be_copied(m.offset, committed()))
    return recovery_.lacks_committed(now, *r, m.offset, begins());
  ProducerTable& producers = commits_.producers();
  const ProducerTable::Run* run = producers.find(m.run.producer, m.run.first);
  // The report is about an older item at that offset; the replica will hear the new order.
  if (run == nullptr || run->offset != m.offset) return;
  missing_.reported(from, m.offset, run->reference, producers.connection(m.run.producer));
  check_missing(now);
}

void LogTerm::on(Time, NodeId from, RequestId request, const TermConfirmed& m) {
  if (m.term != term_) return;
  tails_.confirmed(from, request, m.tail);
  answer_tails();
}

/// T3: the node has promised a higher term, so this term cannot go on there. The next term must be
/// above the promise.
void LogTerm::on(Time now, NodeId from, RequestId, const Fenced& m) {
  if (replicas_.find(from) == nullptr || m.promise < term_) return;
  host_.warn(info_.id, from, "promise",
             fmt::format("log {}: node {} has promised term {}", info_.id.value, from.value,
                         m.promise.value));
  recovery_.moves(now);
  new_term(m.promise);
}

void LogTerm::on(Time now, NodeId from, RequestId, const NotMember&) {
  if (Replica* r = replicas_.find(from)) halt_if(recovery_.not_member(now, *r));
}

void LogTerm::on(Time now, NodeId from, RequestId request, const SegmentsAre& m) {
  if (retention_.listed(from, request, m, begins())) retain(now);
}

void LogTerm::on(Time now, NodeId from, RequestId request, const Page& m) {
  if (retention_.told_clock(now, from, request, m)) retain(now);
}

// ---- Clients

/// spec/05 step 5.
void LogTerm::commit(Time now, Client client, const Commit& c, const Conditions& conditions) {
  if (halted()) return commits_.refuse(client, c, Errc::log_halted);
  if (!rules::may_take_appends(is_open_, ordering_.has_begun()))
    return commits_.refuse(client, c, Errc::not_ready);
  using Verdict = CommitPoint::Verdict::Next;
  const auto [next, end] =
      commits_.judge(client, c, conditions, ordering_.end(), tails_.waiting(), replicas_);
  switch (next) {
    case Verdict::nothing:
      return commits_.answer_waiting(begins());
    case Verdict::confirm:
      return tails_.add(commits_.beyond(client, c, end));
    case Verdict::begin_term:
      new_term(term_);
      return commits_.refuse(client, c, Errc::not_ready);
    case Verdict::repeat:
      // The producer is back, so a missing run may come from it now.
      if (missing_.is_back(end))
        host_.to_client({client.connection, {}},
                        UploadAgain{info_.id, c.run.producer, c.run.first});
      return;
    case Verdict::order:
      break;
  }
  // The segment that begins ahead of the run is remembered for its retention (R5).
  note_segment(ordering_.roll_segment(now, c.run.length, retention_.segment_span()));
  const Offset at = ordering_.order(now, c.run);
  commits_.ordered(now, client, c, at, ordering_.end());
}

void LogTerm::note_segment(const std::optional<NewSegment>& s) {
  if (s) retention_.note_segment(s->begin, s->newest_below);
}

void LogTerm::tell_fence(Client client) {
  commits_.tell_fence(client, ordering_.end());
  commits_.answer_waiting(begins());
}

void LogTerm::cancel(Time now, const Cancel& c) {
  missing_.cancelled(c, commits_.producers().connection(c.producer) != ConnectionId{});
  check_missing(now);
}

/// R2: a tail question waits for a round of confirmations.
void LogTerm::tail(Time, Client client) {
  if (halted()) return host_.to_client(client, halted_answer());
  if (!rules::tail_needs_confirmation())
    return host_.to_client(client, TailIs{info_.id, begins(), committed(), term_});
  if (tails_.of(client.connection) >= questions_waiting_max)
    return host_.to_client(
        client,
        Failed{Errc::too_many,
               fmt::format("{} questions of this connection for the tail of log {} wait already",
                           questions_waiting_max, info_.id.value)});
  tails_.add({client, TailIs{}, {}});
}

// ---- The committed offset

/// S6, S7: moves the committed offset, and tells everybody who waits for it.
void LogTerm::advance_commit(Time now) {
  if (!ordering_.has_begun() || !commits_.advance(now, replicas_, ordering_.term_start_end()))
    return;
  missing_.committed(committed());
  if (!std::exchange(is_open_, true)) {
    recovery_.moves(now);
    if (info_.trim > Offset{}) trimmed(info_.trim);
    replicas_.take_in_newcomers(info_.members);
    host_.opened(info_.id);
  }
  commits_.answer_committed(now);
  commits_.answer_waiting(begins());
  answer_tails();
}

void LogTerm::answer_tails() {
  for (WaitingAnswer& w : tails_.take_confirmed(quorum_of(info_), committed()))
    host_.to_client(w.client, told(w, {info_.id, begins(), committed(), term_}));
}

void LogTerm::give_up(const WaitingAnswer& w, Errc why, const std::string& detail) {
  host_.to_client(w.client, given_up(w, why, detail));
}

// ---- Metadata and retention

/// A new retention is judged anew. A log at rest gets a term start if it may have something to
/// trim.
void LogTerm::changed(Time now, const LogInfo& info) {
  info_.fence = info.fence;
  if (info.members != info_.members) {
    info_.members = info.members;
    halt_if(recovery_.members_changed(now, info.members));
  }
  if (info.options.retention == info_.options.retention) return;
  info_.options.retention = info.options.retention;
  retention_.changed();
  if (rests() && !retains_all()) want(now);
}

/// R3: nodes are told only once the trim is committed in the metadata.
void LogTerm::trimmed(Offset trim) {
  info_.trim = std::max(info_.trim, trim);
  retention_.trimmed(begins());
  for (const Replica& r : replicas_)
    if (r.streams()) host_.to_node(r.member.node, TrimTo{info_.id, term_, info_.trim});
}

LogExtent LogTerm::extent() const {
  return {begins(),
          committed(),
          ordering_.end(),
          ordering_.last_segment(),
          ordering_.segment_is_idle(),
          ordering_.last_run()};
}

bool LogTerm::retains_all() const {
  return retention_.retains_all(recovery_.first(), ordering_.last_segment(), ordering_.end());
}

/// R5: trims as far as the bounds allow. Called when a look is due, and when an answer about
/// segments has come.
void LogTerm::retain(Time now) {
  if (!is_open() || !retention_.is_set() || retention_.awaits_answer(now)) return;
  if (retention_.closes_idle_segment(now, extent())) {
    commits_.gets_something_to_commit(now);
    note_segment(ordering_.open_segment(now));
  }
  const auto point = retention_.trim_point(now, extent(), replicas_);
  if (!point) return;
  host_.event(
      Event::Level::info,
      fmt::format("log {} ({}): retention trims it from {} to {}, committed {}", info_.id.value,
                  info_.name, begins().value, point->value, committed().value));
  host_.trim(info_.id, *point);
}

// ---- The ends of steps and terms

/// spec/04 "Begin": orders the term start, or rests (S7).
void LogTerm::begin_or_rest(Time now) {
  if (phase() != Phase::recovering) return;
  const Recovery::Next next = recovery_.next(now, retains_all());
  if (next == Recovery::Next::rest) return replicas_.take_in_newcomers(info_.members);
  if (next == Recovery::Next::wait) return;
  recovery_.begins(now);
  commits_.begin(now, ordering_.begin(now, recovery_.last_term(), term_set().members));
}

/// spec/05 steps 6 and 9. A replica that was not sent items which are gone is asked for its state,
/// and reconciled by other means (S4).
void LogTerm::flush(Time now) {
  if (halted()) return;
  if (ordering_.has_begun()) {
    ordering_.prune(replicas_, committed(), begins());
    for (Replica& r : replicas_)
      if (r.streams() && ordering_.has_dropped(r)) replicas_.ask(now, r);
    ordering_.send(now, replicas_, committed(), is_open_, commits_.owes_answers());
  }
  if (!is_open_) return retention_.plan_nothing();
  tails_.begin_round(now, replicas_);
  retention_.plan(now, extent());
}

void LogTerm::tick(Time now) {
  halt_if(recovery_.tick(now, halted()));
  begin_or_rest(now);
  if (!halted() && !new_term_asked_ && recovery_.is_stuck(now)) new_term(term_);
  check_missing(now);
  if (now >= retention_.due()) retain(now);
  for (const WaitingAnswer& w : tails_.take_expired(now))
    give_up(w, Errc::unavailable, "too few replicas confirmed the term in time");
  ordering_.tick(now, replicas_, committed());
}

Time LogTerm::wake() const {
  if (halted()) return never;
  return std::min({ordering_.wake(), retention_.due(), recovery_.wake(!new_term_asked_),
                   tails_.wake(), missing_.wake()});
}

/// V1: a run that nobody waits for any longer is dropped by a new term.
void LogTerm::check_missing(Time now) {
  if (new_term_asked_) return;
  const auto dropped = missing_.check(now, replicas_, commits_.producers());
  if (!dropped) return;
  if constexpr (mutations) {
    if (!rules::orders_offset_once()) return place_again(dropped->at);
  }
  host_.run_dropped(dropped->producer);
  new_term(term_);
}

/// Asks once; this object is replaced when the new term's number is committed.
void LogTerm::new_term(Term floor) {
  if (std::exchange(new_term_asked_, true)) return;
  host_.begin_term(info_.id, floor);
}

/// The replicas contradict each other, so nothing is guessed: the log takes no appends any more,
/// and its committed data stays readable.
void LogTerm::halt_if(const Contradiction& why) {
  if (!why || halted()) return;
  stop(Errc::log_halted);
  halted_because_ = *why;
  for (Replica& r : replicas_) replicas_.end_copy(r);
  host_.event(Event::Level::alarm,
              fmt::format("log {} ({}) is halted: {}", info_.id.value, info_.name, *why));
}

/// A6: ordered runs get no answer here. A refusal would say that they were not written, but a later
/// term may still find them. Their producers learn of the next term by TermIs or by a closed
/// connection, and resolve.
void LogTerm::stop(Errc why) {
  for (const WaitingAnswer& w : tails_.take_all()) give_up(w, why);
  for (const WaitingAnswer& w : commits_.take_waiting()) give_up(w, why);
}

Failed LogTerm::halted_answer() const {
  return {Errc::log_halted, info_.name + ": " + halted_because_.value_or("")};
}

TermSetIs LogTerm::term_set() const {
  TermSetIs set{info_.id, term_, info_.options.write_quorum, {}};
  for (const Replica& r : replicas_) set.members.push_back(r.member);
  return set;
}

LogView LogTerm::view() const {
  return {info_,           replicas_, host_,    term_,  begins(), known_committed(),
          ordering_.end(), serves(),  halted(), rests()};
}

}  // namespace loglog::sequencer

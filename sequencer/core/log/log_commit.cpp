// LogTerm: the life of a run from its commit to its answer. Offsets (D1), orders (D2),
// acknowledgements (D4), and the reports for status.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "proto-spec/disk/frame.h"
#include "proto-spec/vocabulary/check.h"
#include "proto-spec/vocabulary/rules.h"
#include "sequencer/core/log/log_term.h"
#include "sequencer/core/log_condition.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {
/// spec/05 step 5.
void LogTerm::commit(Time now, Client client, const Commit& c, const Conditions& conditions) {
  if (phase_ == Phase::halted) return commits_.refuse(client, c, Errc::log_halted);
  if (!rules::may_take_appends(phase_ == Phase::open, phase_ == Phase::opening))
    return commits_.refuse(client, c, Errc::not_ready);
  using Next = CommitPoint::Verdict::Next;
  const auto [next, end] =
      commits_.judge(client, c, conditions, ordering_.end(), tails_.waiting(), replicas_);
  switch (next) {
    case Next::nothing:
      return commits_.answer_waiting(begins());
    case Next::confirm:
      return tails_.add(commits_.beyond(client, c, end));
    case Next::begin_term:
      new_term(term_);
      return commits_.refuse(client, c, Errc::not_ready);
    case Next::repeat:
      // The producer is back, so a missing run may come from it now.
      if (missing_.is_back(end))
        host_.to_client({client.connection, {}},
                        UploadAgain{info_.id, c.run.producer, c.run.first});
      return;
    case Next::order:
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

void LogTerm::on(Time now, NodeId from, RequestId, const Durable& m) {
  Replica* r = replicas_.find(from);
  if (r == nullptr || m.term != term_ || !r->joined || r->is_lost() || phase_ == Phase::halted)
    return;
  // D4: an acknowledgement beyond the orders means that the replica has other bytes. The same holds
  // for chains that differ at an offset.
  if (m.tail > ordering_.end())
    return halt(fmt::format("node {} acknowledges {}, beyond all that was ordered", from.value,
                            m.tail.value));
  if (!note_chain(from, m.tail, m.chain)) return;
  if (m.checkpoint > ordering_.stream().base() &&
      !note_chain(from, m.checkpoint, m.checkpoint_chain))
    return;
  if (m.tail < r->durable) return;
  r->durable = m.tail;
  if (m.tail > ordering_.stream().base()) r->acked = m.tail;  // S6: its last frame is of this term
  advance_commit(now);
  if (phase_ == Phase::halted) return;
  // A replica that moved may be the source that another replica waits for.
  repair_all(now);
  mend_fronts(now);
}

/// S6, S7: moves the committed offset, and tells everybody who waits for it.
void LogTerm::advance_commit(Time now) {
  if (!ordering_.has_begun() || !commits_.advance(now, replicas_, ordering_.term_start_end()))
    return;
  missing_.committed(committed());
  if (phase_ == Phase::opening) {
    phase_ = Phase::open;
    phase_since_ = now;
    if (info_.trim > Offset{}) trimmed(info_.trim);
    take_in_newcomers();
    host_.opened(info_.id);
  }
  commits_.answer_committed(now);
  commits_.answer_waiting(begins());
  answer_tails();
}

/// spec/05 steps 6 and 9. A replica that was not sent items which are gone is asked for its state,
/// and reconciled by other means (S4).
void LogTerm::flush(Time now) {
  if (phase_ == Phase::halted) return;
  if (ordering_.has_begun()) {
    ordering_.prune(replicas_, committed(), begins());
    for (Replica& r : replicas_)
      if (r.streams() && ordering_.has_dropped(r)) ask(now, r);
    ordering_.send(now, replicas_, committed(), phase_ == Phase::open, commits_.owes_answers());
  }
  if (phase_ == Phase::open) {
    tails_.begin_round(now, replicas_);
    retention_.plan(now, extent());
  } else {
    retention_.plan_nothing();
  }
}

/// R3: nodes are told only once the trim is committed in the metadata.
void LogTerm::trimmed(Offset trim) {
  info_.trim = std::max(info_.trim, trim);
  retention_.trimmed(begins());
  for (const Replica& r : replicas_)
    if (r.streams()) host_.to_node(r.member.node, TrimTo{info_.id, term_, info_.trim});
}

// ---- R5

LogExtent LogTerm::extent() const {
  return {begins(),
          committed(),
          ordering_.end(),
          ordering_.last_segment(),
          ordering_.segment_is_idle(),
          ordering_.last_run()};
}

/// R5: trims as far as the bounds allow. Called when a look is due, and when an answer about
/// segments has come.
void LogTerm::retain(Time now) {
  if (phase_ != Phase::open || !retention_.is_set() || retention_.awaits_answer(now)) return;
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

void LogTerm::on(Time now, NodeId from, RequestId request, const SegmentsAre& m) {
  if (retention_.listed(from, request, m, begins())) retain(now);
}

void LogTerm::on(Time now, NodeId from, RequestId request, const Page& m) {
  if (retention_.told_clock(now, from, request, m)) retain(now);
}

// ---- R2

/// R2: a tail question waits for a round of confirmations.
void LogTerm::tail(Time, Client client) {
  if (phase_ == Phase::halted) return host_.to_client(client, halted_answer());
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

void LogTerm::on(Time, NodeId from, RequestId request, const TermConfirmed& m) {
  if (m.term != term_) return;
  tails_.confirmed(from, request, m.tail);
  answer_tails();
}

void LogTerm::answer_tails() {
  for (WaitingAnswer& w : tails_.take_confirmed(quorum_of(info_), committed()))
    host_.to_client(w.client, told(w, {info_.id, begins(), committed(), term_}));
}

// ---- Missing payloads (spec/05, "When a payload is missing")

void LogTerm::on(Time now, NodeId from, RequestId, const Missing& m) {
  Replica* r = replicas_.find(from);
  if (r == nullptr || m.term != term_ || !r->joined || r->is_lost() || phase_ == Phase::halted)
    return;
  if (rules::must_be_copied(m.offset, committed())) {
    // P3: the run is committed, so peers hold it or held it. If they have trimmed it, the replica
    // skips it by a re-base (S4); otherwise the replica copies it.
    if (!r->streams()) return;
    if (m.offset < begins()) ask_where_peers_begin();
    else r->copy.lacks_committed = true;
    return ask(now, *r);
  }
  const ProducerTable::Run* run = commits_.producers().find(m.run.producer, m.run.first);
  // The report is about an older item at that offset; the replica will hear the new order.
  if (run == nullptr || run->offset != m.offset) return;
  missing_.reported(from, m.offset, run->reference,
                    commits_.producers().connection(m.run.producer));
  check_missing(now);
}

/// The producer promises not to upload these runs again, so nobody waits for it.
void LogTerm::cancel(Time now, const Cancel& c) {
  missing_.cancelled(c, commits_.producers().connection(c.producer) != ConnectionId{});
  check_missing(now);
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

// ---- The end of the term, and reports

/// A6: ordered runs get no answer here. A refusal would say that they were not written, but a later
/// term may still find them. Their producers learn of the next term by TermIs or by a closed
/// connection, and resolve.
void LogTerm::stop(Errc why) {
  for (const WaitingAnswer& w : tails_.take_all()) give_up(w, why);
  for (const WaitingAnswer& w : commits_.take_waiting()) give_up(w, why);
}

void LogTerm::give_up(const WaitingAnswer& w, Errc why, const std::string& detail) {
  host_.to_client(w.client, given_up(w, why, detail));
}

TermSetIs LogTerm::term_set() const {
  TermSetIs set{info_.id, term_, info_.options.write_quorum, {}};
  for (const Replica& r : replicas_) set.members.push_back(r.member);
  return set;
}

LogStatus LogTerm::status() const {
  LogStatus s{info_.id, info_.name,        info_.state,
              begins(), known_committed(), term_,
              serves(), halted(),          info_.options.write_quorum,
              {}};
  for (const Replica& r : replicas_)
    s.replicas.push_back(
        {r.member.node, shown(r), state_of(r), host_.disk_bytes(r.member.node, info_.id)});
  return s;
}

LogSeen LogTerm::seen(Time now) const {
  LogSeen s{info_.id, info_.name,        info_.state,
            serves(), halted(),          term_,
            begins(), known_committed(), info_.options.write_quorum,
            {}};
  for (const Replica& r : replicas_) s.replicas.push_back(seen(r, now));
  return s;
}

ReplicaSeen LogTerm::seen(const Replica& r, Time now) const {
  const Duration lag = r.lag.since == never ? Duration{} : now - r.lag.since;
  return {r.member.node, state_of(r), shown(r),
          lag > Duration{} ? std::max(1U, saturated_ms(lag)) : 0,
          host_.disk_bytes(r.member.node, info_.id)};
}

bool LogTerm::is_well(Time now) const {
  return std::ranges::all_of(replicas_, [&](const Replica& r) {
    const ReplicaSeen s = seen(r, now);
    return s.state == ReplicaState::streaming && !is_behind(s, known_committed());
  });
}

bool LogTerm::doubts(NodeId node) const {
  return std::ranges::any_of(replicas_, [&](const Replica& r) {
    return r.member.node == node && state_of(r) == ReplicaState::suspect;
  });
}

bool LogTerm::takes_appends() const {
  const auto taking = std::ranges::count_if(
      replicas_, [&](const Replica& r) { return state_of(r) == ReplicaState::streaming; });
  return serves() && static_cast<std::size_t>(taking) >= info_.options.write_quorum;
}

/// The state that people see. A replica on a full disk streams, but it refuses uploads (K5).
ReplicaState LogTerm::state_of(const Replica& r) const {
  if (r.is_lost()) return ReplicaState::suspect;
  if (r.phase == ReplicaPhase::absent) return ReplicaState::unreachable;
  if (r.streams())
    return host_.has_space(r.member.node, info_.id) ? ReplicaState::streaming : ReplicaState::full;
  if (r.newcomer) return ReplicaState::newcomer;
  return r.state && r.state->suspect ? ReplicaState::suspect : ReplicaState::lagging;
}

/// The end of the bytes that the replica holds, for people. It includes bytes that do not count yet
/// because a copy is under way or waits for its turn.
Offset LogTerm::shown(const Replica& r) const {
  const Offset holds = std::max(durable(r), r.copy.reached);
  const bool counts_not = r.phase == ReplicaPhase::stated || r.phase == ReplicaPhase::reconciling;
  return counts_not && r.state ? std::max(holds, std::min(r.state->tail, known_committed()))
                               : holds;
}

LogReport LogTerm::report(Time now) const {
  LogReport out{info_.id, info_.name, term_, begins(), known_committed(), ordering_.end(), {}};
  for (const Replica& r : replicas_) {
    const Offset has = std::max(shown(r), begins());
    out.replicas.push_back({r.member.node, state_of(r), shown(r),
                            out.committed > has ? out.committed - has : 0,
                            r.lag.since == never ? Duration{} : now - r.lag.since});
  }
  return out;
}

}  // namespace loglog::sequencer

// LogTerm: the life of a run from its commit to its answer. Commits (A1), offsets (D1), orders
// (D2), acknowledgements (D4), the committed offset (S6), missing payloads (V1), linearizable tails
// (R2), and the reports for status.
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
namespace {

/// Most items in an Order: keeps the message far below the size that a peer accepts.
constexpr std::size_t order_items_max = 4096;
/// Most items that are ordered to a replica and not yet durable there.
constexpr std::size_t ordered_ahead_max = 65'536;

/// A reference that a correct SDK can send. A node would refuse an impossible run for ever, and the
/// log would wait for it.
bool is_plausible(const Reference& r) {
  return r.producer != ProducerId{} && r.first != Sequence{} && r.first.value <= sequence_max &&
         r.count >= 1 && r.count <= run_frames_max && r.length <= run_size_max &&
         r.length >= std::uint64_t{r.count} * frame_overhead;
}

}  // namespace

void LogTerm::refuse(const Client& client, const Commit& c, Errc why, Sequence expected) {
  host_.to_client(client, Refused{info_.id, c.run.producer, c.run.first, why, term_, expected, {}});
}

/// spec/05 step 5. The order of the checks matters: a repeat is answered before any limit or
/// condition is looked at, because its run is in the log whatever has changed since.
void LogTerm::commit(Time now, Client client, const Commit& c, const Conditions& conditions) {
  if (phase_ == Phase::halted) return refuse(client, c, Errc::log_halted);
  if (!rules::may_take_appends(phase_ == Phase::open, phase_ == Phase::opening))
    return refuse(client, c, Errc::not_ready);
  if (rules::is_of_other_term(c.term, term_)) return refuse(client, c, Errc::stale_term);
  if (!is_plausible(c.run)) return refuse(client, c, Errc::invalid_argument);
  const ProducerTable::Judgement j = producers_.judge(c, committed_);
  switch (j.verdict) {
    case ProducerTable::Verdict::wrong_sequence:
      return refuse(client, c, Errc::wrong_sequence, j.expected);
    case ProducerTable::Verdict::other_bytes:
      return refuse(client, c, Errc::digest_mismatch, j.expected);
    case ProducerTable::Verdict::full:
      // A2: a producer is never forgotten within a term, so a full table needs a new term.
      new_term(term_);
      return refuse(client, c, Errc::not_ready);
    case ProducerTable::Verdict::repeat: {
      producers_.seen_on(c.run.producer, client.connection);
      if (j.run->refused) {
        if (may_hold(client, c)) refuse_beyond(client, c, j.run->offset);
        return;
      }
      if (j.run->end() <= committed_)
        return host_.to_client(
            client, Committed{info_.id, term_, c.run.producer, c.run.first, j.run->offset});
      if (std::find(j.run->waiting.begin(), j.run->waiting.end(), client) == j.run->waiting.end())
        j.run->waiting.push_back(client);
      // The producer is back, so a missing run may come from it now.
      if (missing_.is_back(j.run->offset))
        host_.to_client({client.connection, {}},
                        UploadAgain{info_.id, c.run.producer, c.run.first});
      return;
    }
    case ProducerTable::Verdict::accept:
      break;
  }
  // Runs that are not committed stay in the window, so that every streaming replica can be told
  // them.
  if (in_flight_.size() >= options_.reference_window || too_many_unwritten(client.connection))
    return refuse(client, c, Errc::too_many);
  if (!conditions_hold(client, c, conditions)) return;
  // S8 measures from here: an idle log's last movement would be too long ago.
  if (in_flight_.empty()) commit_moved_ = now;
  roll_segment(now, c.run.length);
  const Offset at = stream_.end();
  producers_.add(c, at, client);
  place(c.run, {});
  last_run_ = now;
  entries_end_ = stream_.end();
  in_flight_.push_back({c.run.producer, c.run.first, stream_.end(), now});
  unwritten_.ordered(stream_.end(), client.connection);
  ++host_.figures().commits;
}

/// V1: bounds the runs that are ordered and that no replica has written. A run may be ordered
/// before any replica has it, and all later runs wait for it.
bool LogTerm::too_many_unwritten(ConnectionId connection) {
  if (!rules::bounds_unwritten_runs()) return false;
  Offset written{};
  for (const Replica& r : replicas_)
    if (!r.is_lost()) written = std::max(written, r.acked);
  unwritten_.written(written);
  return unwritten_.size() >= options_.unwritten_runs_max ||
         unwritten_.of(connection) >= options_.unwritten_runs_per_connection_max;
}

/// D1: the only function that gives an offset. `frame`: an image of the leader's own frame; empty
/// for a producer's run.
void LogTerm::place(Reference run, Bytes frame) {
  if (!frame.empty()) {
    run.count = 1;
    run.length = static_cast<std::uint32_t>(frame.size());
  }
  stream_.push({run, std::move(frame)});
}

/// Begins a new segment before a run if the open segment is full or old. A segment file keeps to
/// the log's segment size unless a single run is larger. It also covers a bounded time, because
/// retention by age trims whole segments (R5), and a reader from a point in time begins at a
/// segment (R6).
void LogTerm::roll_segment(Time now, std::uint32_t run_length) {
  const bool full = stream_.end() - last_segment_ + run_length > info_.options.segment_size;
  const bool old = now - segment_since_ >= retention_.segment_span() && !segment_is_idle();
  if (full || old) open_segment(now);
}

void LogTerm::open_segment(Time now) {
  const Bytes image = make_segment_start_image({host_.wall_ms(), term_, stream_.base()});
  // The open segment holds nothing but its own start.
  if (stream_.end() - last_segment_ <= image.size()) return;
  last_segment_ = stream_.end();
  retention_.note_segment(
      last_segment_,
      host_.wall_ms() -
          static_cast<std::uint64_t>(
              std::chrono::duration_cast<std::chrono::milliseconds>(now - last_run_).count()));
  segment_since_ = now;
  place({}, image);
}

/// True if the open segment holds nothing but its own start and this term's start.
bool LogTerm::segment_is_idle() const {
  const std::uint64_t own =
      segment_start_size + (term_start_ >= last_segment_ ? term_start_end_ - term_start_ : 0);
  return stream_.end() - last_segment_ <= own;
}

void LogTerm::on(Time now, NodeId from, RequestId, const Durable& m) {
  Replica* r = replicas_.find(from);
  if (r == nullptr || m.term != term_ || !r->joined || r->is_lost() || phase_ == Phase::halted)
    return;
  // D4: an acknowledgement beyond the orders means that the replica has other bytes. The same holds
  // for chains that differ at an offset.
  if (m.tail > stream_.end())
    return halt(fmt::format("node {} acknowledges {}, beyond all that was ordered", from.value,
                            m.tail.value));
  if (!note_chain(from, m.tail, m.chain)) return;
  if (m.checkpoint > stream_.base() && !note_chain(from, m.checkpoint, m.checkpoint_chain)) return;
  if (m.tail < r->durable) return;
  r->durable = m.tail;
  if (m.tail > stream_.base()) r->acked = m.tail;  // S6: its last frame is of this term
  advance_commit(now);
  if (phase_ == Phase::halted) return;
  // A replica that moved may be the source that another replica waits for.
  repair_all(now);
  mend_fronts(now);
}

/// S6: the committed offset is the W-th largest acknowledgement of this term, from distinct members
/// without a hole. S7: nothing is committed before the end of the term start.
void LogTerm::advance_commit(Time now) {
  if (!ordering_) return;
  std::vector<Offset> acked;
  for (const Replica& r : replicas_)
    if (!r.is_lost()) acked.push_back(r.acked);
  const std::size_t w = rules::commit_quorum(quorum_of(info_));
  if (acked.size() < w) return;
  std::nth_element(acked.begin(), acked.begin() + static_cast<std::ptrdiff_t>(w - 1), acked.end(),
                   std::greater<>());
  const Offset held = acked[w - 1];
  if (!rules::may_commit_in_term(held, term_start_end_) || held <= committed_) return;
  committed_ = held;
  commit_moved_ = now;
  missing_.committed(committed_);
  if (phase_ == Phase::opening) {
    phase_ = Phase::open;
    phase_since_ = now;
    if (info_.trim > Offset{}) trimmed(info_.trim);
    take_in_newcomers();
    host_.opened(info_.id);
  }
  answer_committed(now);
  answer_held();
  answer_tails();
}

/// spec/05 step 8. A producer that has committed the run several times gets an answer to each
/// request.
void LogTerm::answer_committed(Time now) {
  Figures& figures = host_.figures();
  while (!in_flight_.empty() && in_flight_.front().end <= committed_) {
    const InFlight& f = in_flight_.front();
    ProducerTable::Run* run = producers_.find(f.producer, f.first);
    check(run != nullptr, "a run whose answer is owed is known");
    for (const Client& c : run->waiting)
      host_.to_client(c, Committed{info_.id, term_, f.producer, f.first, run->offset});
    if (!run->waiting.empty())
      host_.written(info_.id, f.producer, run->waiting.back().connection, run->reference);
    run->waiting = {};
    ++figures.committed_runs;
    figures.committed_entries += run->reference.count;
    figures.committed_bytes += run->reference.length;
    figures.commit_latency.count(now - f.since);
    in_flight_.pop_front();
  }
}

/// spec/05 steps 6 and 9: sends orders to all streaming replicas and tells the committed offset,
/// which travels with an Order if possible.
void LogTerm::flush(Time now) {
  if (phase_ == Phase::halted) return;
  if (ordering_) {
    prune_window(now);
    bool untold = false, soon = false;
    // While runs are in flight, an Order is likely to come and to carry the committed offset.
    const bool by_order = !in_flight_.empty() && now < watermark_due_;
    for (Replica& r : replicas_) {
      note_lag(r, now);
      if (rules::tells_unmatched_nodes() && !r.streams() && r.phase != ReplicaPhase::absent &&
          r.orders.told < committed_)
        tell_committed(r);
      if (!r.streams()) continue;
      send_orders(r);
      if (phase_ == Phase::open && r.orders.told < committed_) {
        if (by_order) soon = true;
        else tell_committed(r);
      }
      if (std::min(r.orders.told, r.orders.told_at) < std::min(committed_, r.durable))
        untold = true;
    }
    if (!soon) watermark_due_ = never;
    else if (watermark_due_ == never) watermark_due_ = now + options_.watermark_delay;
    // D5: the replica took the smaller of the committed offset and its own tail. When it has caught
    // up and nothing else is due, it is told once more.
    if (!untold || phase_ != Phase::open) idle_due_ = never;
    else if (idle_due_ == never) idle_due_ = now + options_.watermark_idle_interval;
  }
  if (phase_ == Phase::open) tails_.begin_round(now, replicas_);
  if (phase_ == Phase::open) retention_.plan(now, extent());
  else retention_.plan_nothing();
}

/// The replica's lag in time, approximate: the leader remembers a single past committed offset for
/// each replica instead of all of them.
void LogTerm::note_lag(Replica& r, Time now) {
  if (r.durable >= committed_) {
    r.lag.since = never;
  } else if (r.lag.since == never || r.durable >= r.lag.lacking) {
    r.lag.lacking = committed_;
    r.lag.since = now;
  }
}

/// spec/05 step 6. At most order_window_bytes are ordered ahead of the replica's durable tail, so
/// that a slow disk does not grow the node's queue without a bound.
void LogTerm::send_orders(Replica& r) {
  while (r.orders.sent < stream_.end()) {
    const std::uint64_t ahead = r.orders.sent - r.durable;
    if (ahead >= options_.order_window_bytes ||
        stream_.items_between(r.durable, r.orders.sent) >= ordered_ahead_max)
      return;
    Order o{info_.id,
            term_,
            host_.metadata_version(),
            r.orders.sent,
            stream_.term_before(r.orders.sent),
            committed_,
            {}};
    const Offset end = stream_.collect(r.orders.sent, order_items_max,
                                       options_.order_window_bytes - ahead, o.items);
    if (end == r.orders.sent) return;
    host_.to_node(r.member.node, std::move(o));
    r.orders.sent = end;
    r.orders.furthest = std::max(r.orders.furthest, end);
    r.orders.told = committed_;
    r.orders.told_at = r.durable;
  }
}

void LogTerm::tell_committed(Replica& r) {
  host_.to_node(r.member.node, Watermark{info_.id, term_, committed_});
  r.orders.told = committed_;
  r.orders.told_at = r.durable;
}

/// Drops items that no replica needs. Items stay from the least durable replica of the stream on,
/// and from the target of a repair under way. Beyond the reference window the oldest committed
/// items go; replicas that need them lag and are reconciled from a peer later (S4).
void LogTerm::prune_window(Time now) {
  Offset keep = committed_;
  for (const Replica& r : replicas_) {
    if (r.phase == ReplicaPhase::reconciling) keep = std::min(keep, r.copy.target);
    else if (r.joined && !r.is_lost()) keep = std::min(keep, r.durable);
  }
  stream_.drop_below(keep);
  // Items below the trim point are not kept for a replica that comes late, because no replica need
  // hold them any more. That replica copies or is re-based.
  const Offset kept = begins();
  while (stream_.items() > 0 && stream_.end_of_front() <= committed_ &&
         (stream_.items() > options_.reference_window || stream_.end_of_front() <= kept))
    stream_.drop_front();
  for (Replica& r : replicas_)
    if (r.streams() && r.orders.sent < stream_.begin()) ask(now, r);
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
  return {begins(), committed_, stream_.end(), last_segment_, segment_is_idle(), last_run_};
}

/// R5: trims as far as the bounds allow. Called when a look is due, and when an answer about
/// segments has come.
void LogTerm::retain(Time now) {
  if (phase_ != Phase::open || !retention_.is_set() || retention_.awaits_answer(now)) return;
  if (retention_.closes_idle_segment(now, extent())) {
    commit_moved_ = now;
    open_segment(now);
  }
  const auto point = retention_.trim_point(now, extent(), replicas_);
  if (!point) return;
  host_.event(
      Event::Level::info,
      fmt::format("log {} ({}): retention trims it from {} to {}, committed {}", info_.id.value,
                  info_.name, begins().value, point->value, committed_.value));
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
    return host_.to_client(client, TailIs{info_.id, begins(), committed_, term_});
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
  for (WaitingAnswer& w : tails_.take_confirmed(quorum_of(info_), committed_)) tell(w);
}

// ---- Missing payloads (spec/05, "When a payload is missing")

void LogTerm::on(Time now, NodeId from, RequestId, const Missing& m) {
  Replica* r = replicas_.find(from);
  if (r == nullptr || m.term != term_ || !r->joined || r->is_lost() || phase_ == Phase::halted)
    return;
  if (rules::must_be_copied(m.offset, committed_)) {
    // P3: the run is committed, so peers hold it or held it. If they have trimmed it, the replica
    // skips it by a re-base (S4); otherwise the replica copies it.
    if (!r->streams()) return;
    if (m.offset < begins()) ask_where_peers_begin();
    else r->copy.lacks_committed = true;
    return ask(now, *r);
  }
  const ProducerTable::Run* run = producers_.find(m.run.producer, m.run.first);
  // The report is about an older item at that offset; the replica will hear the new order.
  if (run == nullptr || run->offset != m.offset) return;
  missing_.reported(from, m.offset, run->reference, producers_.connection(m.run.producer));
  check_missing(now);
}

/// The producer promises not to upload these runs again, so nobody waits for it.
void LogTerm::cancel(Time now, const Cancel& c) {
  missing_.cancelled(c, producers_.connection(c.producer) != ConnectionId{});
  check_missing(now);
}

/// V1: a run that nobody waits for any longer is dropped by a new term.
void LogTerm::check_missing(Time now) {
  if (new_term_asked_) return;
  const auto dropped = missing_.check(now, replicas_, producers_);
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
  give_up(tails_.take_all(), why);
  for (const WaitingAnswer& w : std::exchange(held_, {}))
    host_.to_client(w.client, given_up(w, why));
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
  LogReport out{info_.id, info_.name, term_, begins(), known_committed(), stream_.end(), {}};
  for (const Replica& r : replicas_) {
    const Offset has = std::max(shown(r), begins());
    out.replicas.push_back({r.member.node, state_of(r), shown(r),
                            out.committed > has ? out.committed - has : 0,
                            r.lag.since == never ? Duration{} : now - r.lag.since});
  }
  return out;
}

}  // namespace loglog::sequencer

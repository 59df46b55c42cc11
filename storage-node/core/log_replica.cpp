#include "storage-node/core/log_replica.h"

#include "proto-spec/vocabulary/rules.h"
#include "storage-node/core/invariants.h"
#include "storage-node/core/retention.h"

namespace loglog::storage {
namespace {
constexpr std::size_t producers_remembered_max = 1u << 16;
constexpr Duration committed_marks_after = 100ms;
constexpr std::size_t disk_busy_above = 16;  // operations of all logs
constexpr Duration marks_put_off_by = 200ms;
constexpr int marks_put_off_max = 5;
}  // namespace

LogReplica::LogReplica(Node& node, const PromiseKeeper& node_promise, LogId id)
    : state(node, node_promise, id),
      reader(state),
      writer_(state, [this] { settle(); }),
      orders_(state, [this] { pump(); }),
      repair_(
          state, writer_, reader, [this](const Reconcile& m, Errc e) { reconciled(m, e); },
          [this] { hole_found(); }) {}

void LogReplica::recovered(RecoveredLog&& r) {
  state.segments = std::move(r.segments);
  state.durable = state.written = r.tail;
  state.terms = std::move(r.terms);
  state.committed = r.committed;
  state.suspect = r.suspect;
  if (r.suspect) state.hole_until = std::max(r.mark_durable, r.tail.end + 1);
  state.dirty_tail = r.dirty_tail;
  writer_.found_counter(r.marks_counter);
  writer_.found_capacity(r.open_file_size);
  writer_.found_remains(r.remains);
  if (!r.suspect) return;
  ++state.node.figures.corruptions_found;
  state.node.event(
      Event::Level::alarm,
      fmt::format(
          "log {}: bytes at offset {} are bad below the mark {}; suspect until copied again (K3)",
          state.id.value, r.tail.end.value, r.mark_durable.value));
}

void LogReplica::described(const LogInfo& info, RaftIndex version) {
  const auto& before = state.info.members;
  if (!before.empty() && before != info.members) state.set_version = version;
  state.info = info;
  trim_to(info.trim);
}

StateIs LogReplica::state_is(Term term) const {
  return {state.id,
          term,
          state.durable.last_term,
          state.durable.end,
          state.durable.chain,
          state.first_kept(),
          state.committed,
          state.node.identity.disk,
          state.suspect,  // of its tail: files that are gone in front show by `first`
          state.is_matched() && state.matched == term,
          state.terms,
          state.segments.empty() ? state.durable.end : state.segments.open()};
}

/// K3. A leader's metadata comes before its questions, so the trim point is known by now.
void LogReplica::look_at_front() {
  const bool before = std::exchange(state.front_gone, state.misses_front());
  if (!state.front_gone || before) return;
  ++state.node.figures.corruptions_found;
  state.node.event(
      Event::Level::alarm,
      fmt::format("log {}: files are missing below offset {}, and the log was trimmed only up to "
                  "{}; suspect until "
                  "copied again (K3)",
                  state.id.value, state.segments.front().value, state.trim_wanted.value));
}

void LogReplica::get_state(ConnectionId from, RequestId request, const GetState& m) {
  look_at_front();
  if (state.matched != m.term) {
    // S1: intake of the older term stops here; what was ordered and is not in flight is dropped.
    orders_.drop();
    state.matched = {};
    if (repair_.active() || reconcile_wanted_) {
      repair_.cancel();
      reconcile_wanted_.reset();
    }
  }
  if (!(removed(Rule::S1_ack) && writer_.busy())) state.leader = from;
  state_asked_.push_back({from, request, m.term});
  settle();
}

void LogReplica::reconcile(ConnectionId from, RequestId request, const Reconcile& m) {
  repair_.cancel();
  orders_.drop();
  state.matched = {};
  if (!(removed(Rule::S1_ack) && writer_.busy())) state.leader = from;
  reconcile_wanted_ = m;
  reconcile_from_ = {from, request, m.term};
  settle();
}

/// The strand may have become idle: what waited for that goes on.
void LogReplica::settle() {
  check_invariants(state);
  const Term promised = state.promise().held().term;
  if (!writer_.busy() || removed(Rule::S1_barrier))
    for (const Asked& a : std::exchange(state_asked_, {})) {
      if (a.term == promised || removed(Rule::T3_fence))
        state.node.send(a.from, a.request, state_is(a.term));
      else
        state.node.send(a.from, a.request,
                        Fenced{state.id, promised, state.promise().held().instance});
    }
  if (writer_.busy()) return;
  for (const Asked& a : std::exchange(misfit_, {}))
    if (a.term == promised) state.node.send(a.from, a.request, state_is(a.term));
  if (reconcile_wanted_) reconcile_now();
  repair_.resume();
  pump();
  schedule();
}

void LogReplica::reconcile_now() {
  const Reconcile m = *std::exchange(reconcile_wanted_, std::nullopt);
  if (m.term != state.promise().held().term && !removed(Rule::T3_fence))
    return;  // a newer leader has sealed meanwhile
  const Tail& t = state.durable;
  const bool as_named = t.end == m.expected_tail && t.chain == m.expected_chain &&
                        t.last_term == m.expected_last_term;
  if ((!as_named && !removed(Rule::S4_compare)) || (!m.rebase && m.cut > t.end))
    return answer_reconcile(m, Errc::wrong_state);
  if (!m.rebase && m.cut < std::min(state.committed, t.end) && !removed(Rule::S4_alarm)) {
    state.node.event(
        Event::Level::alarm,
        fmt::format("log {}: told to cut at {} below the committed offset {}; halted (S4)",
                    state.id.value, m.cut.value, state.committed.value));
    return answer_reconcile(m, Errc::log_halted);
  }
  if (m.rebase || m.cut < t.end) durable_through_.clear();
  if (m.rebase) {
    state.trim_wanted = std::max(
        state.trim_wanted, m.target_first);  // the leader rebases to no point that was not trimmed
    // What goes here was acknowledged: until it is copied again the log is suspect, also over a
    // restart (K3).
    if (state.front_gone) {
      state.suspect = true;
      state.hole_until = std::max(state.hole_until, state.durable.end);
    }
  }
  repair_.start(m);
}

void LogReplica::reconciled(const Reconcile& m, Errc e) {
  if (e == Errc::ok && (m.term == state.promise().held().term || removed(Rule::T3_fence))) {
    state.matched = m.term;
    state.leader_committed = {};
    state.hole_until = {};
    if (state.suspect || (state.front_gone && m.rebase)) ++state.node.figures.corruptions_repaired;
    state.suspect = false;  // every byte up to the target was checked against the leader's chain
    state.front_gone = state.misses_front();
  }
  answer_reconcile(m, e);
  if (e == Errc::ok && state.durable.last_term == m.term) acknowledge();
}

void LogReplica::hole_found() {
  orders_.drop();
  state.node.send(state.leader, RequestId{}, state_is(state.promise().held().term));
}

void LogReplica::answer_reconcile(const Reconcile& m, Errc e) {
  state.node.send(reconcile_from_.from, reconcile_from_.request,
                  Reconciled{state.id, m.term, e, state.durable.end, state.durable.chain});
}

void LogReplica::order(ConnectionId from, RequestId request, const Order& m) {
  state.leader = from;
  if (!state.is_matched() || repair_.active() || reconcile_wanted_)
    return state.node.send(from, request, state_is(m.term));
  if ((m.previous_end != orders_.ordered_end() || m.previous_term != orders_.ordered_term()) &&
      !removed(Rule::D2)) {
    // D2. What is not in flight is dropped, so that the leader can go on exactly from the tail this
    // answer names.
    orders_.drop();
    misfit_.push_back({from, request, m.term});
    return settle();
  }
  for (const OrderItem& item : m.items)
    if (orders_.add(item) != Errc::ok) {
      orders_.drop();
      misfit_.push_back({from, request, m.term});
      return settle();
    }
  if (m.items.empty() && orders_.empty() && !writer_.busy()) acknowledge();
  advance_committed(m.committed);
  pump();
  schedule();
}

void LogReplica::pump() {
  if (!state.is_matched()) return orders_.drop();  // S1: sealed by a newer term
  if (writer_.busy() || repair_.active() || reconcile_wanted_ || orders_.empty()) return;
  const auto front = orders_.ready();
  if (!front || !writer_.make_room(front->opens_segment, front->bytes)) return;
  OrderQueue::Group group;
  Offset at = state.durable.end;
  orders_.take_group(group, writer_.room(front->opens_segment));
  marks_at_ = never;
  for (const Bytes& b : group.frames) {
    reader.written(at, b);
    at += b.size();
  }
  const bool opens = group.opens_segment;
  std::vector<Bytes> frames = std::exchange(group.frames, {});
  writer_.write(std::move(frames), opens,
                [this, group = std::move(group)] { group_durable(group); });
}

void LogReplica::group_durable(const OrderQueue::Group& group) {
  for (const auto& [run, at] : group.runs) {
    state.node.staging.remove(state.id, run.producer, run.first);
    state.node.figures.written(run);
    if (durable_through_.size() >= producers_remembered_max) durable_through_.clear();
    Sequence& through = durable_through_[run.producer];
    through = std::max(through, Sequence{run.first.value + run.count - 1});
  }
  acknowledge();
  tell_observers(group);
  advance_committed(state.leader_committed);
  marks_put_off_ = 0;
  marks_within(state.node.options.idle_marks_after);
}

void LogReplica::marks_within(Duration d) {
  marks_at_ = state.node.now + (stopping_ ? Duration{0} : d);
}

/// Where many logs are in use, a write for marks alone is one that appends to others wait for; the
/// next group carries them for nothing.
bool LogReplica::marks_give_way() {
  if (stopping_ || state.node.disk_under_way() <= disk_busy_above ||
      marks_put_off_ == marks_put_off_max)
    return false;
  ++marks_put_off_;
  return true;
}

/// D4: the term is checked again at the moment of sending; S6: only a tail whose last frame is of
/// this term counts.
bool LogReplica::may_acknowledge() const {
  const bool of_this_term = state.is_matched() && state.durable.last_term == state.matched;
  return (of_this_term || removed(Rule::S1_ack)) && state.promise().durable() && !state.lost();
}

void LogReplica::acknowledge() {
  const Tail& t = state.durable;
  if (!may_acknowledge()) return;
  state.node.send(state.leader, RequestId{},
                  Durable{state.id, t.last_term, t.end, t.chain, t.checkpoint, t.checkpoint_chain});
}

/// V2: what counts for the leader counts for the producer, run by run, where it was written by an
/// order of this very term.
void LogReplica::tell_observers(const OrderQueue::Group& group) {
  if (observers_.empty()) return;
  const bool counts = may_acknowledge() && group.term == state.matched && !state.suspect;
  if (!counts && !removed(Rule::V2_sent)) return;
  for (const auto& [run, at] : group.runs)
    if (const auto o = observers_.find(run.producer); o != observers_.end())
      state.node.send(o->second, RequestId{},
                      RunDurable{state.id, group.term, run.producer, run.first, at});
}

/// D5.
void LogReplica::advance_committed(Offset leader_committed) {
  if (!state.is_matched() && !removed(Rule::D5_matched)) return;
  state.leader_committed = std::max(state.leader_committed, leader_committed);
  const Offset now = removed(Rule::D5_own) ? state.leader_committed
                                           : std::min(state.leader_committed, state.durable.end);
  if (now == state.committed || (now < state.committed && !removed(Rule::D5_back))) return;
  state.committed = now;
  if (marks_at_ == never) marks_within(committed_marks_after);
  if (state.trim_wanted > state.first_kept()) trim_log(state, state.trim_wanted);
  reader.wake();
}

void LogReplica::watermark(const Watermark& m) {
  if (state.matched != m.term && !removed(Rule::D5_matched)) return;
  advance_committed(m.committed);
  schedule();
}

void LogReplica::trim_to(Offset point) {
  if (state.dropped || repair_.active()) {
    state.trim_wanted = std::max(state.trim_wanted, point);
    return;
  }
  if (trim_log(state, point)) reader.wake();
}

void LogReplica::confirm_term(ConnectionId from, RequestId request, const ConfirmTerm& m) {
  if (!state.is_matched() || state.matched != m.term)
    return state.node.send(from, request, state_is(m.term));
  state.node.send(from, request, TermConfirmed{state.id, m.term, state.durable.end});
}

void LogReplica::drop() {
  repair_.cancel();
  reconcile_wanted_.reset();
  orders_.drop();
  state.dropped = true;
  state.suspect = false;  // its hole is nobody's any more
  state.matched = {};
  reader.end_all(Errc::no_such_log);
  reader.drop_cache();
  state.node.staging.remove_log(state.id);
}

void LogReplica::tick() {
  reader.tick();
  orders_.tick();
  writer_.tick();
  repair_.tick();
  if (marks_at_ <= state.node.now && marks_give_way())
    marks_at_ = state.node.now + marks_put_off_by;
  if (marks_at_ <= state.node.now) {
    marks_at_ = never;
    marks_put_off_ = 0;
    const bool idle = !writer_.busy() && !repair_.active() && !reconcile_wanted_ &&
                      orders_.empty() && !state.dropped && !state.dirty_tail;
    if (idle && !writer_.marks_current()) writer_.write_marks([] {});
  }
  schedule();
}

void LogReplica::begin_stop() {
  stopping_ = true;
  if (marks_at_ != never) marks_within(Duration{0});
  schedule();
}

void LogReplica::schedule() {
  state.node.wake_at(state.id, std::min({marks_at_, reader.next_tick(), orders_.next_tick(),
                                         writer_.next_tick(), repair_.next_tick()}));
}

}  // namespace loglog::storage

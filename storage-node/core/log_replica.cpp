// Commands of the leader, acknowledgements, and the timers of one log. settle() is the centre: it
// runs whenever the strand may have become idle, and goes on with everything that waits for that.
#include "storage-node/core/log_replica.h"

#include "storage-node/core/invariants.h"
#include "storage-node/core/retention.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {
namespace {
/// durable_through_ is a cache: beyond this size it is cleared, and a late upload is then staged
/// again until it expires.
constexpr std::size_t producers_remembered_max = 1u << 16;
/// Pause before marks that only bring the committed offset up to date.
constexpr Duration committed_marks_after = 100ms;
/// Disk operations of all logs that count as a busy disk (marks_give_way).
constexpr std::size_t disk_busy_above = 16;
constexpr Duration marks_put_off_by = 200ms;
constexpr int marks_put_off_max = 5;
}  // namespace

LogReplica::LogReplica(Node& node, const PromiseKeeper& node_promise, LogId id)
    : state(node, node_promise, id),
      reader(state),
      orders_(state, [this] { pump(); }),
      repair_(
          state, reader, [this](const Reconcile& m, Errc e) { reconciled(m, e); },
          [this] { hole_found(); }) {}

void LogReplica::recovered(RecoveredLog&& r) {
  state.store.recovered(r);
  state.durable = state.written = r.tail;
  state.terms = std::move(r.terms);
  state.committed = r.committed;
  state.suspect = r.suspect;
  // K3: the marks keep naming the end of the hole. Damage above the mark still makes a hole of at
  // least a byte.
  if (r.suspect) state.hole_until = std::max(r.mark_durable, r.tail.end + 1);
  if (!r.suspect) return;
  ++state.node.figures.corruptions_found;
  state.node.event(
      Event::Level::alarm,
      fmt::format(
          "log {}: bytes at offset {} are bad below the mark {}; suspect until copied again (K3)",
          state.id.value, r.tail.end.value, r.mark_durable.value));
}

/// T2: a changed replica set is remembered with its version, so that commands for the old set are
/// refused.
void LogReplica::described(const LogInfo& info, RaftIndex version) {
  const auto& before = state.info.members;
  if (!before.empty() && before != info.members) state.set_version = version;
  state.info = info;
  state.store.described(info.options.segment_size);
  trim_to(info.trim);
}

/// The answer to GetState, and to each command that does not fit the log's state (S1, D2).
StateIs LogReplica::state_is(Term term) const {
  return {state.id, term, state.durable.last_term, state.durable.end, state.durable.chain,
          state.first_kept(), state.committed, state.node.identity.disk,
          // The tail alone is judged: files that are missing in front show by the first offset.
          state.suspect, state.is_matched() && state.matched == term, state.terms,
          state.store.open_segment()};
}

/// K3: judges whether files in front are missing. The leader's metadata comes before its questions,
/// so the trim point is known by now.
void LogReplica::look_at_front() {
  const bool before = std::exchange(state.front_gone, state.misses_front());
  if (!state.front_gone || before) return;
  ++state.node.figures.corruptions_found;
  state.node.event(
      Event::Level::alarm,
      fmt::format("log {}: files are missing below offset {}, and the log was trimmed only up to "
                  "{}; suspect until "
                  "copied again (K3)",
                  state.id.value, state.first_kept().value, state.trim_wanted.value));
}

void LogReplica::get_state(ConnectionId from, RequestId request, const GetState& m) {
  look_at_front();
  if (state.matched != m.term) {
    // S1: intake for the older term stops here. Ordered runs that are not in flight are dropped.
    orders_.drop();
    state.matched = {};
    if (repair_.active() || reconcile_wanted_) {
      repair_.cancel();
      reconcile_wanted_.reset();
    }
  }
  // Acknowledgements go to the new leader from here on. Without rule S1 the simulation lets a write
  // in flight acknowledge to the old leader.
  if (rules::switches_leader(state.store.busy())) state.leader = from;
  state_asked_.push_back({from, request, m.term});
  settle();
}

/// S4: the command waits until the write in flight has ended, then reconcile_now() compares the
/// states.
void LogReplica::reconcile(ConnectionId from, RequestId request, const Reconcile& m) {
  repair_.cancel();
  orders_.drop();
  state.matched = {};
  if (rules::switches_leader(state.store.busy())) state.leader = from;
  reconcile_wanted_ = m;
  reconcile_from_ = {from, request, m.term};
  settle();
}

/// The strand may have become idle: everything that waits for that goes on. The order matters: the
/// leader's questions are answered with the state before a reconcile changes it.
void LogReplica::settle() {
  check_invariants(state);
  const Term promised = state.promise().held().term;
  if (rules::may_report_state(state.store.busy()))
    for (const Asked& a : std::exchange(state_asked_, {})) {
      if (rules::is_promised_term(a.term, promised))
        state.node.send(a.from, a.request, state_is(a.term));
      else
        state.node.send(a.from, a.request,
                        Fenced{state.id, promised, state.promise().held().instance});
    }
  if (state.store.busy()) return;
  for (const Asked& a : std::exchange(misfit_, {}))
    if (a.term == promised) state.node.send(a.from, a.request, state_is(a.term));
  if (reconcile_wanted_) reconcile_now();
  repair_.resume();
  pump();
  schedule();
}

/// S4: judges a Reconcile against the present state, and begins it or answers with the reason
/// against it.
void LogReplica::reconcile_now() {
  const Reconcile m = *std::exchange(reconcile_wanted_, std::nullopt);
  if (!rules::is_promised_term(m.term, state.promise().held().term))
    // A newer leader has sealed the node meanwhile.
    return;
  const Tail& t = state.durable;
  if (!rules::is_expected_state(t, m) || (!m.rebase && m.cut > t.end))
    return answer_reconcile(m, Errc::wrong_state);
  // S4: a correct leader never cuts committed bytes. The log halts rather than losing them.
  if (rules::cuts_committed_bytes(m, state.committed, t.end)) {
    state.node.event(
        Event::Level::alarm,
        fmt::format("log {}: told to cut at {} below the committed offset {}; halted (S4)",
                    state.id.value, m.cut.value, state.committed.value));
    return answer_reconcile(m, Errc::log_halted);
  }
  // Bytes that are cut are no longer durable here, so late uploads of them must be staged again.
  if (m.rebase || m.cut < t.end) durable_through_.clear();
  if (m.rebase) {
    // The leader re-bases only to a point up to which the log was trimmed.
    state.trim_wanted = std::max(state.trim_wanted, m.target_first);
    // The re-base drops bytes that were acknowledged. Until they are copied again the log is
    // suspect, also across a restart (K3).
    if (state.front_gone) {
      state.suspect = true;
      state.hole_until = std::max(state.hole_until, state.durable.end);
    }
  }
  repair_.start(m);
}

/// The end of a reconcile. If it reached the target, the log is matched in the term (S5) and takes
/// orders from there.
void LogReplica::reconciled(const Reconcile& m, Errc e) {
  if (e == Errc::ok && rules::is_promised_term(m.term, state.promise().held().term)) {
    state.matched = m.term;
    // The offset was told in an older term; the leader names it anew with its first order.
    state.leader_committed = {};
    state.hole_until = {};
    if (state.suspect || (state.front_gone && m.rebase)) ++state.node.figures.corruptions_repaired;
    // The copy was checked against the leader's chain up to the target.
    state.suspect = false;
    state.front_gone = state.misses_front();
  }
  answer_reconcile(m, e);
  // S6: a tail counts only if this term has placed its last frame, so a tail of an older term is
  // not acknowledged.
  if (e == Errc::ok && state.durable.last_term == m.term) acknowledge();
}

/// A hole was found while the log was in use (K3). The leader learns of it unasked and reconciles
/// the log.
void LogReplica::hole_found() {
  orders_.drop();
  state.node.send(state.leader, RequestId{}, state_is(state.promise().held().term));
}

void LogReplica::answer_reconcile(const Reconcile& m, Errc e) {
  state.node.send(reconcile_from_.from, reconcile_from_.request,
                  Reconciled{state.id, m.term, e, state.durable.end, state.durable.chain});
}

/// D2: takes an Order only if it continues exactly at the end of the ordered items.
void LogReplica::order(ConnectionId from, RequestId request, const Order& m) {
  state.leader = from;
  if (!state.is_matched() || repair_.active() || reconcile_wanted_)
    return state.node.send(from, request, state_is(m.term));
  if (!rules::follows_queue(m, orders_.ordered_end(), orders_.ordered_term())) {
    // D2: items that are not in flight are dropped, so that the leader can continue exactly at the
    // tail that this answer names.
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
  // An Order without items: an idle log acknowledges its tail again.
  if (m.items.empty() && orders_.empty() && !state.store.busy()) acknowledge();
  advance_committed(m.committed);
  pump();
  schedule();
}

/// spec/05 step 7: takes a group from the queue if the strand is idle and the disk has space for
/// its front, and writes it. Called whenever bytes, space or the strand have become available.
void LogReplica::pump() {
  if (!state.is_matched()) return orders_.drop();  // S1: sealed by a newer term
  if (state.store.busy() || repair_.active() || reconcile_wanted_ || orders_.empty()) return;
  const auto front = orders_.ready();
  if (!front || !state.store.make_room(front->opens_segment, front->bytes)) return;
  Offset at = state.durable.end;
  orders_.take_group(group_, state.store.room(front->opens_segment));
  marks_at_ = never;
  // The cache gets the bytes before they are durable. Readers see them only below the committed
  // offset, which is at most the durable tail.
  for (const Bytes& b : group_.frames) {
    reader.written(at, b);
    at += b.size();
  }
  group_under_way_ = true;
  state.store.append(
      {state.durable, std::exchange(group_.frames, {}), group_.bytes, group_.opens_segment},
      state.vouch());
}

/// Hears the store's news. Whenever an operation of the strand has ended or space has come,
/// everything that waited for that goes on.
void LogReplica::disk_done(const DiskDone& d) {
  switch (state.store.done(d)) {
    case LogStore::News::none:
      return;
    case LogStore::News::group:
      group_durable();
      return settle();
    case LogStore::News::cut:
      repair_.cut_durable();
      return settle();
    case LogStore::News::marks:
    case LogStore::News::room:
      return settle();
    case LogStore::News::mended:
      repair_.mended();
      [[fallthrough]];
    case LogStore::News::released:
      if (!state.dropped) trim_log(state, state.trim_wanted);
  }
}

/// Moves the durable tail behind the group, which was ordered or copied.
void LogReplica::group_durable() {
  state.durable = state.written;
  if (group_under_way_) ordered_group_durable();
  else repair_.group_durable();
}

/// spec/05 step 7, after the fdatasync: frees the staged runs, acknowledges, and moves the
/// committed offset.
void LogReplica::ordered_group_durable() {
  group_under_way_ = false;
  for (const auto& [run, at] : group_.runs) {
    state.node.staging.remove(state.id, run.producer, run.first);
    state.node.figures.written(run);
    if (durable_through_.size() >= producers_remembered_max) durable_through_.clear();
    Sequence& through = durable_through_[run.producer];
    through = std::max(through, Sequence{run.first.value + run.count - 1});
  }
  acknowledge();
  tell_observers(group_);
  group_.clear();
  advance_committed(state.leader_committed);
  marks_put_off_ = 0;
  marks_within(state.node.options.idle_marks_after);
}

/// A node that stops writes the marks without delay.
void LogReplica::marks_within(Duration d) {
  marks_at_ = state.node.now + (stopping_ ? Duration{0} : d);
}

/// While many logs write, a write of marks alone delays appends to other logs, and the log's next
/// group carries the marks at no cost. The write is put off a few times at most, because marks that
/// lag hide damage (K3).
bool LogReplica::marks_give_way() {
  if (stopping_ || state.node.disk_under_way() <= disk_busy_above ||
      marks_put_off_ == marks_put_off_max)
    return false;
  ++marks_put_off_;
  return true;
}

/// D4: the promise is checked again at the moment of sending, since a seal may have come during the
/// write. S6: only a tail whose last frame is of this term counts.
bool LogReplica::may_acknowledge() const {
  const bool of_this_term = state.is_matched() && state.durable.last_term == state.matched;
  return rules::may_acknowledge(of_this_term) && state.promise().durable() && !state.lost();
}

void LogReplica::acknowledge() {
  const Tail& t = state.durable;
  if (!may_acknowledge()) return;
  state.node.send(state.leader, RequestId{},
                  Durable{state.id, t.last_term, t.end, t.chain, t.checkpoint, t.checkpoint_chain});
}

/// V2: a producer may count what the leader may count. Each run is reported by itself, and only if
/// an order of this term placed it.
void LogReplica::tell_observers(const OrderQueue::Group& group) {
  if (observers_.empty()) return;
  const bool acknowledged = may_acknowledge() && group.term == state.matched;
  if (!rules::may_report_run(acknowledged, state.suspect)) return;
  for (const auto& [run, at] : group.runs)
    if (const auto o = observers_.find(run.producer); o != observers_.end())
      state.node.send(o->second, RequestId{},
                      RunDurable{state.id, group.term, run.producer, run.first, at});
}

/// D5: the smaller of the leader's committed offset and the own durable tail; it never moves back.
void LogReplica::advance_committed(Offset leader_committed) {
  if (!rules::may_learn_committed(state.is_matched())) return;
  state.leader_committed = std::max(state.leader_committed, leader_committed);
  const Offset now = rules::committed_here(state.leader_committed, state.durable.end);
  if (!rules::moves_committed(state.committed, now)) return;
  state.committed = now;
  if (marks_at_ == never) marks_within(committed_marks_after);
  // Files that were trimmed while they were not yet committed here may go now (R3).
  if (state.trim_wanted > state.first_kept()) trim_log(state, state.trim_wanted);
  reader.wake();
}

void LogReplica::watermark(const Watermark& m) {
  if (!rules::may_learn_committed(state.matched == m.term)) return;
  advance_committed(m.committed);
  schedule();
}

/// A repair changes the files, so a trim during it is only noted; the next step that commits or
/// describes the log carries it out.
void LogReplica::trim_to(Offset point) {
  if (state.dropped || repair_.active()) {
    state.trim_wanted = std::max(state.trim_wanted, point);
    return;
  }
  if (trim_log(state, point)) reader.wake();
}

/// R2: the answer names the durable tail, which may lie above the leader's committed offset (V2).
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
  state.store.drop();
  // T5: a hole in a deleted log concerns nobody.
  state.suspect = false;
  state.matched = {};
  reader.end_all(Errc::no_such_log);
  reader.drop_cache();
  state.node.staging.remove_log(state.id);
}

void LogReplica::tick() {
  reader.tick();
  orders_.tick();
  if (state.store.space_due()) {
    settle();
    state.store.ask_again();
  }
  repair_.tick();
  if (marks_at_ <= state.node.now && marks_give_way())
    marks_at_ = state.node.now + marks_put_off_by;
  // K3: marks are written alone only if no group will carry them and no torn bytes are to be cut
  // first.
  if (marks_at_ <= state.node.now) {
    marks_at_ = never;
    marks_put_off_ = 0;
    const bool idle = !state.store.busy() && !repair_.active() && !reconcile_wanted_ &&
                      orders_.empty() && !state.dropped && !state.store.has_torn_bytes();
    if (idle && !state.store.marks_current(state.committed))
      state.store.write_marks(state.durable, state.vouch());
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
                                         state.store.next_tick(), repair_.next_tick()}));
}

}  // namespace loglog::storage

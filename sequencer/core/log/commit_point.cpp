// A refusal is told only when it can no longer become wrong.
#include "sequencer/core/log/commit_point.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "proto-spec/disk/frame.h"
#include "proto-spec/vocabulary/check.h"
#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {
namespace {

/// Most answers that wait for earlier runs to be committed.
constexpr std::size_t held_max = 4096;

using Next = CommitPoint::Verdict::Next;

/// A reference that a correct SDK can send. A node would refuse an impossible run for ever, and the
/// log would wait for it.
bool is_plausible(const Reference& r) {
  return r.producer != ProducerId{} && r.first != Sequence{} && r.first.value <= sequence_max &&
         r.count >= 1 && r.count <= run_frames_max && r.length <= run_size_max &&
         r.length >= std::uint64_t{r.count} * frame_overhead;
}

ConditionFailed mismatch(const LogInfo& log, Term term, const Commit& c) {
  return {log.id, term, c.run.producer, c.run.first, Errc::offset_mismatch, {}, log.fence};
}

}  // namespace

CommitPoint::CommitPoint(const Options& options, LogHost& host, const LogInfo& info, Term term)
    : options_(options),
      host_(host),
      info_(info),
      term_(term),
      producers_(options.producers_max, options.producer_runs_max) {}

void CommitPoint::refuse(const Client& client, const Commit& c, Errc why, Sequence expected) {
  host_.to_client(client, Refused{info_.id, c.run.producer, c.run.first, why, term_, expected, {}});
}

/// The order of the checks matters: a repeat is answered before any limit or condition is looked
/// at, because its run is in the log whatever has changed since.
CommitPoint::Verdict CommitPoint::judge(Client client, const Commit& c,
                                        const Conditions& conditions, Offset end,
                                        std::size_t waiting, const ReplicaSet& replicas) {
  const auto refused = [&](Errc why, Sequence expected = {}) {
    refuse(client, c, why, expected);
    return Verdict{Next::nothing};
  };
  if (rules::is_of_other_term(c.term, term_)) return refused(Errc::stale_term);
  if (!is_plausible(c.run)) return refused(Errc::invalid_argument);
  const ProducerTable::Judgement j = producers_.judge(c, committed_);
  switch (j.verdict) {
    case ProducerTable::Verdict::wrong_sequence:
      return refused(Errc::wrong_sequence, j.expected);
    case ProducerTable::Verdict::other_bytes:
      return refused(Errc::digest_mismatch, j.expected);
    case ProducerTable::Verdict::full:
      // A2: a producer is never forgotten within a term, so a full table needs a new term.
      return {Next::begin_term};
    case ProducerTable::Verdict::repeat:
      return repeat(client, c, *j.run, waiting);
    case ProducerTable::Verdict::accept:
      break;
  }
  // Runs that are not committed stay in the window, so that every streaming replica can be told
  // them.
  if (in_flight_.size() >= options_.reference_window ||
      too_many_unwritten(client.connection, replicas))
    return refused(Errc::too_many);
  return judge_conditions(client, c, conditions, end, waiting);
}

/// A run that was ordered, or refused for good (F1), is answered as before.
CommitPoint::Verdict CommitPoint::repeat(Client client, const Commit& c, ProducerTable::Run& run,
                                         std::size_t waiting) {
  producers_.seen_on(c.run.producer, client.connection);
  if (run.refused) {
    if (!may_wait(client, c, waiting)) return {Next::nothing};
    return {Next::confirm, run.offset};
  }
  if (run.end() <= committed_) {
    host_.to_client(client, Committed{info_.id, term_, c.run.producer, c.run.first, run.offset});
    return {Next::nothing};
  }
  if (std::find(run.waiting.begin(), run.waiting.end(), client) == run.waiting.end())
    run.waiting.push_back(client);
  return {Next::repeat, run.offset};
}

/// Asked only of a run that is the producer's next run: a run that was ordered is answered as
/// ordered, whatever has changed since. A refusal stands for the whole term. Neither `entries_end_`
/// nor the fence moves back in a term, so a late copy of the commit is refused as well. The log's
/// end moves on, however, to a place where an offset beyond it holds. A refusal beyond the end
/// therefore uses up the producer's number, so that a late copy gets the same answer (F1, decision
/// 0031).
CommitPoint::Verdict CommitPoint::judge_conditions(Client client, const Commit& c,
                                                   const Conditions& conditions, Offset end,
                                                   std::size_t waiting) {
  if (rules::is_producer_fenced(conditions.fence, info_.fence)) {
    host_.to_client(client, ConditionFailed{info_.id, term_, c.run.producer, c.run.first,
                                            Errc::producer_fenced, committed_, info_.fence});
    return {Next::nothing};
  }
  if (conditions.expected == no_offset) return {Next::order};
  const bool is_beyond = conditions.expected > end;
  if (!is_beyond && rules::nothing_above(conditions.expected, entries_end_)) return {Next::order};
  if (!may_wait(client, c, waiting)) return {Next::nothing};
  if (rules::refusal_needs_confirmation(is_beyond)) {
    if (rules::refusal_uses_up_number()) producers_.refuse(c, end, client.connection);
    return {Next::confirm, end};
  }
  // F1: the entry in the way may be gone with the next term if it is not committed. So nobody is
  // told of it before everything ordered so far is committed.
  waiting_.push_back(
      {client, mismatch(info_, term_, c), rules::refusal_waits_for(committed_, end)});
  return {Next::nothing};
}

/// True if a further answer may wait; otherwise refuses the run with too_many.
bool CommitPoint::may_wait(Client client, const Commit& c, std::size_t waiting) {
  if (waiting_.size() + waiting < held_max) return true;
  refuse(client, c, Errc::too_many);
  return false;
}

/// No later end than `end` is told, because it might lie above the offset that the producer
/// expected.
WaitingAnswer CommitPoint::beyond(Client client, const Commit& c, Offset end) const {
  return {client, mismatch(info_, term_, c), {}, end};
}

/// The same argument as for F1: no entry with a lower token lies at or above the end once all that
/// was ordered before is committed.
void CommitPoint::tell_fence(Client client, Offset end) {
  waiting_.push_back(
      {client, FenceIs{info_.id, info_.fence, {}}, rules::token_waits_for(committed_, end)});
}

/// V1: bounds the runs that are ordered and that no replica has written. A run may be ordered
/// before any replica has it, and all later runs wait for it.
bool CommitPoint::too_many_unwritten(ConnectionId connection, const ReplicaSet& replicas) {
  if (!rules::bounds_unwritten_runs()) return false;
  Offset written{};
  for (const Replica& r : replicas)
    if (!r.is_lost()) written = std::max(written, r.acked);
  unwritten_.written(written);
  return unwritten_.size() >= options_.unwritten_runs_max ||
         unwritten_.of(connection) >= options_.unwritten_runs_per_connection_max;
}

void CommitPoint::ordered(Time now, Client client, const Commit& c, Offset at, Offset end) {
  // S8 measures from here: an idle log's last movement would be too long ago.
  if (in_flight_.empty()) moved_ = now;
  producers_.add(c, at, client);
  entries_end_ = end;
  in_flight_.push_back({c.run.producer, c.run.first, end, now});
  unwritten_.ordered(end, client.connection);
  ++host_.figures().commits;
}

/// F1: it is not known here where the last entry of earlier terms ends.
void CommitPoint::begin(Time now, Offset earlier_end) {
  moved_ = now;
  if (rules::earlier_runs_count()) entries_end_ = earlier_end;
}

/// S6: the committed offset is the W-th largest acknowledgement of this term, from distinct members
/// without a hole. S7: nothing is committed before the end of the term start.
bool CommitPoint::advance(Time now, const ReplicaSet& replicas, Offset term_start_end) {
  std::vector<Offset> acked;
  for (const Replica& r : replicas)
    if (!r.is_lost()) acked.push_back(r.acked);
  const std::size_t w = rules::commit_quorum(quorum_of(info_));
  if (acked.size() < w) return false;
  std::nth_element(acked.begin(), acked.begin() + static_cast<std::ptrdiff_t>(w - 1), acked.end(),
                   std::greater<>());
  const Offset held = acked[w - 1];
  if (!rules::may_commit_in_term(held, term_start_end) || held <= committed_) return false;
  committed_ = held;
  moved_ = now;
  return true;
}

/// A producer that has committed the run several times gets an answer to each request.
void CommitPoint::answer_committed(Time now) {
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

/// `until` ascends along the queue, so only the front is looked at.
void CommitPoint::answer_waiting(Offset begins) {
  for (; !waiting_.empty() && waiting_.front().until <= committed_; waiting_.pop_front())
    host_.to_client(waiting_.front().client,
                    told(waiting_.front(), {info_.id, begins, committed_, term_}));
}

std::deque<WaitingAnswer> CommitPoint::take_waiting() { return std::exchange(waiting_, {}); }

}  // namespace loglog::sequencer

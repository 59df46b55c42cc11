// The committed offset of a log in a term (S6), and the commits of clients: which run is ordered
// (A1), which is refused, also by its conditions (F1, F2), and who gets an answer when. Owned by
// LogTerm, which gives offsets to the runs that this part accepts. The leader decides from the
// reference alone, without reading the log.
#pragma once
#include <cstddef>
#include <deque>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"
#include "sequencer/core/log/log_host.h"
#include "sequencer/core/log/producer_table.h"
#include "sequencer/core/log/replica_set.h"
#include "sequencer/core/log/unwritten_runs.h"
#include "sequencer/core/log/waiting_answer.h"

namespace loglog::sequencer {

/// The conditions of a CommitIf (F1, F2).
struct Conditions {
  /// F1: no entry may lie at or above it; no_offset: the commit names no offset
  Offset expected = no_offset;
  FenceToken fence{};  ///< F2: the producer's token; 0: the commit names no token
};

/// See the top of the file. All references given to the constructor must outlive it.
class CommitPoint {
 public:
  CommitPoint(const Options& options, LogHost& host, const LogInfo& info, Term term);

  /// The part of a commit that is left to its caller.
  struct Verdict {
    enum class Next : std::uint8_t {
      nothing,     ///< it is answered, or its answer waits
      order,       ///< place the run, then call ordered()
      confirm,     ///< the refusal beyond `end` waits for a round (R2): see beyond()
      begin_term,  ///< A2: the table is full; refuse it with not_ready
      repeat       ///< the run at `end` was ordered before and is not committed
    } next;
    Offset end{};
  };
  /// spec/05 step 5. `end`: the log's ordered end. `waiting`: answers that wait elsewhere.
  Verdict judge(Client client, const Commit& c, const Conditions& conditions, Offset end,
                std::size_t waiting, const ReplicaSet& replicas);
  /// The run that judge() has accepted has the offsets [at, end).
  void ordered(Time now, Client client, const Commit& c, Offset at, Offset end);
  void refuse(const Client& client, const Commit& c, Errc why, Sequence expected = {});
  /// F1: the refusal of an offset beyond `end`, where the log ended when the run was judged. A
  /// newer leader may have placed entries that this leader does not know, so the refusal waits
  /// until members confirm the term (R2).
  WaitingAnswer beyond(Client client, const Commit& c, Offset end) const;
  /// F2: FenceIs waits until all below `end` is committed.
  void tell_fence(Client client, Offset end);

  /// The term start was ordered. F1: entries of earlier terms count as reaching up to
  /// `earlier_end`.
  void begin(Time now, Offset earlier_end);
  /// S6: takes the acknowledgements of the replicas. True if the committed offset has moved; then
  /// call answer_committed() and answer_waiting().
  bool advance(Time now, const ReplicaSet& replicas, Offset term_start_end);
  /// spec/05 step 8.
  void answer_committed(Time now);
  /// Tells the answers whose runs are committed. `begins`: where the log begins for readers.
  void answer_waiting(Offset begins);
  /// The term ends: the answers that wait.
  std::deque<WaitingAnswer> take_waiting();

  Offset committed() const { return committed_; }
  /// S8: when the committed offset moved last, or an idle log was given something to commit.
  Time moved() const { return moved_; }
  void gets_something_to_commit(Time now) { moved_ = now; }
  /// A producer waits for the answer to an ordered run.
  bool owes_answers() const { return !in_flight_.empty(); }
  ProducerTable& producers() { return producers_; }
  /// Forgets the runs that end above `at`. Only in the mutation build: tests/simulator/mutants.
  void forget_from(Offset at);

 private:
  // An ordered run whose producer is owed an answer.
  struct InFlight {
    ProducerId producer;
    Sequence first;
    Offset end;
    Time since;
  };
  Verdict repeat(Client client, const Commit& c, ProducerTable::Run& run, std::size_t waiting);
  Verdict judge_conditions(Client client, const Commit& c, const Conditions& conditions, Offset end,
                           std::size_t waiting);
  bool may_wait(Client client, const Commit& c, std::size_t waiting);
  bool too_many_unwritten(ConnectionId connection, const ReplicaSet& replicas);

  const Options& options_;
  LogHost& host_;
  const LogInfo& info_;
  Term term_;
  Offset committed_{};  // 0 before the term start is committed
  Time moved_{};
  ProducerTable producers_;
  std::deque<InFlight> in_flight_;
  UnwrittenRuns unwritten_;
  Offset entries_end_{};  // F1: no entry lies at or above it, and none was ordered there
  std::deque<WaitingAnswer> waiting_;  // ascending by `until`
};

}  // namespace loglog::sequencer

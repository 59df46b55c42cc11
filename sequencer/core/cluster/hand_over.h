// When a leader hands over its lead. S8: a leader that cannot reach its logs' quorums hands over to
// a sequencer that reaches more, with ever longer pauses. A leader that is asked to stop answers
// its ordered runs first and then asks the sequencer that reaches most ("Handing over at a stop").
// A part of SequencerState. SequencerMachine asks Raft and tells this part the outcome.
#pragma once
#include <optional>
#include <set>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "sequencer/core/output.h"

namespace loglog::sequencer {

/// `options` must outlive it.
class HandOver {
 public:
  explicit HandOver(const Options& options) : options_(options) {}

  // S8

  /// The leader reaches the quorums of `served` of its `open` logs. True: for 2 s it has lacked
  /// some, so it is to hand over if a sequencer reaches more.
  bool should_yield(Time now, std::size_t served, std::size_t open);
  /// Raft hands over for that reason. The pause until the next time doubles.
  void yielded(Time now);

  // Stopping

  /// The process is to stop; `leads`: it leads at this moment.
  void resign(Time now, bool leads);
  bool resigned() const { return resign_by_ != never; }
  /// True while a leader that resigns may wait for the answers that it owes.
  bool may_wait_for_answers(Time now) const { return now < answer_until_; }
  /// True if a sequencer that resigns need not wait any longer: it did not lead, or its time is up.
  bool is_over(Time now) const { return resigned() && (!led_ || now >= resign_by_); }
  /// True if a leader that resigns is to ask a sequencer now.
  bool is_due(Time now) const { return resigned() && now >= due_; }
  /// A sequencer that may take over, with the number of logs whose quorums it reaches.
  struct Candidate {
    SequencerId id;
    std::size_t served = 0;
  };
  /// The order of asking: sequencers that were not asked yet come first, then by the logs that they
  /// serve, then in the order given.
  std::vector<SequencerId> in_order(std::vector<Candidate> candidates) const;
  /// Raft has asked this sequencer; nullopt: no sequencer can take over yet.
  void asked(Time now, std::optional<SequencerId> id);
  /// When the next step is due. `owes`: this leader owes answers.
  Time wake(bool leads, bool owes) const;

 private:
  const Options& options_;
  // S8: since when the own reach lacks a quorum, and the growing pause between two hand-overs.
  Time underserved_since_ = never;
  Time no_yield_before_{};
  Duration yield_pause_{};
  Time resign_by_ = never;         // never: it does not resign
  Time answer_until_{};            // until then it waits for the answers that it owes
  Time due_{};                     // when to ask a sequencer
  bool led_ = false;               // it led when it was asked to stop
  std::set<SequencerId> asked_{};  // sequencers that were asked to take over
};

}  // namespace loglog::sequencer

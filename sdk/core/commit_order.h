// The order in which a producer commits its runs (A1, spec/05 step 4): in sequence, no run waiting
// for the answer to the previous run. Decides which runs may be committed now, and makes their
// Commits. AppendPipeline sends them.
#pragma once
#include <iterator>

#include "proto-spec/wire/messages.h"
#include "sdk/core/run.h"
#include "sdk/core/run_uploads.h"

namespace loglog::client {

/// Owns the offset up to which the client knows the log as committed, and the pause after a
/// refusal.
class CommitOrder {
 public:
  /// All bytes of the log below this offset are committed.
  void learn(Offset committed) {
    if (committed > known_) known_ = committed;
  }
  Offset known() const { return known_; }
  /// The leader refused a Commit for now; none is sent before `until`.
  void pause(Time until) { commit_at_ = until; }
  /// Calls `send` with each run that may be committed now, in sequence order; it sends the run's
  /// Commit. `settled`: the sequence number up to which every entry's fate is known to the client.
  template <class Sender>
  void for_each_due(Time now, RunList& runs, Sequence settled, const RunUploads& uploads,
                    Sender send) const;
  /// Makes the run's Commit, or its CommitIf if it has conditions, and marks the run as sent.
  Message commit(LogId log, Term term, Sequence settled, Run& run) const;
  /// When a run whose Commit is not sent may be committed.
  Time wake(Time now, const RunList& runs) const;

 private:
  Offset known_{};
  Time commit_at_{};  // no Commit before
};

template <class Sender>
void CommitOrder::for_each_due(Time now, RunList& runs, Sequence settled, const RunUploads& uploads,
                               Sender send) const {
  if (now < commit_at_) return;
  bool ahead = false;  // V1: a committed run is still being uploaded; at most one may be
  for (auto r = runs.begin(); r != runs.end(); ++r) {
    const bool here = uploads.is_uploaded(*r);
    if (r->awaits_answer()) {
      ahead = ahead || !here;
      continue;
    }
    if (r->state == RunState::stale || (!here && (ahead || !uploads.goes_ahead(*r)))) return;
    ahead = ahead || !here;
    // A1: the leader takes a run that follows the previous run, or that follows all settled
    // entries.
    const bool follows = r != runs.begin() && std::prev(r)->end() == r->reference.first;
    if (!follows && r->reference.first != settled + 1) return;
    send(*r);
  }
}

}  // namespace loglog::client

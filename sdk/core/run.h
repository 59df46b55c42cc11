// A run of a producer: entries that are uploaded and committed together (spec/05 step 1). A run is
// a value: OpenRun makes it, AppendPipeline keeps it in order, and the parts of the pipeline decide
// about it. Only here a run's state changes from a value to another.
#pragma once
#include <cstdint>
#include <list>
#include <vector>

#include "sdk/core/output.h"
#include "sdk/core/replica_uploads.h"
#include "sdk/core/rules.h"

namespace loglog::client {

/// Pause after a refusal or Busy (spec/07 A6).
inline constexpr Duration refusal_pause = 20ms;

/// An append that the application waits for, as a part of its run.
struct RunEntry {
  Token token;
  Sequence sequence;
  Time deadline;
  std::uint32_t at, length;  ///< position and length of its frame in the run, bytes
  bool live = true;          ///< the caller still waits
};

/// What a client knows of the Commits of a run. All entries of a run share the state.
enum class RunState : std::uint8_t {
  /// No Commit named the run since the last resolution: its entries are certainly not in the log.
  uncommitted,
  /// Uncommitted, and some of its entries have ended: the run must be built anew without them.
  stale,
  /// A Commit went to the leader of this term, and was not refused.
  sent,
  /// A Commit was sent and may have been taken. The run is committed again as soon as the leader
  /// may take it, perhaps in a newly opened term.
  unanswered,
  /// F1: the leader refused the run for this term, because its condition does not hold, and no
  /// Commit of it was sent since. Its entries are certainly not in the log.
  absent,
  /// F1: absent, and committed again as soon as the leader may take it.
  absent_again,
};

struct Run {
  Reference reference;
  Bytes frames;
  std::vector<RunEntry> entries;
  AppendConditions conditions;  ///< of all entries
  ReplicaUploads uploads;
  RunState state = RunState::uncommitted;
  unsigned commits_in_term = 0;  ///< Commits sent in this term; a refusal is definite after just 1
  Term term{};                   ///< of its newest Commit; 0: none was sent
  /// Committed offset known at the first Commit since the last resolution, which reads from there
  /// (A3).
  Offset known{};
  Time next_deadline = never;  ///< least deadline of its live entries
  Time since = never;          ///< when its oldest entry arrived
  Time keep_until = never;     ///< of a committed run: when slow replicas are given up

  Sequence end() const { return reference.first + reference.count; }
  /// A Commit named the run since the last resolution.
  bool was_committed() const { return state >= RunState::sent; }
  /// The leader of this term has a Commit of the run and may answer it.
  bool awaits_answer() const { return state == RunState::sent || state == RunState::absent; }
  /// The leader refused the run for this term, so that it is not in the log (F1).
  bool is_absent() const { return state == RunState::absent || state == RunState::absent_again; }
  /// The fate of its entries is open: a Commit may have been taken.
  bool may_be_in_log() const { return was_committed() && !is_absent(); }

  /// A Commit is sent in the term `in`. `committed`: the offset up to which the client knows the
  /// log as committed.
  void commit_sent(Offset committed, Term in) {
    known = rules::resolution_start(was_committed(), known, committed);
    state = RunState::sent;
    term = in;
    ++commits_in_term;
  }
  /// The Commit under way, if there is one, is sent again.
  void commit_again() {
    if (state == RunState::sent) state = RunState::unanswered;
    if (state == RunState::absent) state = RunState::absent_again;
  }
  /// Another term begins: refusals and the count of Commits were those of the former term.
  void begin_term() {
    commits_in_term = 0;
    if (was_committed()) state = RunState::unanswered;
  }
  /// Its condition does not hold in this term (F1).
  void condition_failed() { state = RunState::absent; }
  /// A resolution did not find the remaining entries. `stale`: others of its entries have ended.
  void not_found(bool some_ended) {
    state = some_ended ? RunState::stale : RunState::uncommitted;
    uploads.renew();  // the nodes may have dropped the staged run
  }
  /// Some of its entries have ended before a Commit, so the run must not be committed as it is.
  void leave_out_ended() {
    if (!was_committed()) state = RunState::stale;
  }
};

/// Runs in sequence order. A run keeps its place in memory while it moves between lists.
using RunList = std::list<Run>;

}  // namespace loglog::client

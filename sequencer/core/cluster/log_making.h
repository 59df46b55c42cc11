// T5: makes a new log on its members and opens it, or deletes a log on its members. Owned by
// SequencerMachine, which calls it when a command is applied; LeaderNodes passes on the answers of
// storage nodes. LogTasks keeps which member has answered.
#pragma once
#include "sequencer/core/cluster/leader_logs.h"
#include "sequencer/core/cluster/log_tasks.h"
#include "sequencer/core/sequencer_state.h"

namespace loglog::sequencer {

/// `state` and `logs` must outlive it.
class LogMaking {
 public:
  LogMaking(SequencerState& state, LeaderLogs& logs)
      : state_(state), logs_(logs), tasks_(state.options) {}

  LogTasks& tasks() { return tasks_; }
  const LogTasks& tasks() const { return tasks_; }

  /// Asks the members that have not joined; called anew whenever a member is sealed. Only a disk
  /// that is still the member's is asked (C1).
  void join(LogId log);
  /// A node has made the log. A log that is being made is opened once all members have (T5); an
  /// open log's term goes on with its new member (C1).
  void joined(NodeId from, LogId log);
  /// Deletes the log on its members; called anew whenever a member is sealed. A creation that was
  /// under way for it ends here.
  void drop(LogId log);
  /// A member has dropped the log; it leaves the metadata once all members have.
  void dropped(NodeId from, LogId log);
  /// A further node is sealed: asks members anew, for all logs that are being made or
  /// deleted.
  void go_on();
  /// T5: gives up the creation of a log that some member does not join in time, so that its name is
  /// free again.
  void expire();

 private:
  SequencerState& state_;
  LeaderLogs& logs_;
  LogTasks tasks_;
};

}  // namespace loglog::sequencer

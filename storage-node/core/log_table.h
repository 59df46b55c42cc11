// The logs on this node: logs that are here, that are being made, and that were dropped. Owns the
// replicas and the tombstones, and decides whether an id may stand for a log here (T5). Only
// StorageMachine changes it, after it has compared the sender's term with the promise (T3).
#pragma once
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "storage-node/core/log_replica.h"
#include "storage-node/core/startup_disk.h"
#include "storage-node/core/tombstone_list.h"

namespace loglog::storage {

class LogTable {
 public:
  using Logs = std::map<LogId, std::unique_ptr<LogReplica>>;

  /// `node` and `node_promise` must outlive the table.
  LogTable(Node& node, const PromiseKeeper& node_promise)
      : node_(node), node_promise_(node_promise), tombstones_(node) {}
  LogTable(const LogTable&) = delete;
  LogTable& operator=(const LogTable&) = delete;

  /// Reads the tombstones and every log that has a folder. Call once, before anything else, and
  /// after the metadata was read. Fails with the disk's error (K7).
  Result<void> start(StartupDisk& disk);

  /// The log, also while it is being made or removed; null: not here.
  LogReplica* find(LogId log) const {
    const auto it = logs_.find(log);
    return it == logs_.end() ? nullptr : it->second.get();
  }
  /// The log, if it is made and not dropped; otherwise null.
  LogReplica* live(LogId log) const {
    LogReplica* l = find(log);
    return l != nullptr && l->state.made && !l->state.dropped ? l : nullptr;
  }
  /// All logs in ascending order of their ids, as find() knows them.
  const Logs& all() const { return logs_; }
  const TombstoneList& tombstones() const { return tombstones_; }
  /// True if the id stands for another log here. Retention may differ, name and other options may
  /// not.
  bool is_another_log(const LogInfo& named) const;

  /// Adds a log that is not made yet. The caller requests its MakeLog, and removes the log if that
  /// fails.
  LogReplica& add(const LogInfo& info);
  void remove(LogId log) { logs_.erase(log); }
  /// Deletes the log, and answers Dropped when its folder is gone durably.
  void drop(LogReplica& log, ConnectionId from, RequestId request);
  /// Takes the dropped logs whose folders are gone and of which no disk operation is in flight,
  /// since callbacks refer to the log. The caller removes them. From then on the tombstones answer
  /// for them, as after a start.
  std::vector<LogId> take_gone();
  bool any_leaving() const { return !leaving_.empty(); }

  /// Only in the mutation build: tests/simulator/mutants.
  LogReplica* make_unasked(LogId log);

 private:
  Result<void> find_tombstones(StartupDisk& disk);
  Result<void> find_log(StartupDisk& disk, LogId id, const LogInfo* in_metadata);

  Node& node_;
  const PromiseKeeper& node_promise_;
  TombstoneList tombstones_;
  Logs logs_;
  /// Dropped logs whose folders are gone. A log is freed when no disk operation of it is in flight.
  std::set<LogId> leaving_;
};

}  // namespace loglog::storage

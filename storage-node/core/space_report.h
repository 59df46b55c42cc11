// The periodic report to the leader (SpaceIs): memory and disk of the node, and logs without space.
// Owns the report's timer, the disk's last measure, and the turn of the logs whose sizes are told.
// StorageMachine sends the report while a leader is connected.
#pragma once
#include <vector>

#include "storage-node/core/log_table.h"

namespace loglog::storage {

class SpaceReport {
 public:
  /// `node` must outlive the report.
  explicit SpaceReport(const Node& node) : node_(node) {}

  /// The driver has measured the disk's free space.
  void measured(DiskSpace s) { disk_ = s; }
  const DiskSpace& disk() const { return disk_; }
  /// When the next report is due.
  Time next_tick() const { return due_; }
  /// Makes the report of this moment; the next is due a second later. `unreachable`: nodes that do
  /// not answer this node; `twice`: sequencers with a second process.
  SpaceIs make(const LogTable& logs, std::vector<NodeId> unreachable,
               std::vector<SequencerId> twice);

 private:
  std::vector<LogBytes> next_log_bytes(const LogTable& logs);

  const Node& node_;
  Time due_{};
  /// The last log whose size the last report named; the logs take turns.
  LogId log_bytes_told_{};
  DiskSpace disk_;
};

}  // namespace loglog::storage

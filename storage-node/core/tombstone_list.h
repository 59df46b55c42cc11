// The ids of the logs that this node has dropped (T5), in memory and in the node's tombstones file
// (spec/02 P2). A log's folder is removed only after its id is durable here, so that a late Join
// does not make the log again. Called by LogTable.
#pragma once
#include <functional>
#include <vector>

#include "proto-spec/disk/tombstones.h"
#include "storage-node/core/node.h"

namespace loglog::storage {

class TombstoneList {
 public:
  explicit TombstoneList(Node& node) : node_(node) {}

  /// Takes the list that the start found on disk.
  void found(Tombstones t) { list_ = std::move(t); }
  /// True if the list holds the id.
  bool names(LogId log) const;
  /// True if the log must not be made here: the list holds the id, or the id lies at or below the
  /// floor and the metadata does not name the log.
  bool forbids(LogId log) const;
  /// Adds the log; `then` runs when the id is durable. Logs that are dropped during a write of the
  /// file share the next write.
  void add(LogId log, std::function<void()> then);
  std::size_t size() const { return list_.ids.size(); }

 private:
  void save();

  Node& node_;
  Tombstones list_;
  bool saving_ = false;
  /// The list has changed since the write in flight began.
  bool changed_ = false;
  /// Called when the write in flight is durable.
  std::vector<std::function<void()>> waits_;
  /// Called when the write after it is durable.
  std::vector<std::function<void()>> next_;
};

}  // namespace loglog::storage

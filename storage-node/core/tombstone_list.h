// The logs that this node has dropped (T5), in memory and in the node's file
// (proto-spec/disk/tombstones.h). A log's folder goes only after its id is durable here.
#pragma once
#include <functional>
#include <vector>

#include "proto-spec/disk/tombstones.h"
#include "storage-node/core/node.h"

namespace loglog::storage {

class TombstoneList {
 public:
  explicit TombstoneList(Node& node) : node_(node) {}

  /// As found on disk.
  void found(Tombstones t) { list_ = std::move(t); }
  /// It stands in the list.
  bool names(LogId log) const;
  /// It may not be made here: it stands in the list, or its id was taken off and the metadata does
  /// not name it.
  bool forbids(LogId log) const;
  /// Adds the log; `then` is called once that is durable. Logs that are dropped while the file is
  /// being written share the next write.
  void add(LogId log, std::function<void()> then);
  std::size_t size() const { return list_.ids.size(); }

 private:
  void save();

  Node& node_;
  Tombstones list_;
  bool saving_ = false;
  bool changed_ = false;                      // since the write that is under way began
  std::vector<std::function<void()>> waits_;  // for the write that is under way
  std::vector<std::function<void()>> next_;   // for the one after it
};

}  // namespace loglog::storage

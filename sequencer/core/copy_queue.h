// Which logs are copied to which node now, and which wait (P4). A few logs at a time fill a node's
// link, each is whole again soon, and none is on its way for so long that its deadline passes. Kept
// by the machine, over all logs.
#pragma once
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "proto-spec/vocabulary/ids.h"

namespace loglog::sequencer {

class CopyQueue {
 public:
  explicit CopyQueue(std::size_t logs_per_node_max) : max_(logs_per_node_max) {}

  /// True: the copy may begin. False: the log waits, and comes out of take_ready() once it is its
  /// turn. `urgent`: the log takes no appends before, so it does not wait.
  bool begin(LogId log, NodeId node, bool urgent);
  /// The copy has ended, or is not wanted any more.
  void end(LogId log, NodeId node);
  void forget(LogId log);
  void clear() { lines_.clear(); }
  /// Those whose turn it is; they count as begun.
  std::vector<std::pair<LogId, NodeId>> take_ready();

 private:
  struct Line {
    std::set<LogId> active;
    std::deque<LogId> waiting;
  };
  std::size_t max_;
  std::map<NodeId, Line> lines_;
};

}  // namespace loglog::sequencer

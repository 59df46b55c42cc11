// Decides which logs are copied to a node now and which wait (P4). With few copies at a time each
// log is whole again soon, and no copy is on its way for so long that its deadline passes. The
// machine keeps one object for all logs; LogTerm asks through LogHost::begin_copy().
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
  /// `logs_per_node_max`: copies to a node at a time (Options::copies_per_node_max).
  explicit CopyQueue(std::size_t logs_per_node_max) : max_(logs_per_node_max) {}

  /// True: the copy may begin. False: the log waits, and take_ready() returns it when its turn
  /// comes. `urgent`: the log takes no appends before the copy is done, so it does not wait.
  /// Repeating a call changes nothing.
  bool begin(LogId log, NodeId node, bool urgent);
  /// The copy has ended or is not wanted any more; the log leaves the line, waiting or not.
  void end(LogId log, NodeId node);
  /// The log is deleted or its term has ended: it leaves all lines.
  void forget(LogId log);
  void clear() { lines_.clear(); }
  /// Copies whose turn has come. They count as begun: the caller starts each or calls end().
  std::vector<std::pair<LogId, NodeId>> take_ready();

 private:
  struct Line {
    std::set<LogId> active;     // may exceed the maximum: urgent copies do not wait
    std::deque<LogId> waiting;  // in order of arrival; never in `active` too
  };
  std::size_t max_;
  std::map<NodeId, Line> lines_;
};

}  // namespace loglog::sequencer

// Runs that the leader has ordered in a log and that no replica has written yet (V1), counted by
// the connections that they came over. Producer ids are free, so they are no measure. Owned by
// LogTerm, which refuses a commit beyond the bounds.
#pragma once
#include <cstddef>
#include <deque>
#include <map>

#include "proto-spec/vocabulary/ids.h"

namespace loglog::sequencer {

/// Runs in the order of their offsets.
class UnwrittenRuns {
 public:
  /// Adds the next run, which ends at `end` and came over connection `by`. `end` ascends.
  void ordered(Offset end, ConnectionId by);
  /// Some replica has written everything below `through`, so runs that end there are not counted
  /// any more.
  void written(Offset through);
  /// Unwritten runs of the log.
  std::size_t size() const { return runs_.size(); }
  /// Unwritten runs that came over connection `c`.
  std::size_t of(ConnectionId c) const;

 private:
  struct Run {
    Offset end;
    ConnectionId by;
  };
  std::deque<Run> runs_;
  std::map<ConnectionId, std::size_t> counts_;
};

}  // namespace loglog::sequencer

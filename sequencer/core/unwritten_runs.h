// Runs that the leader has ordered in one log and that no replica has written yet (V1), by the
// connections that they came over. A producer's id costs nothing, so a bound by producers is none.
#pragma once
#include <cstddef>
#include <deque>
#include <map>

#include "proto-spec/vocabulary/ids.h"

namespace loglog::sequencer {

class UnwrittenRuns {
 public:
  /// The next run; `end` ascends.
  void ordered(Offset end, ConnectionId by);
  /// Some replica has written all below `through`.
  void written(Offset through);
  std::size_t size() const { return runs_.size(); }
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

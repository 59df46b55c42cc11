// Runs end in ascending order, so written() only looks at the front.
#include "sequencer/core/log/unwritten_runs.h"

namespace loglog::sequencer {

void UnwrittenRuns::ordered(Offset end, ConnectionId by) {
  runs_.push_back({end, by});
  ++counts_[by];
}

void UnwrittenRuns::written(Offset through) {
  for (; !runs_.empty() && runs_.front().end <= through; runs_.pop_front())
    if (const auto n = counts_.find(runs_.front().by); --n->second == 0) counts_.erase(n);
}

std::size_t UnwrittenRuns::of(ConnectionId c) const {
  const auto n = counts_.find(c);
  return n == counts_.end() ? 0 : n->second;
}

}  // namespace loglog::sequencer

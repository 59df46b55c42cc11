// Counts the requests of each connection that wait. A bound by connection holds whatever ids a
// client invents. Used by LogTerm (tails) and the machine (proposals). A request of a closed
// connection stays counted until it is answered, because its owner removes each request exactly
// once.
#pragma once
#include <cstddef>
#include <map>

#include "proto-spec/vocabulary/check.h"
#include "proto-spec/vocabulary/ids.h"

namespace loglog::sequencer {

class ConnectionCounts {
 public:
  /// A request of this connection begins to wait.
  void add(ConnectionId c) { ++counts_[c]; }
  /// A request that add() counted is answered or dropped.
  void remove(ConnectionId c) {
    const auto n = counts_.find(c);
    check(n != counts_.end(), "a request that waits is not counted");
    if (--n->second == 0) counts_.erase(n);
  }
  /// Requests of this connection that wait.
  std::size_t of(ConnectionId c) const {
    const auto n = counts_.find(c);
    return n == counts_.end() ? 0 : n->second;
  }
  void clear() { counts_.clear(); }

 private:
  std::map<ConnectionId, std::size_t> counts_;
};

}  // namespace loglog::sequencer

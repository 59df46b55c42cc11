// How many requests of each connection wait for something: a bound by connection holds whatever ids
// a client makes up. Used by whatever keeps requests; those of a connection that is gone are
// counted until they are answered.
#pragma once
#include <cstddef>
#include <map>

#include "proto-spec/vocabulary/check.h"
#include "proto-spec/vocabulary/ids.h"

namespace loglog::sequencer {

class ConnectionCounts {
 public:
  void add(ConnectionId c) { ++counts_[c]; }
  void remove(ConnectionId c) {
    const auto n = counts_.find(c);
    check(n != counts_.end(), "a request that waits is not counted");
    if (--n->second == 0) counts_.erase(n);
  }
  std::size_t of(ConnectionId c) const {
    const auto n = counts_.find(c);
    return n == counts_.end() ? 0 : n->second;
  }
  void clear() { counts_.clear(); }

 private:
  std::map<ConnectionId, std::size_t> counts_;
};

}  // namespace loglog::sequencer

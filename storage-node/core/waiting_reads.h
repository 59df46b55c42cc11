// Reads that wait at the end of one log, indexed by offset, deadline and connection, so that a
// group of new bytes touches only the reads that it can answer. A container; reader.cpp decides and
// answers.
#pragma once
#include <map>
#include <set>
#include <vector>

#include "proto-spec/vocabulary/time.h"
#include "storage-node/core/output.h"

namespace loglog::storage {

// `deadline`: the read is then answered without bytes.
struct WaitingRead {
  ConnectionId from;
  RequestId request;
  Read read;
  Time deadline;
};

class WaitingReads {
 public:
  void add(const WaitingRead& r) {
    const std::uint64_t key = ++keys_;
    reads_.emplace(key, r);
    by_offset_.emplace(r.read.offset, key);
    by_deadline_.emplace(r.deadline, key);
    by_connection_.emplace(r.from, key);
  }
  /// Removes and returns the reads that wait at an offset below `end`.
  std::vector<WaitingRead> take_below(Offset end) { return take(by_offset_, end); }
  /// Removes and returns the reads whose deadline is `now` or earlier.
  std::vector<WaitingRead> take_due(Time now) { return take(by_deadline_, now + Duration(1)); }
  std::vector<WaitingRead> take_all() {
    std::vector<WaitingRead> out;
    while (!reads_.empty()) out.push_back(take(reads_.begin()->first));
    return out;
  }
  /// Removes the reads of a connection that is gone.
  void forget(ConnectionId connection) {
    for (auto i = by_connection_.lower_bound({connection, 0});
         i != by_connection_.end() && i->first == connection;)
      take((i++)->second);
  }
  /// The earliest deadline; never: no read waits.
  Time next_deadline() const { return by_deadline_.empty() ? never : by_deadline_.begin()->first; }

 private:
  WaitingRead take(std::uint64_t key) {
    const auto i = reads_.find(key);
    const WaitingRead r = i->second;
    by_offset_.erase({r.read.offset, key});
    by_deadline_.erase({r.deadline, key});
    by_connection_.erase({r.from, key});
    reads_.erase(i);
    return r;
  }
  template <class Index, class End>
  std::vector<WaitingRead> take(const Index& index, End end) {
    std::vector<WaitingRead> out;
    while (!index.empty() && index.begin()->first < end) out.push_back(take(index.begin()->second));
    return out;
  }

  /// Rises with each read, so that equal offsets and deadlines keep the order of arrival.
  std::uint64_t keys_ = 0;
  std::map<std::uint64_t, WaitingRead> reads_;
  std::set<std::pair<Offset, std::uint64_t>> by_offset_;
  std::set<std::pair<Time, std::uint64_t>> by_deadline_;
  std::set<std::pair<ConnectionId, std::uint64_t>> by_connection_;
};

}  // namespace loglog::storage

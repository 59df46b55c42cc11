// Which segment file holds an offset. Segments are contiguous: one ends where the next begins, the
// last at the tail.
#pragma once
#include <vector>

#include "proto-spec/vocabulary/ids.h"

namespace loglog::storage {

class SegmentMap {
 public:
  bool empty() const { return firsts_.empty(); }
  Offset front() const { return firsts_.front(); }
  /// The one being written.
  Offset open() const { return firsts_.back(); }
  std::size_t size() const { return firsts_.size(); }
  const std::vector<Offset>& firsts() const { return firsts_; }

  void add(Offset first);
  void clear() { firsts_.clear(); }
  void assign(std::vector<Offset> firsts) { firsts_ = std::move(firsts); }
  /// The file that holds `at`, which is not below the first one.
  Offset holding(Offset at) const;
  /// Where the file that holds `at` ends; `tail` for the last one.
  Offset end_of(Offset at, Offset tail) const;
  /// Forgets files that begin after `first`.
  void keep_through(Offset first);
  /// Takes out, and returns, the files that lie wholly below `point`; never the last one (R3).
  std::vector<Offset> take_below(Offset point);

 private:
  std::vector<Offset> firsts_;  // ascending
};

}  // namespace loglog::storage

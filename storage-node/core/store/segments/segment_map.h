// The first offsets of a log's segment files, and the lookup of the file that holds an offset.
// Segments are contiguous: each file ends where the next file begins, the last file ends at the
// tail. Knows no disk; its users unlink and open the files.
#pragma once
#include <vector>

#include "proto-spec/vocabulary/ids.h"

namespace loglog::storage {

// At least one segment must exist for front(), open(), holding() and take_below().
class SegmentMap {
 public:
  bool empty() const { return firsts_.empty(); }
  Offset front() const { return firsts_.front(); }
  /// The last segment, to which groups are written.
  Offset open() const { return firsts_.back(); }
  std::size_t size() const { return firsts_.size(); }
  const std::vector<Offset>& firsts() const { return firsts_; }

  /// Appends a segment; `first` must lie above all others.
  void add(Offset first);
  void clear() { firsts_.clear(); }
  /// `firsts` must be ascending.
  void assign(std::vector<Offset> firsts) { firsts_ = std::move(firsts); }
  /// The file that holds `at`, which must not lie below front(). An offset past the tail belongs to
  /// the last file.
  Offset holding(Offset at) const;
  /// The end of the file that holds `at`. The last file ends at `tail`, which the caller passes.
  Offset end_of(Offset at, Offset tail) const;
  /// Removes the files that begin after `first` (a cut).
  void keep_through(Offset first);
  /// Removes and returns the files that lie wholly below `point`, but never the last file (R3).
  std::vector<Offset> take_below(Offset point);

 private:
  std::vector<Offset> firsts_;  // ascending
};

}  // namespace loglog::storage

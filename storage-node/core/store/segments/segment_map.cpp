// Binary searches over the ascending first offsets.
#include "storage-node/core/store/segments/segment_map.h"

#include <algorithm>

#include "proto-spec/vocabulary/check.h"

namespace loglog::storage {

void SegmentMap::add(Offset first) {
  check(empty() || open() < first, "segments are opened in ascending order");
  firsts_.push_back(first);
}

Offset SegmentMap::holding(Offset at) const {
  const auto after = std::upper_bound(firsts_.begin(), firsts_.end(), at);
  check(after != firsts_.begin(), "no segment holds the offset");
  return *std::prev(after);
}

Offset SegmentMap::end_of(Offset at, Offset tail) const {
  const auto after = std::upper_bound(firsts_.begin(), firsts_.end(), at);
  return after == firsts_.end() ? tail : *after;
}

void SegmentMap::keep_through(Offset first) {
  firsts_.erase(std::upper_bound(firsts_.begin(), firsts_.end(), first), firsts_.end());
}

std::vector<Offset> SegmentMap::take_below(Offset point) {
  std::vector<Offset> taken;
  // The last file is never taken: groups are written to it.
  while (firsts_.size() > 1 && firsts_[1] <= point) {
    taken.push_back(firsts_.front());
    firsts_.erase(firsts_.begin());
  }
  return taken;
}

}  // namespace loglog::storage

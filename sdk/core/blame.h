// Whom a reader tells that its bytes do not verify; that node checks for itself and repairs (K4).
// On the very first frame read the offset may be wrong instead of the bytes: then a node is blamed
// only once another one has given a good frame there.
#pragma once
#include <utility>
#include <vector>

#include "sdk/core/cluster_view.h"
#include "sdk/core/follow_cursor.h"

namespace loglog::client {

class Blame {
 public:
  explicit Blame(LogId log) : log_(log) {}

  /// The cursor, which stood at `begin`, has taken bytes from `node`, all of them good or not.
  void taken(ClusterView& view, const FollowCursor& cursor, Offset begin, ConnectionId node,
             bool good) {
    if (!cursor.at_first())
      for (const ConnectionId c : std::exchange(suspects_, {})) tell(view, c, begin);
    if (good) return;
    if (cursor.at_first()) suspects_.push_back(node);
    else tell(view, node, cursor.next());
  }
  /// No replica has a good first frame: the offset is no entry's.
  bool all_of(const LogInfo& log) const { return suspects_.size() >= log.members.size(); }
  void clear() { suspects_.clear(); }

 private:
  void tell(ClusterView& view, ConnectionId to, Offset at) const {
    ++view.figures().corrupt_pages;
    view.tell(to, RequestId{0}, ReportCorrupt{log_, at, frame_overhead});
  }

  LogId log_;
  std::vector<ConnectionId> suspects_;
};

}  // namespace loglog::client

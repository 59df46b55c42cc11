// Decides which node a reader reports for bytes that do not verify; the node checks its disk and
// repairs the bytes (K4, spec/06 "Checking"). On the very first frame of a read the offset may be
// wrong instead of the bytes. Then a node is reported only after another replica has given a good
// frame there. Used by PageReader and by follows.
#pragma once
#include <utility>
#include <vector>

#include "sdk/core/cluster_view.h"
#include "sdk/core/follow_cursor.h"

namespace loglog::client {

class DamageReports {
 public:
  explicit DamageReports(LogId log) : log_(log) {}

  /// Takes note of a page: the cursor, which stood at `begin`, has taken bytes that came over the
  /// connection `node`. `good`: all of them verified.
  void taken(ClusterView& view, const FollowCursor& cursor, Offset begin, ConnectionId node,
             bool good) {
    if (!cursor.at_first())
      for (const ConnectionId c : std::exchange(suspects_, {})) tell(view, c, begin);
    if (good) return;
    if (cursor.at_first()) suspects_.push_back(node);
    else tell(view, node, cursor.next());
  }
  /// True if every replica gave a bad first frame, so no entry begins at the offset.
  bool all_of(const LogInfo& log) const { return suspects_.size() >= log.members.size(); }
  void clear() { suspects_.clear(); }

 private:
  void tell(ClusterView& view, ConnectionId to, Offset at) const {
    ++view.figures().corrupt_pages;
    view.tell(to, RequestId{0}, ReportCorrupt{log_, at, frame_overhead});
  }

  LogId log_;
  std::vector<ConnectionId> suspects_;  // gave a bad first frame and are not reported yet
};

}  // namespace loglog::client

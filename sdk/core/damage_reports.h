// Decides which node a reader reports for bytes that do not verify; the node checks its disk and
// repairs the bytes (K4, spec/06 "Checking"). On the very first frame of a read the offset may be
// wrong instead of the bytes. Then a node is reported only after another replica has given a good
// frame there. Used by PageReader and by follows.
#pragma once
#include <algorithm>
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
      for (const Suspect& s : std::exchange(suspects_, {})) tell(view, s.connection, begin);
    if (good) return;
    if (cursor.at_first()) suspect(view.storage_at(node).node, node);
    else tell(view, node, cursor.next());
  }
  /// True if every replica gave a bad first frame, so no entry begins at the offset.
  bool all_of(const LogInfo& log) const { return suspects_.size() >= log.members.size(); }
  void clear() { suspects_.clear(); }

 private:
  // A node that gave a bad first frame and is not reported yet.
  struct Suspect {
    NodeId node;
    ConnectionId connection;  // the newest over which it did
  };
  /// A node that is bad at the offset again is a single replica all the same.
  void suspect(NodeId node, ConnectionId connection) {
    const auto known = std::ranges::find(suspects_, node, &Suspect::node);
    if (known == suspects_.end()) suspects_.push_back({node, connection});
    else known->connection = connection;
  }
  void tell(ClusterView& view, ConnectionId to, Offset at) const {
    ++view.figures().corrupt_pages;
    view.tell(to, RequestId{0}, ReportCorrupt{log_, at, frame_overhead});
  }

  LogId log_;
  std::vector<Suspect> suspects_;
};

}  // namespace loglog::client

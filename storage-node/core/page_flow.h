// Counts what the node holds in memory for readers: pages being read or queued, for each connection
// and in all. The readers of all logs ask here before they start a page; the driver says when bytes
// have left the process.
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "proto-spec/vocabulary/ids.h"
#include "storage-node/core/options.h"
#include "storage-node/core/output.h"

namespace loglog::storage {

class PageFlow {
 public:
  explicit PageFlow(const Options& options) : options_(options) {}

  /// Bytes of a page that may be started for `to` now, at most `wanted` (over 0). 0: enough is
  /// under way to it already; the log calls hold(), and its reader goes on when some of that has
  /// left.
  std::uint64_t allowed(ConnectionId to, std::uint64_t wanted) const;
  void started(ConnectionId to, std::uint64_t bytes);
  /// The read of a page that was started with `started` bytes has ended. `queued` bytes of it are
  /// sent to the connection.
  void fetched(ConnectionId to, std::uint64_t started, std::uint64_t queued);
  /// Pages with so many bytes of frames have left the process.
  void written(ConnectionId to, std::uint64_t bytes);
  /// `log` has something for `to`, and allowed() was 0.
  void hold(ConnectionId to, LogId log);
  /// A connection that may get pages again, and the log that waited longest to send some.
  std::optional<std::pair<ConnectionId, LogId>> next_to_resume();

  /// A read that waits, or a follow: false when the connection has readers_per_connection_max of
  /// them.
  bool enter(ConnectionId from);
  bool enter_follow(ConnectionId from, RequestId request, LogId log);
  void leave(ConnectionId from);
  void leave_follow(ConnectionId from, RequestId request);
  /// The log that this request follows.
  std::optional<LogId> followed(ConnectionId from, RequestId request) const;

  void forget(ConnectionId connection);
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t readers() const { return readers_; }

 private:
  struct Flow {
    std::uint64_t fetching = 0;  ///< bytes of pages that are being read
    std::uint64_t queued = 0;    ///< bytes of frames given to the connection and not written
    std::size_t readers = 0;
    bool gone = false;  ///< the connection is closed, but pages for it are still being read
    std::deque<LogId> held;
    std::map<RequestId, LogId> follows;
    std::uint64_t in_flight() const { return fetching + queued; }
  };
  void drop_if_unused(std::map<ConnectionId, Flow>::iterator f);

  const Options& options_;
  std::map<ConnectionId, Flow> flows_;
  std::set<ConnectionId> eased_;  ///< less is under way there than before, and a log waits for that
  std::uint64_t bytes_ = 0;
  std::uint64_t readers_ = 0;
};

}  // namespace loglog::storage

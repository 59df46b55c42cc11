// Limits the memory that pages for readers take (W8): pages that are read or queued, for each
// connection and in all. The readers of all logs ask here before they start a page; the driver
// reports bytes that have left the process. Also counts waiting reads and follows of a connection.
// Holds no page itself.
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

  /// Bytes of a page that may be started for `to` now: at most `wanted`, which is above 0. Returns
  /// 0 if enough is under way to the connection. The log then calls hold(), and its reader
  /// continues when bytes have left.
  std::uint64_t allowed(ConnectionId to, std::uint64_t wanted) const;
  /// The read of a page with at most `bytes` has started. fetched() must follow, even if the
  /// connection goes.
  void started(ConnectionId to, std::uint64_t bytes);
  /// The read of a page of `started` bytes has ended; `queued` bytes of it were sent to the
  /// connection.
  void fetched(ConnectionId to, std::uint64_t started, std::uint64_t queued);
  /// `bytes` of frames in pages have left the process for the connection.
  void written(ConnectionId to, std::uint64_t bytes);
  /// `log` has a page for `to`, and allowed() returned 0.
  void hold(ConnectionId to, LogId log);
  /// False: next_to_resume() has nothing to give.
  bool may_resume() const { return !eased_.empty(); }
  /// A connection that may get pages again, and the log that has waited longest to send it a page.
  /// The log is removed from the waiting logs.
  std::optional<std::pair<ConnectionId, LogId>> next_to_resume();

  /// Registers a waiting read or a follow. Returns false if the connection has
  /// readers_per_connection_max of them.
  bool enter(ConnectionId from);
  bool enter_follow(ConnectionId from, RequestId request, LogId log);
  /// A read has been answered; a follow has ended.
  void leave(ConnectionId from);
  void leave_follow(ConnectionId from, RequestId request);
  /// The log that this request follows.
  std::optional<LogId> followed(ConnectionId from, RequestId request) const;

  /// The connection is gone. Reads of its pages that are in flight still count until they end.
  void forget(ConnectionId connection);
  /// Bytes that are read or queued for readers, over all connections.
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t readers() const { return readers_; }

 private:
  struct Flow {
    /// Bytes of pages that are being read.
    std::uint64_t fetching = 0;
    /// Bytes of frames that are queued to the connection.
    std::uint64_t queued = 0;
    std::size_t readers = 0;
    /// The connection is closed, but pages for it are still being read.
    bool gone = false;
    /// Logs that wait to send a page here, in order of arrival.
    std::deque<LogId> held;
    std::map<RequestId, LogId> follows;
    std::uint64_t in_flight() const { return fetching + queued; }
  };
  void drop_if_unused(std::map<ConnectionId, Flow>::iterator f);

  const Options& options_;
  std::map<ConnectionId, Flow> flows_;
  /// Connections to which less is under way than before while a log waits for that.
  std::set<ConnectionId> eased_;
  std::uint64_t bytes_ = 0;
  std::uint64_t readers_ = 0;
};

}  // namespace loglog::storage

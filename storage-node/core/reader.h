// Serves the readers of one log (spec/06): Read with wait, Follow with credit, and the lists from
// which the SDK finds a point in time (R6). Gives raw bytes below the committed offset and parses
// nothing. LogReplica owns it; log_transfers.cpp reads through its fetch(), and Repair tells it of
// copied and cut bytes.
#pragma once
#include <deque>
#include <map>
#include <set>

#include "storage-node/core/log_core.h"
#include "storage-node/core/tail_cache.h"
#include "storage-node/core/waiting_reads.h"

namespace loglog::storage {

class Reader {
 public:
  /// Errc::ok with bytes, or the reason for which there are none.
  using Fetched = std::function<void(Errc, Bytes)>;

  explicit Reader(LogCore& s) : s_(s) {}

  /// Answers with a page: at once, or when bytes come, or without bytes and with a reason after
  /// m.wait_ms. A page also waits while too much is under way to the connection (PageFlow).
  void read(ConnectionId from, RequestId request, const Read& m);
  /// Opens a stream of pages under the request id, until its credit ends or an error ends it.
  void follow(ConnectionId from, RequestId request, const Follow& m);
  /// Adds credit to a stream, in bytes; 0 ends the stream.
  void credit(ConnectionId from, RequestId request, std::uint32_t bytes);
  /// Where committed segments and terms begin, from the file that holds `from` on. The first frame
  /// of each carries the leader's clock (R5, R6). At most segments_listed_max segments.
  SegmentsAre segments(Offset from) const;
  /// Call when the committed offset or the trim point has moved.
  void wake();
  /// The connection may get pages again (PageFlow): starts the reads and follows that were held.
  void resume(ConnectionId connection);
  /// Forgets a connection that is gone, with its reads and follows.
  void forget(ConnectionId connection);
  /// The log is deleted: answers every reader with the reason.
  void end_all(Errc why);
  /// Ends the reads whose time is up, and tells followers that this node cannot serve them.
  void tick();
  Time next_tick() const;

  /// Puts bytes that were handed to the disk into the tail cache. Readers see them once they are
  /// committed.
  void written(Offset at, const Bytes& bytes);
  /// Must be called when a cut or a re-base may replace bytes that the cache holds.
  void drop_cache();
  /// Gets bytes of frames [at, at + length), which must lie in one file, from the cache or the
  /// disk. Without `exact` the cache may give fewer bytes. `fetched` runs within this call if the
  /// cache answers.
  void fetch(Offset at, std::uint64_t length, bool exact, Fetched fetched);

 private:
  /// A stream of pages. It is in one state of four: without credit, fetching a page, held
  /// (PageFlow), or idle at the end of the readable bytes.
  struct Following {
    /// The offset of the next page, and the bytes that the reader still takes.
    Offset at;
    std::uint64_t credit = 0;
    bool fetching = false;
    /// The connection has enough under way, so the stream waits in held_.
    bool held = false;
    /// When the follower of an unmatched log is next told `not_here` (spec/06).
    Time tell_at = never;
    /// The time under which tells_ has this stream; at most tell_at.
    Time in_tells = never;
  };
  using FollowKey = std::pair<ConnectionId, RequestId>;
  /// A read or follow that waits until its connection has less under way.
  struct Held {
    RequestId request;
    /// Empty for a follow.
    std::optional<Read> read;
  };

  void start_read(ConnectionId from, RequestId request, const Read& m);
  bool answer_now(ConnectionId from, RequestId request, const Read& m);
  void end_read(ConnectionId to, RequestId request, Offset at, Errc reason, Bytes frames = {});
  void push(FollowKey key);
  void pushed(FollowKey key, Offset at, std::uint64_t started, Errc error, Bytes frames);
  void end_follow(FollowKey key);
  void hold(ConnectionId to, Held what);
  void page(ConnectionId to, RequestId request, Offset at, Errc reason, Bytes frames = {});
  std::uint64_t available(Offset at, std::uint64_t max) const;
  Errc why_nothing(Offset at) const;

  LogCore& s_;
  TailCache cache_;
  WaitingReads waiting_;
  std::map<FollowKey, Following> follows_;
  /// Idle follows, by their offset.
  std::set<std::pair<Offset, FollowKey>> idle_;
  /// One entry for each follow, at its tell_at or earlier: tell_at moves with each page, and a tick
  /// moves the entry.
  std::set<std::pair<Time, FollowKey>> tells_;
  std::map<ConnectionId, std::deque<Held>> held_;
  /// True within push()'s own fetch, whose loop then goes on by itself.
  bool pushing_ = false;
};

}  // namespace loglog::storage

// READ with wait and FOLLOW with credit (§7): raw bytes below the committed offset; nothing is
// parsed. Where segments and terms begin, whose first frames carry the leader's clock.
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
  using Fetched = std::function<void(Errc, Bytes)>;

  explicit Reader(LogCore& s) : s_(s) {}

  void read(ConnectionId from, RequestId request, const Read& m);
  void follow(ConnectionId from, RequestId request, const Follow& m);
  void credit(ConnectionId from, RequestId request, std::uint32_t bytes);
  /// Where committed segments and terms begin, from the file that holds `from` on.
  SegmentsAre segments(Offset from) const;
  /// The committed offset or the trim point has moved.
  void wake();
  /// The connection may get pages again (PageFlow).
  void resume(ConnectionId connection);
  /// The connection is gone.
  void forget(ConnectionId connection);
  /// The log is gone: every reader is told why.
  void end_all(Errc why);
  void tick();
  Time next_tick() const;

  void written(Offset at, const Bytes& bytes);
  void drop_cache();
  /// Bytes of frames [at, at + length) of one file, perhaps fewer from the cache; the cache answers
  /// from inside the call.
  void fetch(Offset at, std::uint64_t length, bool exact, Fetched fetched);

 private:
  // A follow is in one state: it has no credit, is fetching, held, or idle: at the end of what can
  // be read.
  struct Following {
    Offset at;
    std::uint64_t credit = 0;
    bool fetching = false;
    bool held = false;     ///< enough is under way to its connection
    Time tell_at = never;  ///< when a follower at the end of a log that is not matched is told so
    Time in_tells = never;
  };
  using FollowKey = std::pair<ConnectionId, RequestId>;
  struct Held {
    RequestId request;
    std::optional<Read> read;  ///< nullopt: a follow
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
  std::set<std::pair<Offset, FollowKey>> idle_;  ///< follows, by where they stand
  std::set<std::pair<Time, FollowKey>> tells_;   ///< one for each follow, at its tell_at or before
  std::map<ConnectionId, std::deque<Held>> held_;
  bool pushing_ = false;  ///< inside push()'s own fetch
};

}  // namespace loglog::storage

// READ with wait and FOLLOW with credit (§7): raw bytes below the committed offset; nothing is parsed. Where segments and terms begin,
// whose first frames carry the leader's clock.
#pragma once
#include <map>

#include "storage-node/core/log_core.h"
#include "storage-node/core/tail_cache.h"

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
  /// The connection is gone.
  void forget(ConnectionId connection);
  /// The log is gone: every reader is told why.
  void end_all(Errc why);
  void tick();
  Time next_tick() const;

  void written(Offset at, const Bytes& bytes);
  void drop_cache();
  /// Bytes of frames [at, at + length) of one file, perhaps fewer from the cache; the cache answers from inside the call.
  void fetch(Offset at, std::uint64_t length, bool exact, Fetched fetched);

 private:
  struct Waiting {
    ConnectionId from;
    RequestId request;
    Read read;
    Time deadline;
  };
  struct Following {
    Offset at;
    std::uint64_t credit = 0;
    bool fetching = false;
    Time tell_at = never;  ///< when a follower at the end of a log that is not matched is told so
  };
  using FollowKey = std::pair<ConnectionId, RequestId>;

  bool answer_now(ConnectionId from, RequestId request, const Read& m);
  void push(FollowKey key);
  void page(ConnectionId to, RequestId request, Offset at, Errc reason, Bytes frames = {});
  std::uint64_t available(Offset at, std::uint64_t max) const;
  Errc why_nothing(Offset at) const;

  LogCore& s_;
  TailCache cache_;
  std::vector<Waiting> waiting_;
  std::map<FollowKey, Following> follows_;
  bool pushing_ = false;  ///< inside push()'s own fetch
};

}  // namespace loglog::storage

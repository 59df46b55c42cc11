// Recently written bytes, kept by handle, from which tailing readers are served without the disk. A
// TailCache holds one contiguous range at the end of a log; Reader owns it. TailCaches keeps the
// caches of all logs of a node within a limit; Node owns it.
#pragma once
#include <cstdint>
#include <deque>
#include <list>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "storage-node/core/options.h"

namespace loglog::storage {

class TailCaches;

class TailCache {
 public:
  TailCache() = default;
  ~TailCache();
  TailCache(const TailCache&) = delete;
  TailCache& operator=(const TailCache&) = delete;

  /// Appends bytes that follow the bytes before; otherwise the cache is cleared first. Then drops
  /// the oldest ranges until the blocks take at most `bound` bytes. Copies bytes that are a small
  /// part of their block.
  void add(Offset at, const Bytes& bytes, std::uint64_t bound);
  /// Up to `length` bytes from `at` on, perhaps fewer; empty: the offset is not cached. Copies only
  /// if ranges are small.
  Bytes get(Offset at, std::uint64_t length) const;
  /// Memory that the ranges keep, in bytes of whole blocks.
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Range {
    Offset at;
    Bytes bytes;
  };
  /// Contiguous, in ascending order.
  std::deque<Range> ranges_;
  std::uint64_t bytes_ = 0;

  friend class TailCaches;
  void clear();
  /// Drops the oldest range, if there is a range.
  void drop_oldest();
  /// The list that this cache stands in, and its place there; nullptr: in none.
  TailCaches* list_ = nullptr;
  std::list<TailCache*>::iterator place_;
  Time written_{};
};

/// The caches to which bytes were added, and the memory that they share. Logs that nobody writes
/// any more would otherwise keep their share for ever, and leave nothing to the logs that are
/// written.
class TailCaches {
 public:
  /// `limits` must outlive this object, which must outlive every cache that it was given.
  explicit TailCaches(const TailCacheLimits& limits) : limits_(limits) {}

  /// Adds bytes to the cache. Beyond the limit of the node, the caches to which nothing was added
  /// for longest lose their oldest ranges first.
  void add(TailCache& cache, Time now, Offset at, const Bytes& bytes);
  void clear(TailCache& cache);
  /// Clears the caches to which nothing was added for TailCacheLimits::unused_max.
  void tick(Time now);
  Time next_tick() const;
  /// Memory that all caches keep, in bytes.
  std::uint64_t bytes() const { return bytes_; }

 private:
  friend class TailCache;
  void leave(TailCache& cache);

  const TailCacheLimits& limits_;
  std::uint64_t bytes_ = 0;
  /// The cache to which nothing was added for longest comes first.
  std::list<TailCache*> by_age_;
};

}  // namespace loglog::storage

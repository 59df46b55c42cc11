// Recently written bytes of one log, kept by handle, from which tailing readers are served without
// the disk. Holds one contiguous range at the log's end. Reader fills it; the limit over all logs
// is Reader's.
#pragma once
#include <cstdint>
#include <deque>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"

namespace loglog::storage {

class TailCache {
 public:
  /// Appends bytes that follow the bytes before; otherwise the cache is cleared first. Then drops
  /// the oldest ranges until the blocks take at most `bound` bytes. Copies bytes that are a small
  /// part of their block.
  void add(Offset at, const Bytes& bytes, std::uint64_t bound);
  void clear();
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
};

}  // namespace loglog::storage

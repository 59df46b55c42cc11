// Recently written bytes of one log, by handle: what tailing readers are served from.
#pragma once
#include <cstdint>
#include <deque>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"

namespace loglog::storage {

class TailCache {
 public:
  /// Adds bytes that follow the ones before (else the cache begins anew); keeps at most `bound`
  /// bytes of blocks. Copies what is a small part of its block.
  void add(Offset at, const Bytes& bytes, std::uint64_t bound);
  void clear();
  /// Up to `length` bytes from `at` on, perhaps fewer; empty: not cached. Copies only where ranges
  /// are small.
  Bytes get(Offset at, std::uint64_t length) const;
  /// Memory that they keep: whole blocks.
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Range {
    Offset at;
    Bytes bytes;
  };
  std::deque<Range> ranges_;
  std::uint64_t bytes_ = 0;
};

}  // namespace loglog::storage

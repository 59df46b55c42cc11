// Large blocks of memory that a client reuses; RunBuilder builds runs in them. Without the pool the
// allocator would map a large block for each run and unmap it afterwards, so the kernel would clear
// and fault in each of its pages once for each run.
#pragma once
#include <deque>

#include "proto-spec/vocabulary/bytes.h"

namespace loglog::client {

/// Not thread-safe: the pool belongs to the client's thread.
class BlockPool {
 public:
  /// Smaller blocks, bytes, come from the allocator's heap, which reuses them by itself.
  static constexpr std::size_t pooled_min = 128u << 10;
  /// Most bytes that the pool keeps while nothing is appended.
  static constexpr std::size_t kept_max = 4u << 20;

  /// Returns a block of `size` to twice `size` bytes, not initialised. The pool reuses a block when
  /// no other handle to it is left, so that neither a run nor a connection's queue can still read
  /// it.
  Bytes allocate(std::size_t size);

 private:
  std::deque<Bytes> blocks_;  // oldest first
  std::size_t kept_ = 0;      // total bytes of blocks_, at most kept_max
};

}  // namespace loglog::client

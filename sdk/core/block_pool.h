// Large blocks of memory that a client uses again and again. The allocator maps a large block anew
// for each run and unmaps it afterwards, so each page of it would be cleared by the kernel and
// faulted in once a run. Runs are built in these blocks.
#pragma once
#include <deque>

#include "proto-spec/vocabulary/bytes.h"

namespace loglog::client {

/// Not thread-safe: it belongs to the client's thread.
class BlockPool {
 public:
  /// Smaller blocks come from the allocator's heap, which keeps them by itself.
  static constexpr std::size_t pooled_min = 128u << 10;
  /// What the pool keeps while nothing is appended, bytes.
  static constexpr std::size_t kept_max = 4u << 20;

  /// A block of at least `size` bytes and at most twice as many, not initialised. A block is given
  /// out again once no other handle to it is left: neither a run nor a connection's queue uses it
  /// then.
  Bytes allocate(std::size_t size);

 private:
  std::deque<Bytes> blocks_;  // the oldest first
  std::size_t kept_ = 0;      // bytes of them
};

}  // namespace loglog::client

// How many of a log's replicas must answer. The write quorum is chosen with the log (C2); the other
// quorums follow from it. Used wherever answers are counted.
#pragma once
#include <algorithm>
#include <cstddef>

namespace loglog {

struct Quorum {
  std::size_t n = 0;  ///< replicas of the log
  std::size_t w = 0;  ///< the write quorum, 1 to n

  /// Durable copies that make a run committed (S6).
  constexpr std::size_t write() const { return w; }
  /// Answers that begin a term (S2). It meets every write quorum, so a seal quorum has every
  /// committed run.
  constexpr std::size_t seal() const { return n - w + 1; }
  /// Confirmations that make a tail linearizable (R2). It meets every seal quorum, so no later term
  /// had begun, and every write quorum, so each committed run is below the largest tail.
  constexpr std::size_t confirm() const { return std::max(write(), seal()); }
};

}  // namespace loglog

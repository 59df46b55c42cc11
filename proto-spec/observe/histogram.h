// Figures that a core counts: plain numbers without locks, read on the thread that counts them.
// Plain counters are std::uint64_t. Their text form is in prometheus_text.h.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proto-spec/vocabulary/errors.h"
#include "proto-spec/vocabulary/time.h"

namespace loglog::observe {

/// Upper bounds of the buckets, inclusive, ascending: microseconds here, bytes below. A value above
/// the last bound falls into an additional bucket.
inline constexpr std::array<std::uint64_t, 17> latency_bounds_us = {
    50,     100,     200,     500,     1'000,     2'000,     5'000,     10'000,    20'000,
    50'000, 100'000, 200'000, 500'000, 1'000'000, 2'000'000, 5'000'000, 10'000'000};
inline constexpr std::array<std::uint64_t, 9> size_bounds_bytes = {
    1u << 8, 1u << 10, 1u << 12, 1u << 14, 1u << 16, 1u << 18, 1u << 20, 1u << 22, 1u << 24};

/// Counts how often a value fell into each bucket. Fixed size, no allocation; counting is a linear
/// search through the bounds.
template <const auto& bounds_of>
class Histogram {
 public:
  static constexpr std::span<const std::uint64_t> bounds() { return bounds_of; }

  /// `times` counts the same value repeatedly, for example the latency of a run for each of its
  /// entries.
  void count(std::uint64_t value, std::uint64_t times = 1) {
    const auto bucket = std::find_if(bounds_of.begin(), bounds_of.end(),
                                     [value](std::uint64_t bound) { return value <= bound; });
    counts_[static_cast<std::size_t>(bucket - bounds_of.begin())] += times;
    sum_ += value * times;
  }
  /// Microseconds; a negative duration counts as 0.
  void count(Duration took, std::uint64_t times = 1) {
    count(static_cast<std::uint64_t>(std::max<Duration::rep>(0, took.count())), times);
  }

  /// A count for each bound, then the additional bucket; not cumulative.
  std::span<const std::uint64_t> counts() const { return counts_; }
  /// Sum of all values, in the unit of the bounds.
  std::uint64_t sum() const { return sum_; }

 private:
  std::array<std::uint64_t, bounds_of.size() + 1> counts_{};
  std::uint64_t sum_ = 0;
};

/// In microseconds.
using LatencyHistogram = Histogram<latency_bounds_us>;
/// In bytes.
using SizeHistogram = Histogram<size_bounds_bytes>;

/// How often each error was sent as an answer.
class ErrorCounts {
 public:
  /// Counts an answer with this error.
  void count(Errc e) { ++counts_[std::min<std::size_t>(static_cast<std::size_t>(e), numbers - 1)]; }
  std::uint64_t of(Errc e) const {
    return counts_[std::min<std::size_t>(static_cast<std::size_t>(e), numbers - 1)];
  }

  /// Above every number in errors.def. A larger number, from a newer peer, is counted in the last
  /// place.
  static constexpr std::size_t numbers = 128;

 private:
  std::array<std::uint64_t, numbers> counts_{};
};

}  // namespace loglog::observe

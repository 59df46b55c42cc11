// Figures that a core counts: plain numbers without locks, read by the thread that counts them.
// Counters are std::uint64_t.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proto-spec/vocabulary/errors.h"
#include "proto-spec/vocabulary/time.h"

namespace loglog::observe {

/// Upper ends of buckets, ascending; a value beyond the last is counted in one more.
inline constexpr std::array<std::uint64_t, 17> latency_bounds_us = {
    50,     100,     200,     500,     1'000,     2'000,     5'000,     10'000,    20'000,
    50'000, 100'000, 200'000, 500'000, 1'000'000, 2'000'000, 5'000'000, 10'000'000};
inline constexpr std::array<std::uint64_t, 9> size_bounds_bytes = {
    1u << 8, 1u << 10, 1u << 12, 1u << 14, 1u << 16, 1u << 18, 1u << 20, 1u << 22, 1u << 24};

/// How often a value fell into each bucket. Fixed size, no allocation; counting costs one search
/// through the bounds.
template <const auto& bounds_of>
class Histogram {
 public:
  static constexpr std::span<const std::uint64_t> bounds() { return bounds_of; }

  void count(std::uint64_t value, std::uint64_t times = 1) {
    const auto bucket = std::find_if(bounds_of.begin(), bounds_of.end(),
                                     [value](std::uint64_t bound) { return value <= bound; });
    counts_[static_cast<std::size_t>(bucket - bounds_of.begin())] += times;
    sum_ += value * times;
  }
  void count(Duration took, std::uint64_t times = 1) {
    count(static_cast<std::uint64_t>(std::max<Duration::rep>(0, took.count())), times);
  }

  /// One for each bound, and the one beyond; not cumulative.
  std::span<const std::uint64_t> counts() const { return counts_; }
  std::uint64_t sum() const { return sum_; }

 private:
  std::array<std::uint64_t, bounds_of.size() + 1> counts_{};
  std::uint64_t sum_ = 0;
};

/// Microseconds.
using LatencyHistogram = Histogram<latency_bounds_us>;
/// Bytes.
using SizeHistogram = Histogram<size_bounds_bytes>;

/// How often each error was answered.
class ErrorCounts {
 public:
  void count(Errc e) { ++counts_[std::min<std::size_t>(static_cast<std::size_t>(e), numbers - 1)]; }
  std::uint64_t of(Errc e) const {
    return counts_[std::min<std::size_t>(static_cast<std::size_t>(e), numbers - 1)];
  }

  /// Above every number of errors.def; what is not there shares the last place.
  static constexpr std::size_t numbers = 128;

 private:
  std::array<std::uint64_t, numbers> counts_{};
};

}  // namespace loglog::observe

// A small seeded random generator, which cores receive through their constructor. Drivers seed it
// from the operating system. The simulator takes the seed of its run, so that the run can be
// replayed.
#pragma once
#include <cstdint>

namespace loglog {

namespace detail {
__extension__ using Wide = unsigned __int128;
}

/// SplitMix64 with a single word of state. Ids and jitter need no better quality, and nothing here
/// is secret. Not thread-safe.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  /// Never 0, because ids use 0 for "none".
  std::uint64_t next_id() {
    std::uint64_t v = 0;
    while (v == 0) v = next();
    return v;
  }
  /// Uniform in [0, bound), up to a bias of bound / 2^64; bound > 0.
  std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<detail::Wide>(next()) * bound) >> 64);
  }
  /// True with probability `numerator / denominator`.
  bool chance(std::uint64_t numerator, std::uint64_t denominator) {
    return below(denominator) < numerator;
  }

 private:
  std::uint64_t state_;
};

}  // namespace loglog

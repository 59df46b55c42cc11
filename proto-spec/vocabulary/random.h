// Chance comes in through the door too: a small seeded generator, given at construction.
#pragma once
#include <cstdint>

namespace loglog {

/// xoshiro-class quality is not needed for ids and jitter: SplitMix64, one word of state, seeded by
/// the driver from the operating system and by the simulator from the run's seed.
namespace detail {
__extension__ using Wide = unsigned __int128;
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  /// Never 0: ids use 0 for "none".
  std::uint64_t next_id() {
    std::uint64_t v = 0;
    while (v == 0) v = next();
    return v;
  }
  /// Uniform in [0, bound); bound > 0.
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

// Time comes in through the door: cores are told the time and never ask for it. No safety rule
// reads it (R4).
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>

namespace loglog {

/// Names the driver's monotonic clock. It has no now(): only drivers read clocks.
struct MonotonicClock {
  using duration = std::chrono::microseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
};

using Duration = std::chrono::microseconds;
/// Monotonic microseconds since an arbitrary start, as the driver says.
using Time = MonotonicClock::time_point;

inline constexpr Time never = Time::max();
using namespace std::chrono_literals;

/// Milliseconds in the 32 bits of a message: 0 below none, all ones but one above what they hold
/// (all ones are for "never").
constexpr std::uint32_t saturated_ms(Duration d) {
  constexpr std::int64_t most = 0xFFFF'FFFE;
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(d).count(), 0, most));
}

}  // namespace loglog

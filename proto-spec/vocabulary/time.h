// Time types. Drivers tell a core the time with each call; a core never reads a clock. No safety
// rule reads the time (R4).
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>

namespace loglog {

/// Tag for the driver's monotonic clock. It has no now(), because only drivers read clocks.
struct MonotonicClock {
  using duration = std::chrono::microseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
};

using Duration = std::chrono::microseconds;
/// Monotonic microseconds since an arbitrary start that the driver chooses.
using Time = MonotonicClock::time_point;

/// A deadline that never comes.
inline constexpr Time never = Time::max();
using namespace std::chrono_literals;

/// Milliseconds in the 32 bits of a message. A negative duration gives 0. A duration that does not
/// fit gives the second-highest number, because the highest (all ones) means "never".
constexpr std::uint32_t saturated_ms(Duration d) {
  constexpr std::int64_t most = 0xFFFF'FFFE;
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(d).count(), 0, most));
}

}  // namespace loglog

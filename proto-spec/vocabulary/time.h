// Time comes in through the door: cores are told the time and never ask for it. No safety rule reads it (R4).
#pragma once
#include <chrono>

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

}  // namespace loglog

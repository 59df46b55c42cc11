// When to try again: the pause doubles from min to max, with jitter so that clients do not come
// back in step.
#pragma once
#include <algorithm>

#include "proto-spec/vocabulary/random.h"
#include "proto-spec/vocabulary/time.h"

namespace loglog::client {

class RetrySchedule {
 public:
  RetrySchedule(Duration min, Duration max) : min_(min), max_(max), pause_(min) {}
  /// The time of the next attempt after a failure now: half to one and a half of the pause due.
  Time after_failure(Time now, Random& random) {
    const auto half = pause_.count() / 2;
    const Duration d(half + static_cast<Duration::rep>(
                                random.below(static_cast<std::uint64_t>(pause_.count()) + 1)));
    pause_ = std::min(pause_ * 2, max_);
    return now + d;
  }
  void succeeded() { pause_ = min_; }

 private:
  Duration min_, max_, pause_;
};

}  // namespace loglog::client

// Times of repeated attempts. The pause doubles from min to max. Jitter keeps processes from
// returning in step after a failure that all of them saw. The cores of the SDK (ClusterView) and of
// the sequencer (Dialler) dial by it.
#pragma once
#include <algorithm>

#include "proto-spec/vocabulary/random.h"
#include "proto-spec/vocabulary/time.h"

namespace loglog {

class RetrySchedule {
 public:
  RetrySchedule(Duration min, Duration max) : min_(min), max_(max), pause_(min) {}
  /// Returns the time of the next attempt: 50 to 150 % of the current pause after `now`. Doubles
  /// the pause.
  Time after_failure(Time now, Random& random) {
    const auto half = pause_.count() / 2;
    const Duration d(half + static_cast<Duration::rep>(
                                random.below(static_cast<std::uint64_t>(pause_.count()) + 1)));
    pause_ = std::min(pause_ * 2, max_);
    return now + d;
  }
  /// Resets the pause to its minimum.
  void succeeded() { pause_ = min_; }

 private:
  Duration min_, max_, pause_;
};

}  // namespace loglog

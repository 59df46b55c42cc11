// Virtual time: a queue of events, ordered by time and then by the order of scheduling. Equal seeds
// therefore give equal runs. World owns the only scheduler; the simulation is single-threaded.
#pragma once
#include <functional>
#include <queue>
#include <vector>

#include "proto-spec/vocabulary/time.h"

namespace loglog::simulator {

/// Not thread-safe. Events may schedule further events.
class Scheduler {
 public:
  Time now() const { return now_; }

  /// Runs `what` at `when`, or next if `when` has passed.
  void at(Time when, std::function<void()> what) {
    queue_.push({std::max(when, now_), ++sequence_, std::move(what)});
  }
  void after(Duration delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }

  /// Runs all events up to and including `until`, and then sets the time to `until`. Stops early,
  /// at the time of the last event, if `stop()` returns true.
  template <class Stop>
  void run_until(Time until, Stop stop) {
    while (!queue_.empty() && queue_.top().when <= until) {
      auto what = std::move(const_cast<Item&>(queue_.top()).what);
      now_ = queue_.top().when;
      queue_.pop();
      ++events_;
      what();
      if (stop()) return;
    }
    now_ = std::max(now_, until);
  }

  /// How many events have run.
  std::uint64_t events() const { return events_; }

 private:
  struct Item {
    Time when;
    std::uint64_t sequence;
    std::function<void()> what;
    /// Std::priority_queue yields the greatest element first, so the order is inverted.
    bool operator<(const Item& o) const {
      return when != o.when ? when > o.when : sequence > o.sequence;
    }
  };
  Time now_{};
  std::uint64_t sequence_ = 0;
  std::uint64_t events_ = 0;
  std::priority_queue<Item> queue_;
};

}  // namespace loglog::simulator

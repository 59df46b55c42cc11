// Virtual time: events in order of time, then of scheduling.
#pragma once
#include <functional>
#include <queue>
#include <vector>

#include "proto-spec/vocabulary/time.h"

namespace loglog::simulator {

class Scheduler {
 public:
  Time now() const { return now_; }

  void at(Time when, std::function<void()> what) {
    queue_.push({std::max(when, now_), ++sequence_, std::move(what)});
  }
  void after(Duration delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }

  /// Runs events up to and including `until`; stops early when `stop` says so.
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

  std::uint64_t events() const { return events_; }

 private:
  struct Item {
    Time when;
    std::uint64_t sequence;
    std::function<void()> what;
    bool operator<(const Item& o) const {  // std::priority_queue gives the greatest first
      return when != o.when ? when > o.when : sequence > o.sequence;
    }
  };
  Time now_{};
  std::uint64_t sequence_ = 0;
  std::uint64_t events_ = 0;
  std::priority_queue<Item> queue_;
};

}  // namespace loglog::simulator

// The memory of appends under way, bounded, with the queue of the calls that wait for room.
// Callers: Log::append and its kin.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>

namespace loglog {

/// Thread-safe. Calls are admitted in the order of their arrival: a large entry waits until its
/// bytes are free, and the entries that come after it wait behind it, so that small ones cannot
/// starve it.
class AppendBudget {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Taken : std::uint8_t { yes, full, too_late };

  explicit AppendBudget(std::uint64_t limit) : limit_(limit) {}

  /// Takes `bytes`, which the caller gives back. `wait`: waits for its turn, at most until
  /// `deadline` (then too_late); otherwise a budget that has no room, or a queue before it, is
  /// `full`.
  Taken take(std::uint64_t bytes, bool wait, Clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    if (waiters_.empty() && fits(bytes)) {
      used_ += bytes;
      return Taken::yes;
    }
    if (!wait) return Taken::full;
    Waiter self(bytes);
    const auto place = waiters_.insert(waiters_.end(), &self);
    if (self.turn.wait_until(lock, deadline, [&self] { return self.admitted; })) return Taken::yes;
    waiters_.erase(place);
    admit();  // an entry behind this one may fit
    return Taken::too_late;
  }
  void give_back(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    used_ -= bytes;
    admit();
  }

 private:
  struct Waiter {
    explicit Waiter(std::uint64_t b) : bytes(b) {}
    std::uint64_t bytes;
    bool admitted = false;
    std::condition_variable turn;
  };
  /// An entry larger than the whole budget goes when nothing else is under way.
  bool fits(std::uint64_t bytes) const { return used_ == 0 || used_ + bytes <= limit_; }
  void admit() {
    while (!waiters_.empty() && fits(waiters_.front()->bytes)) {
      Waiter& first = *waiters_.front();
      waiters_.pop_front();
      used_ += first.bytes;
      first.admitted = true;
      first.turn.notify_one();  // under the lock: the waiter's stack frame outlives this call
    }
  }

  std::mutex mutex_;
  std::list<Waiter*> waiters_;  // in order of arrival
  std::uint64_t limit_;
  std::uint64_t used_ = 0;
};

}  // namespace loglog

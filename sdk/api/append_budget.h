// The bound on the memory of unfinished appends (ClientOptions::bytes_in_flight_max), with the
// queue of the calls that wait for room. Log::append takes bytes in the caller's thread; the
// client's thread gives them back when the append ends.
#pragma once
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>

#include "proto-spec/vocabulary/time.h"

namespace loglog {

/// Thread-safe. Calls are admitted in the order of their arrival. Entries that arrive after a large
/// entry wait behind it until its bytes are free, so that small entries cannot starve it.
class AppendBudget {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Taken : std::uint8_t { yes, full, too_late };

  /// `limit`: bytes of frames.
  explicit AppendBudget(std::uint64_t limit) : limit_(limit) {}

  /// Takes `bytes`; after `yes` the caller must give them back. With `wait` the call blocks until
  /// its turn, at most for `left`, and then returns too_late; the time that it waited is taken off
  /// `left`. Without `wait` it returns full if there is no room, or if other calls are waiting. A
  /// call that finds room reads no clock.
  Taken take(std::uint64_t bytes, bool wait, Duration& left) {
    std::unique_lock lock(mutex_);
    if (waiters_.empty() && fits(bytes)) {
      used_ += bytes;
      return Taken::yes;
    }
    if (!wait) return Taken::full;
    const auto begun = Clock::now();
    Waiter self(bytes);
    const auto place = waiters_.insert(waiters_.end(), &self);
    const bool admitted =
        self.turn.wait_until(lock, begun + left, [&self] { return self.admitted; });
    left -= std::min(left, std::chrono::ceil<Duration>(Clock::now() - begun));
    if (admitted) return Taken::yes;
    waiters_.erase(place);
    admit();  // this entry no longer blocks the entries behind it, which may fit
    return Taken::too_late;
  }
  /// Frees bytes and admits waiting calls. Does not block.
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
  /// An entry larger than the whole budget is admitted when nothing else is under way.
  bool fits(std::uint64_t bytes) const { return used_ == 0 || used_ + bytes <= limit_; }
  /// Admits waiting calls from the front, as far as they fit. Called with the lock held.
  void admit() {
    while (!waiters_.empty() && fits(waiters_.front()->bytes)) {
      Waiter& first = *waiters_.front();
      waiters_.pop_front();
      used_ += first.bytes;
      first.admitted = true;
      // Under the lock, because afterwards the waiter may return and destroy `first`, which lives
      // in its stack frame.
      first.turn.notify_one();
    }
  }

  std::mutex mutex_;
  std::list<Waiter*> waiters_;  // in order of arrival; each lives in the stack of its call
  std::uint64_t limit_;
  std::uint64_t used_ = 0;  // at most limit_, unless a single larger entry has all of it
};

}  // namespace loglog

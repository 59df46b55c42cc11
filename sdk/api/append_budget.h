// The bound on the memory of unfinished appends (ClientOptions::bytes_in_flight_max), with the
// queue of the calls that wait for room, and the count of unfinished appends, on which
// Client::flush waits. Log::append takes bytes in the caller's thread; the client's thread gives
// them back when the append ends.
#pragma once
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <utility>

#include "proto-spec/vocabulary/time.h"

namespace loglog {

/// Thread-safe. Calls are admitted in the order of their arrival. Entries that arrive after a large
/// entry wait behind it until its bytes are free, so that small entries cannot starve it.
class AppendBudget {
 public:
  using Clock = std::chrono::steady_clock;
  enum class How : std::uint8_t { taken, full, too_late };
  struct Taken {
    How how = How::taken;
    std::uint64_t epoch = 0;  ///< with `taken`: for give_back()
  };

  /// `limit`: bytes of frames.
  explicit AppendBudget(std::uint64_t limit) : limit_(limit) {}

  /// Takes `bytes`; after `taken` the caller must give them back. With `wait` the call blocks until
  /// its turn, at most for `left`, and then returns too_late; the time that it waited is taken off
  /// `left`. Without `wait` it returns full if there is no room, or if other calls are waiting. A
  /// call that finds room reads no clock.
  Taken take(std::uint64_t bytes, bool wait, Duration& left) {
    std::unique_lock lock(mutex_);
    if (waiters_.empty() && fits(bytes)) {
      used_ += bytes;
      return begin();
    }
    if (!wait) return {How::full};
    const auto begun = Clock::now();
    Waiter self(bytes);
    const auto place = waiters_.insert(waiters_.end(), &self);
    const bool admitted =
        self.turn.wait_until(lock, begun + left, [&self] { return self.admitted; });
    left -= std::min(left, std::chrono::ceil<Duration>(Clock::now() - begun));
    if (admitted) return begin();
    waiters_.erase(place);
    admit();  // this entry no longer blocks the entries behind it, which may fit
    return {How::too_late};
  }
  /// Ends an append: frees its bytes and admits waiting calls. Does not block.
  void give_back(std::uint64_t bytes, std::uint64_t epoch) {
    const std::lock_guard lock(mutex_);
    used_ -= bytes;
    if (!waiters_.empty()) admit();
    if (epoch == epoch_) {
      --under_way_;
    } else if (const auto e = earlier_.find(epoch); --e->second == 0) {
      earlier_.erase(e);
      fewer_.notify_all();
    }
  }
  /// Blocks until every append that was taken before this call has ended, for at most `wait`.
  /// Returns how many of them are still under way.
  std::uint64_t wait_for_earlier(Duration wait) {
    std::unique_lock lock(mutex_);
    const std::uint64_t last = epoch_++;
    if (const std::uint64_t n = std::exchange(under_way_, 0); n > 0) earlier_.emplace(last, n);
    const auto all_ended = [&] { return earlier_.empty() || earlier_.begin()->first > last; };
    fewer_.wait_until(lock, Clock::now() + wait, all_ended);
    std::uint64_t left = 0;
    for (const auto& [epoch, n] : earlier_)
      if (epoch <= last) left += n;
    return left;
  }

 private:
  struct Waiter {
    explicit Waiter(std::uint64_t b) : bytes(b) {}
    std::uint64_t bytes;
    bool admitted = false;
    std::condition_variable turn;
  };
  /// Counts an append in the current epoch. Called with the lock held.
  Taken begin() {
    ++under_way_;
    return {How::taken, epoch_};
  }
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
  // Each wait_for_earlier() begins an epoch, so that it waits for no append that is taken later.
  std::uint64_t epoch_ = 0;
  std::uint64_t under_way_ = 0;                     // appends of this epoch
  std::map<std::uint64_t, std::uint64_t> earlier_;  // appends of earlier epochs, if any
  std::condition_variable fewer_;
};

}  // namespace loglog

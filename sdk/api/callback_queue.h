// The application's callbacks on their way to ClientOptions::executor: in order, and never two at
// the same time. Only clients with an executor have a queue; the callbacks of other clients run on
// the client's thread as they come.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "proto-spec/vocabulary/time.h"

namespace loglog {

/// Runs a callback of the application. An exception that leaves it ends the program by
/// std::terminate: on the client's thread it would unwind through libuv's C frames and
/// half-finished steps of the client.
template <class F>
void call_back(F&& f) noexcept {
  std::forward<F>(f)();
}

/// Thread-safe. Owned by shared_ptr, because the executor may run callbacks after their client is
/// gone. Gives the executor a function only while it holds none, which runs every callback that
/// waits: so even an executor with many threads runs them in order.
class CallbackQueue : public std::enable_shared_from_this<CallbackQueue> {
 public:
  using Executor = std::function<void(std::function<void()>)>;

  /// `executor` must not be empty. It must run every function that it is given, once.
  explicit CallbackQueue(Executor executor) : executor_(std::move(executor)) {}

  /// Adds a callback behind all earlier callbacks. Runs it in this call only if the executor does.
  void run(std::function<void()> callback) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(callback));
      ++added_;
      if (std::exchange(handed_over_, true)) return;
    }
    call_back([this] { executor_([self = shared_from_this()] { self->run_waiting(); }); });
  }
  /// Whether this thread runs a callback of this queue now.
  bool in_callback() const { return runs_in_ == std::this_thread::get_id(); }
  /// Waits until every callback that was added before this call has run, for at most `wait`.
  bool wait_for_earlier(Duration wait) {
    std::unique_lock lock(mutex_);
    return progress_.wait_until(lock, std::chrono::steady_clock::now() + wait,
                                [this, last = added_] { return ran_ >= last; });
  }

 private:
  void run_waiting() {
    std::unique_lock lock(mutex_);
    while (!waiting_.empty()) {
      {
        const std::function<void()> callback = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        runs_in_ = std::this_thread::get_id();
        call_back(callback);
        runs_in_ = std::thread::id{};
      }  // the callback's captures go without the lock, because their destructors may call the SDK
      lock.lock();
      ++ran_;
      progress_.notify_all();
    }
    handed_over_ = false;
  }

  const Executor executor_;
  std::atomic<std::thread::id> runs_in_{};  // the thread that runs a callback now; none: no thread
  std::mutex mutex_;                        // guards all that follows; not held in a callback
  std::condition_variable progress_;
  std::deque<std::function<void()>> waiting_;
  bool handed_over_ = false;  // the executor holds run_waiting(), or runs it
  std::uint64_t added_ = 0, ran_ = 0;
};

}  // namespace loglog

// One event loop: one thread runs it, others post to it.
#pragma once
#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/time.h"

namespace loglog::transport {

/// Something with output gathered during a turn of the loop.
class Flushable {
 public:
  virtual ~Flushable() = default;
  virtual void flush() = 0;
};

/// Bytes of all connections of a loop, since it was made.
struct Traffic {
  std::uint64_t received = 0;
  std::uint64_t sent = 0;       ///< or queued to be
  std::uint64_t queued = 0;     ///< now: not yet taken by the kernel
  std::uint64_t receiving = 0;  ///< now: memory of the blocks into which connections receive
};

/// libuv loop with what drivers need. All members but post() and stop() belong to the loop's
/// thread.
class Loop {
 public:
  /// The way to a loop from other threads, which may outlive it.
  class Mailbox {
   public:
    using Ptr = std::shared_ptr<Mailbox>;
    /// From any thread: `work` runs on the loop's thread; wakes the loop once for many. Dropped
    /// when the loop is gone.
    void post(std::function<void()> work);

   private:
    friend class Loop;
    std::mutex mutex_;
    std::vector<std::function<void()>> posted_;
    uv_async_t* wake_ = nullptr;  // while the loop is there
  };

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs until stop(). Closes every handle before it returns. Blocks SIGPIPE in the calling
  /// thread, for good: writing to a peer that has gone is an error of that connection, and the
  /// process that uses this library keeps its own handlers.
  void run();
  /// From any thread: run() returns soon.
  void stop();
  /// As the mailbox's.
  void post(std::function<void()> work) { mailbox_->post(std::move(work)); }
  const Mailbox::Ptr& mailbox() const { return mailbox_; }

  /// The driver's monotonic clock; cached for the turn of the loop.
  Time now() const;
  /// One timer: calls `on_wake` once at `when` (never: not at all); a later call replaces it.
  void set_wake(Time when, std::function<void()> on_wake);
  /// On the loop's thread: runs `work` whenever the descriptor is readable, until the returned
  /// guard goes (before the loop).
  std::shared_ptr<void> watch(int descriptor, std::function<void()> work);
  /// A timer of its own, once after `delay`; not to be cancelled.
  void after(Duration delay, std::function<void()> work);
  /// Called at the end of every turn that did something, before the loop sleeps: drivers step and
  /// flush here.
  void on_turn_end(std::function<void()> work) { turn_end_.push_back(std::move(work)); }
  /// flush() is called once at the end of this turn, after the work of on_turn_end().
  void flush_later(std::shared_ptr<Flushable> what) { dirty_.push_back(std::move(what)); }
  /// SIGINT and SIGTERM call `work` on the loop's thread.
  void on_stop_signal(std::function<void()> work);
  /// SIGHUP calls `work` on the loop's thread.
  void on_hangup(std::function<void()> work);

  Traffic& traffic() { return traffic_; }
  /// A receive block that nobody uses, kept for the next connection of which something comes.
  /// Empty: there is none.
  Bytes& spare_block() { return spare_block_; }

  uv_loop_t* raw() { return &loop_; }

 private:
  struct Once {
    uv_timer_t timer{};
    Loop* loop = nullptr;
    std::function<void()> work;
  };
  void run_posted();
  void on_signal(uv_signal_t& signal, int number, std::function<void()>& work);
  void end_turn();
  uv_loop_t loop_{};
  Traffic traffic_;
  Bytes spare_block_;
  uv_async_t async_{};
  uv_timer_t wake_timer_{};
  uv_prepare_t prepare_{};
  uv_signal_t signals_[3]{};
  std::function<void()> on_wake_;
  std::function<void()> on_stop_;
  std::function<void()> on_hangup_;
  std::vector<std::function<void()>> turn_end_;
  Mailbox::Ptr mailbox_ = std::make_shared<Mailbox>();
  std::vector<std::shared_ptr<Flushable>> dirty_;
  std::set<Once*> timers_;
};

}  // namespace loglog::transport

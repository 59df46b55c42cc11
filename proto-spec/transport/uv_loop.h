// The event loop of a node or client: a thread runs it, other threads post to it. Timers, signals
// and the work at the end of a turn are here; streams and connections stand on it.
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

/// Has output that is gathered during a turn of the loop and sent at its end.
class Flushable {
 public:
  virtual ~Flushable() = default;
  virtual void flush() = 0;
};

/// Bytes of all connections of a loop, since it was made. Connections count them on the loop's
/// thread.
struct Traffic {
  std::uint64_t received = 0;
  std::uint64_t sent = 0;       ///< sent, or queued to be sent
  std::uint64_t queued = 0;     ///< now: not yet taken by the kernel
  std::uint64_t receiving = 0;  ///< now: memory of the connections' receive blocks
};

/// A libuv loop with the services that drivers need. All members but post(), stop() and the mailbox
/// belong to the loop's thread.
class Loop {
 public:
  /// The way to a loop from other threads. A mailbox may outlive its loop.
  class Mailbox {
   public:
    using Ptr = std::shared_ptr<Mailbox>;
    /// From any thread: `work` runs on the loop's thread. The loop is woken once for many posts.
    /// The work is dropped if the loop is gone.
    void post(std::function<void()> work);

   private:
    friend class Loop;
    std::mutex mutex_;
    std::vector<std::function<void()>> posted_;
    uv_async_t* wake_ = nullptr;  // null once the loop is gone
  };

  Loop();
  /// Closes all handles; posted work that has not run is dropped.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs until stop(). Blocks SIGPIPE in the calling thread, for good: a write to a peer that has
  /// gone must be an error of that connection. The process's signal handlers are not touched.
  void run();
  /// From any thread: run() returns soon.
  void stop();
  /// As Mailbox::post(). The loop must still exist.
  void post(std::function<void()> work) { mailbox_->post(std::move(work)); }
  const Mailbox::Ptr& mailbox() const { return mailbox_; }

  /// The driver's monotonic clock; each call reads it again.
  Time now() const;
  /// The driver's single wake-up: calls `on_wake` once at `when`, or not at all for `never`. A
  /// later call replaces it.
  void set_wake(Time when, std::function<void()> on_wake);
  /// Runs `work` whenever `descriptor` is readable, until the returned guard goes. The guard must
  /// go before the loop.
  std::shared_ptr<void> watch(int descriptor, std::function<void()> work);
  /// Runs `work` once after `delay`, with a timer of its own. It cannot be cancelled, so the work
  /// must check whether its object still exists.
  void after(Duration delay, std::function<void()> work);
  /// Called at the end of every turn of the loop, before it sleeps. Drivers step their core here.
  /// Never removed.
  void on_turn_end(std::function<void()> work) { turn_end_.push_back(std::move(work)); }
  /// Calls flush() once at the end of this turn, after the work of on_turn_end().
  void flush_later(std::shared_ptr<Flushable> what) { dirty_.push_back(std::move(what)); }
  /// SIGINT and SIGTERM call `work` on the loop's thread. Only for a process that belongs to the
  /// server.
  void on_stop_signal(std::function<void()> work);
  /// SIGHUP calls `work` on the loop's thread.
  void on_hangup(std::function<void()> work);

  Traffic& traffic() { return traffic_; }
  /// A receive block that no connection uses, kept for the next connection on which bytes arrive;
  /// may be empty.
  Bytes& spare_block() { return spare_block_; }

  /// For libuv calls of the transport files.
  uv_loop_t* raw() { return &loop_; }

 private:
  // A timer of after().
  struct Once {
    uv_timer_t timer{};
    Loop* loop = nullptr;
    std::function<void()> work;
  };
  void run_posted();
  void on_signal(uv_signal_t& signal, int number, std::function<void()>& work);
  // Work of on_turn_end(), then flushes.
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
  // Pending timers of after(), freed with the loop.
  std::set<Once*> timers_;
};

}  // namespace loglog::transport

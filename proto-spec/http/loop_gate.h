// The gate between the HTTP server's threads and the thread that owns a node's state. A page asks
// through the gate; the node's thread runs the question.
#pragma once
#include <chrono>
#include <condition_variable>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>

#include "proto-spec/http/pages.h"

namespace loglog::http {

/// Thread-safe. Work handed to ask() runs on the node's thread or not at all. The asking thread
/// waits for a bounded time, so that a busy node cannot pile up page threads.
class LoopGate {
 public:
  using Post = std::function<void(std::function<void()>)>;

  /// `post` runs work on the node's thread, and must outlive every ask(). `patience`: the longest
  /// wait of ask().
  explicit LoopGate(Post post, std::chrono::milliseconds patience = std::chrono::milliseconds(1000))
      : post_(std::move(post)), patience_(patience) {}

  /// Runs `work` on the node's thread and returns its result; or 503 with a sentence if the thread
  /// did not answer in time or has ended. After ask() has returned, `work` does not begin any more.
  /// Work that has begun may still be running then, so it must own everything it touches apart from
  /// the node's own state.
  template <class Work>
  std::expected<std::invoke_result_t<Work>, Answer> ask(Work work) {
    auto asked = std::make_shared<Asked<std::invoke_result_t<Work>>>();
    post_([gate = gate_, asked, work = std::move(work)]() mutable {
      {
        std::lock_guard lock(gate->mutex);
        // Checked under the lock: after a timeout the asking page has gone, and after close() the
        // node's state has.
        if (gate->closed || asked->given_up) return;
      }
      auto result = work();
      std::lock_guard lock(gate->mutex);
      asked->result = std::move(result);
      gate->changed.notify_all();
    });
    std::unique_lock lock(gate_->mutex);
    const auto over = [&] { return asked->result.has_value() || gate_->closed; };
    if (!gate_->changed.wait_for(lock, patience_, over)) {
      asked->given_up = true;
      return std::unexpected(unanswered("the loop did not answer within " +
                                        std::to_string(patience_.count()) + " ms"));
    }
    if (!asked->result) return std::unexpected(unanswered("the node is stopping"));
    return std::move(*asked->result);
  }

  /// Called before the node's state goes, on the node's thread or after that thread has ended.
  /// Nothing is asked from then on, and every waiting page gets its 503.
  void close() {
    std::lock_guard lock(gate_->mutex);
    gate_->closed = true;
    gate_->changed.notify_all();
  }

 private:
  /// A question: its result, or the mark that nobody waits any more. Guarded by Gate::mutex.
  template <class T>
  struct Asked {
    bool given_up = false;
    std::optional<T> result;
  };
  /// Shared with posted work, which may outlive the LoopGate.
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool closed = false;
  };
  static Answer unanswered(std::string why) { return {503, std::move(why) + "\n"}; }

  Post post_;
  std::chrono::milliseconds patience_;
  std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

}  // namespace loglog::http

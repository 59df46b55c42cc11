// How a page asks the thread that a node's state belongs to.
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

/// Thread-safe. What is asked runs on the node's thread or not at all; whoever asks waits for a
/// bounded time.
class LoopGate {
 public:
  using Post = std::function<void(std::function<void()>)>;

  /// `post` runs work on the node's thread, and must outlive every ask(). `patience`: how long
  /// ask() waits.
  explicit LoopGate(Post post, std::chrono::milliseconds patience = std::chrono::milliseconds(1000))
      : post_(std::move(post)), patience_(patience) {}

  /// The result of `work`, which the node's thread runs; or 503 with a sentence where it did not
  /// come to it in time, or has ended. Once ask() has returned, `work` is not begun any more; but
  /// what has begun may still run, so it owns all that is not the node's.
  template <class Work>
  std::expected<std::invoke_result_t<Work>, Answer> ask(Work work) {
    auto asked = std::make_shared<Asked<std::invoke_result_t<Work>>>();
    post_([gate = gate_, asked, work = std::move(work)]() mutable {
      {
        std::lock_guard lock(gate->mutex);
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

  /// On the node's thread, or after it has ended, before its state goes: nothing is asked any more,
  /// and whoever waits is answered.
  void close() {
    std::lock_guard lock(gate_->mutex);
    gate_->closed = true;
    gate_->changed.notify_all();
  }

 private:
  template <class T>
  struct Asked {
    bool given_up = false;
    std::optional<T> result;
  };
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

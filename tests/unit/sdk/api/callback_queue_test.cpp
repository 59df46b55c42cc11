// The way of callbacks to an executor: in order, one at a time, and each once, whatever threads the
// executor has and whenever it runs.
#include "sdk/api/callback_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

using namespace loglog;
using namespace std::chrono_literals;

namespace {

/// An executor that keeps its functions until the test runs them.
struct Kept {
  std::vector<std::function<void()>> functions;
  std::shared_ptr<CallbackQueue> queue = std::make_shared<CallbackQueue>(
      [this](std::function<void()> f) { functions.push_back(std::move(f)); });
  void run_all() {
    for (auto& f : std::exchange(functions, {})) f();
  }
};

}  // namespace

TEST_CASE("callbacks run in order, and the executor holds a single function at a time") {
  Kept kept;
  std::vector<int> ran;
  for (int i = 0; i < 3; ++i) kept.queue->run([&ran, i] { ran.push_back(i); });
  CHECK(ran.empty());
  REQUIRE(kept.functions.size() == 1);
  kept.run_all();
  CHECK(ran == std::vector{0, 1, 2});
  kept.queue->run([&ran] { ran.push_back(3); });
  CHECK(kept.functions.size() == 1);  // the queue was empty, so it asks again
  kept.run_all();
  CHECK(ran.back() == 3);
}

TEST_CASE("an executor of many threads runs no two callbacks at once, and all of them in order") {
  std::vector<std::jthread> threads;
  std::mutex mutex;
  const auto queue = std::make_shared<CallbackQueue>([&](std::function<void()> f) {
    const std::lock_guard lock(mutex);
    threads.emplace_back(std::move(f));
  });
  std::atomic<int> running = 0;
  std::vector<int> ran;  // guarded by the promise that is tested
  bool apart = true;
  constexpr int count = 2000;
  for (int i = 0; i < count; ++i)
    queue->run([&, i] {
      apart = apart && ++running == 1;
      ran.push_back(i);
      --running;
    });
  REQUIRE(queue->wait_for_earlier(20s));
  CHECK(apart);
  REQUIRE(ran.size() == count);
  CHECK(std::ranges::is_sorted(ran));
  const std::lock_guard lock(mutex);
  for (auto& t : threads) t.join();
}

TEST_CASE("an executor may run callbacks in the call, and a callback may add another") {
  const auto queue = std::make_shared<CallbackQueue>([](const std::function<void()>& f) { f(); });
  std::vector<int> ran;
  queue->run([&] {
    ran.push_back(1);
    queue->run([&ran] { ran.push_back(2); });
    ran.push_back(3);  // a callback is never inside another
  });
  CHECK(ran == std::vector{1, 3, 2});
}

TEST_CASE("a wait covers the callbacks before it alone, and ends by its time") {
  Kept kept;
  CHECK(kept.queue->wait_for_earlier(0ms));
  bool waited = false;
  kept.queue->run([&] {
    CHECK(kept.queue->in_callback());
    waited = true;
  });
  CHECK_FALSE(kept.queue->in_callback());
  CHECK_FALSE(kept.queue->wait_for_earlier(5ms));
  kept.run_all();
  CHECK(waited);
  CHECK(kept.queue->wait_for_earlier(0ms));
}

TEST_CASE("callbacks that wait run although their client has gone") {
  Kept kept;
  int ran = 0;
  kept.queue->run([&ran] { ++ran; });
  kept.queue.reset();
  kept.run_all();
  CHECK(ran == 1);
}

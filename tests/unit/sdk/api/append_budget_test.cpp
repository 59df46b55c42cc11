// The budget of bytes in flight (spec/09 "bytes of appends under way"): appends wait in order of
// arrival, at most until their own deadlines, and the budget is never exceeded.
#include "sdk/api/append_budget.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

using namespace loglog;
using namespace std::chrono_literals;
using How = AppendBudget::How;

namespace {
/// The time that a call of this thread has left.
Duration& in(std::chrono::milliseconds t) {
  thread_local Duration left{};
  return left = t;
}
}  // namespace

TEST_CASE(
    "an append that finds the budget used up waits until its own deadline, not until the others "
    "end (F07)") {
  AppendBudget budget(100);
  REQUIRE(budget.take(80, true, in(0ms)).how == How::taken);
  CHECK(budget.take(30, false, in(10s)).how == How::full);
  const auto begin = AppendBudget::Clock::now();
  CHECK(budget.take(30, true, in(30ms)).how == How::too_late);
  const auto took = AppendBudget::Clock::now() - begin;
  CHECK(took >= 30ms);
  CHECK(took < 5s);
  Duration left = 60s;
  std::thread gives_back([&budget] {
    // A refusal shows that the other call waits; from then on its time runs.
    while (budget.take(10, false, in(0ms)).how == How::taken) budget.give_back(10, 0);
    std::this_thread::sleep_for(2ms);
    budget.give_back(30, 0);
  });
  CHECK(budget.take(30, true, left).how == How::taken);
  gives_back.join();
  CHECK(left <= 60s - 1ms);  // what it waited is taken off its deadline
  budget.give_back(30, 0);
  REQUIRE(budget.take(30, true, left).how == How::taken);
  budget.give_back(80, 0);
  CHECK(budget.take(100, true, in(0ms)).how ==
        How::taken);  // a call that gave up has taken nothing
}

TEST_CASE(
    "entries are admitted in the order of their calls, so that small ones do not starve a large "
    "one (F07)") {
  AppendBudget budget(100);
  REQUIRE(budget.take(60, true, in(0ms)).how == How::taken);
  std::atomic<int> large = 0;
  // The large entry exceeds the whole budget; it is admitted once nothing else is in flight.
  std::thread waits([&] { large = budget.take(1000, true, in(60s)).how == How::taken ? 1 : -1; });
  // A small entry would fit, but a waiting call has precedence. A refusal therefore shows that the
  // large entry stands in the queue.
  while (budget.take(10, false, in(0ms)).how == How::taken) budget.give_back(10, 0);
  CHECK(budget.take(10, true, in(5ms)).how == How::too_late);
  // The budget is free, so the large entry takes it all.
  budget.give_back(60, 0);
  waits.join();
  CHECK(large == 1);
  CHECK(budget.take(10, false, in(0ms)).how == How::full);
  budget.give_back(1000, 0);
  CHECK(budget.take(10, false, in(0ms)).how == How::taken);
}

TEST_CASE("a large entry that gives up lets those behind it go (F07)") {
  AppendBudget budget(100);
  REQUIRE(budget.take(60, true, in(0ms)).how == How::taken);
  std::thread large([&] { CHECK(budget.take(1000, true, in(50ms)).how == How::too_late); });
  while (budget.take(10, false, in(0ms)).how == How::taken) budget.give_back(10, 0);
  // The small entry waits behind the large entry and goes on as soon as that gives up.
  CHECK(budget.take(10, true, in(60s)).how == How::taken);
  large.join();
}

TEST_CASE("a flush waits for the appends before it alone, and counts those that are left (B)") {
  AppendBudget budget(100);
  CHECK(budget.wait_for_earlier(0ms) == 0);
  const auto first = budget.take(10, true, in(0ms));
  const auto second = budget.take(10, true, in(0ms));
  CHECK(budget.wait_for_earlier(1ms) == 2);
  const auto later = budget.take(10, true, in(0ms));
  CHECK(later.epoch > first.epoch);
  budget.give_back(10, second.epoch);
  CHECK(budget.wait_for_earlier(1ms) == 2);  // the first append and the later one
  std::atomic<bool> waits = false;
  std::uint64_t left = 9;
  std::thread flush([&] {
    waits = true;
    left = budget.wait_for_earlier(60s);
  });
  while (!waits) std::this_thread::yield();
  budget.give_back(10, first.epoch);
  budget.give_back(10, later.epoch);
  flush.join();
  CHECK(left == 0);
  const auto last = budget.take(10, true, in(0ms));
  budget.give_back(10, last.epoch);
  CHECK(budget.wait_for_earlier(0ms) == 0);
}

TEST_CASE("the budget is never exceeded, whoever takes and gives back") {
  AppendBudget budget(100);
  std::atomic<int> used = 0, over = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, bytes = 10 + 15 * i] {
      for (int n = 0; n < 500; ++n) {
        if (budget.take(static_cast<std::uint64_t>(bytes), true, in(60s)).how != How::taken) ++over;
        // `used` is raised after take() and lowered before give_back(), so it never counts too
        // much.
        if ((used += bytes) > 100) ++over;
        used -= bytes;
        budget.give_back(static_cast<std::uint64_t>(bytes), 0);
      }
    });
  for (auto& t : threads) t.join();
  CHECK(over == 0);
}

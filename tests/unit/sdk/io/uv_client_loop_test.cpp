// The turns of the thread that clients share: a thousand idle clients must cost it nothing, and a
// client may go while the others run on.
#include "sdk/io/uv_client_loop.h"

#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <future>
#include <memory>

using namespace loglog;
using namespace loglog::client;

namespace {

/// Counts its calls. Other threads read the counts only after an answer of `on_calls`.
struct Counting : ClientLoop::Member {
  std::function<void()> on_calls = [] {};
  std::function<void()> on_tick = [] {};
  Time next = never;
  int calls = 0, ticks = 0, turns = 0;

  void take_calls() override {
    ++calls;
    const auto work = on_calls;  // the work may replace it
    work();
  }
  void tick() override {
    ++ticks;
    next = never;
    on_tick();
  }
  Time perform() override {
    ++turns;
    return next;
  }
};

/// Runs `work` in take_calls() of the member and waits until it has run.
void in_call(ClientLoop& loop, Counting& member, const std::function<void()>& work) {
  std::promise<void> ran;
  member.on_calls = [&] {
    work();
    member.on_calls = [] {};
    ran.set_value();
  };
  loop.call(member);
  ran.get_future().wait();
}

void remove(ClientLoop& loop, Counting& member) {
  in_call(loop, member, [&] { loop.remove(member); });
}

}  // namespace

TEST_CASE("client loop: a turn performs the clients to which something happened, and no other") {
  ClientLoop loop("test");
  Counting busy, idle;
  for (int i = 0; i < 3; ++i) in_call(loop, busy, [] {});
  int turns_of_the_busy = 0;
  in_call(loop, idle, [&] { turns_of_the_busy = busy.turns; });
  CHECK(turns_of_the_busy >= 1);
  CHECK(busy.calls == 3);
  int turns_of_the_idle = 0;
  in_call(loop, busy, [&] { turns_of_the_idle = idle.turns; });
  for (int i = 0; i < 3; ++i) in_call(loop, busy, [] {});
  in_call(loop, busy, [&] { CHECK(idle.turns == turns_of_the_idle); });
  CHECK(idle.calls == 1);
  remove(loop, busy);
  remove(loop, idle);
}

TEST_CASE("client loop: each client is ticked once at its own time") {
  ClientLoop loop("test");
  std::array<Counting, 3> members;
  std::array<std::promise<Time>, 3> ticked;
  std::array<Time, 3> due;
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i].on_tick = [&, i] { ticked[i].set_value(loop.loop().now()); };
    in_call(loop, members[i], [&, i] {
      due[i] = loop.loop().now() + std::chrono::milliseconds(10 * (3 - static_cast<int>(i)));
      members[i].next = due[i];
    });
  }
  for (std::size_t i = 0; i < members.size(); ++i) CHECK(ticked[i].get_future().get() >= due[i]);
  for (Counting& m : members) {
    remove(loop, m);
    CHECK(m.ticks == 1);
  }
}

TEST_CASE("client loop: a client that was removed is not called any more") {
  ClientLoop loop("test");
  Counting stays;
  auto goes = std::make_unique<Counting>();
  in_call(loop, *goes, [&] {
    goes->next = loop.loop().now() + std::chrono::milliseconds(1);
    loop.step(*goes);
  });
  // It was called, stepped and has a time to tick: all of that must be forgotten.
  in_call(loop, *goes, [&] {
    loop.call(*goes);
    loop.remove(*goes);
  });
  goes.reset();
  std::promise<void> ticked;
  stays.on_tick = [&] { ticked.set_value(); };
  in_call(loop, stays, [&] { stays.next = loop.loop().now() + std::chrono::milliseconds(20); });
  ticked.get_future().wait();
  remove(loop, stays);
}

TEST_CASE("client loop: clients share the loop of their process while any of them lives") {
  auto first = ClientLoop::shared();
  const auto second = ClientLoop::shared();
  CHECK(first == second);
  const std::weak_ptr<ClientLoop> loop = first;
  first.reset();
  CHECK(ClientLoop::shared() == second);
  CHECK_FALSE(second->on_own_thread());
  Counting member;
  in_call(*second, member, [&] { CHECK(second->on_own_thread()); });
  remove(*second, member);
}

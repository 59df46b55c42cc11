// The pipe behind "local:" addresses: messages stay in order, the end comes after them, and a loop
// may end before the pipe.
// Tests run each loop's posted work by hand with turn().
#include "proto-spec/transport/local_pipe.h"

#include <doctest/doctest.h>

#include <thread>

using namespace loglog;
using namespace loglog::transport;

namespace {

std::vector<Encoded> words(std::initializer_list<const char*> all) {
  std::vector<Encoded> out;
  for (const char* w : all) out.push_back({Bytes::copy_of(w), {}});
  return out;
}

std::string text(const LocalPipe::Taken& t) {
  std::string out;
  for (const Encoded& e : t.messages) out += std::string(e.head.text()) + " ";
  return out + (t.ended ? "|" : "");
}

/// Runs the work that is posted to the loop, and returns.
void turn(Loop& loop) {
  loop.stop();
  loop.run();
}

/// A pipe between two loops that the test runs by hand.
struct Pair {
  Loop here, there;
  LocalPipe::Ptr a, b;
  Pair() { std::tie(a, b) = LocalPipe::make(here.mailbox(), there.mailbox()); }
  void give(LocalPipe& to, std::initializer_list<const char*> all) {
    auto w = words(all);
    to.give(w);
    CHECK(w.empty());
  }
};

}  // namespace

TEST_CASE_FIXTURE(Pair, "pipe: in order, woken once for many, and the end comes last") {
  int arrivals = 0;
  b->on_arrival([&] { ++arrivals; });
  turn(there);
  CHECK(arrivals == 1);  // for messages that may have come before the callback
  CHECK(text(b->take()).empty());
  give(*a, {"one"});
  give(*a, {"two", "three"});
  turn(there);
  CHECK(arrivals == 2);
  CHECK(text(b->take()) == "one two three ");
  give(*a, {"four"});
  a->close();
  turn(there);
  CHECK(arrivals == 4);  // once for the message and once for the end
  CHECK(text(b->take()) == "four |");
}

TEST_CASE_FIXTURE(Pair, "pipe: what was given before anybody listens is not lost") {
  give(*a, {"early"});
  turn(there);
  std::string seen;
  b->on_arrival([&] { seen += text(b->take()); });
  turn(there);
  CHECK(seen == "early ");
}

TEST_CASE_FIXTURE(Pair, "pipe: a closed end takes nothing more and hears nothing more") {
  int arrivals = 0;
  b->on_arrival([&] { ++arrivals; });
  give(*a, {"one"});
  b->close();
  turn(there);
  CHECK(arrivals == 0);
  give(*a, {"two"});
  CHECK(text(b->take()).empty());
  CHECK(text(a->take()) == "|");
}

TEST_CASE("pipe: a loop that is gone is not woken, and an end that nobody took is closed") {
  Loop here;
  LocalPipe::Ptr dialled;
  {
    Loop there;
    auto listener = LocalListener::listen(
        there, "pipe-test", [](const LocalPipe::Ptr&) { FAIL("its loop does not run"); });
    REQUIRE(listener);
    CHECK_FALSE(LocalListener::listen(here, "pipe-test", {}));
    dialled = LocalListener::dial(here, "pipe-test");
    REQUIRE(dialled);
  }
  CHECK(text(dialled->take()) == "|");
  auto w = words({"nobody"});
  dialled->give(w);
  CHECK_FALSE(LocalListener::dial(here, "pipe-test"));
  CHECK(LocalListener::listen(here, "pipe-test", {}));  // the name is free again
}

TEST_CASE("pipe: two threads, each message once and in order") {
  Loop here, there;
  constexpr int count = 20'000;
  int next = 0;
  LocalPipe::Ptr taken;
  auto listener = LocalListener::listen(there, "pipe-threads", [&](const LocalPipe::Ptr& end) {
    taken = end;
    taken->on_arrival([&] {
      const auto t = taken->take();
      for (const Encoded& e : t.messages) CHECK(e.head.text() == std::to_string(next++));
      if (t.ended) there.stop();
    });
  });
  REQUIRE(listener);
  std::thread reader([&] { there.run(); });
  const auto dialled = LocalListener::dial(here, "pipe-threads");
  for (int i = 0; i < count; ++i) {
    std::vector<Encoded> m{{Bytes::copy_of(std::to_string(i)), {}}};
    dialled->give(m);
  }
  dialled->close();
  reader.join();
  CHECK(next == count);
}

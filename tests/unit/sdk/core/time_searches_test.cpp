// offset_at() and segment_of(): which step of a search ends a call, and what a deadline tells (R6).
#include "sdk/core/time_searches.h"

#include <doctest/doctest.h>

#include "tests/unit/sdk/core/asked_cluster.h"

using namespace loglog;
using namespace loglog::client;

namespace {
struct Calls : AskedCluster {
  TimeSearches searches{options, view, choice, answers};
  static constexpr Token token{1};

  void pass(Duration d) {
    now += d;
    view.tick(now);
    searches.tick(now);
  }
  Message listed() const {
    return SegmentsAre{log, {}, Offset{900}, {Offset{0}, Offset{300}, Offset{600}}, {}};
  }
  /// All replicas refuse the list, one after the other.
  void refuse(Errc why) {
    for (int i = 0; i < 3; ++i) answer(only<GetSegments>(), Failed{why, {}});
  }
};
}  // namespace

// The answers come in the other order than the questions, because the replicas differ in speed.
TEST_CASE("calls that run together end each with its own answer") {
  Calls c;
  c.searches.segment_of(c.now, Token{1}, c.log, Offset{310}, never);
  const Send first = c.only<GetSegments>();
  c.searches.segment_of(c.now, Token{2}, c.log, Offset{610}, never);
  c.answer(c.only<GetSegments>(), c.listed());
  c.answer(first, c.listed());
  REQUIRE(c.out.completed.size() == 2);
  CHECK(c.out.completed[0].token == Token{2});
  CHECK(c.result<PointInTime>(0).offset == Offset{600});
  CHECK(c.out.completed[1].token == Token{1});
  CHECK(c.result<PointInTime>(1).offset == Offset{300});
  CHECK(c.searches.wake() == never);
}

// A failed round is remembered and does not end the call, because another replica may come up in
// time.
TEST_CASE("at its deadline a search fails with the last reason of the replicas") {
  Calls c;
  c.searches.offset_at(c.now, c.token, c.log, 1000, c.now + 1s);
  Errc why = Errc::unavailable;
  SUBCASE("no replica answers") {}
  SUBCASE("no replica holds the log") {
    why = Errc::not_member;
    c.refuse(why);
    CHECK(c.out.completed.empty());
  }
  CHECK(c.searches.wake() <= c.now + 1s);
  c.pass(999ms);
  CHECK(c.out.completed.empty());
  const auto asked = c.take<GetSegments>();
  c.pass(1ms);
  CHECK(c.error().code == why);
  CHECK(c.result<Failure>().timed_out);
  for (const Send& s : asked) c.answer(s, c.listed());
  CHECK(c.out.completed.size() == 1);
}

// The log was deleted, so waiting changes nothing.
TEST_CASE("a log that is gone at every replica ends a search before its deadline") {
  Calls c;
  c.searches.offset_at(c.now, c.token, c.log, 1000, never);
  c.refuse(Errc::no_such_log);
  CHECK(c.error().code == Errc::no_such_log);
  CHECK_FALSE(c.result<Failure>().timed_out);
  c.pass(10s);
  CHECK(c.take<GetSegments>().empty());
}

// Each search has a request under way, and its answer comes after the call has ended.
TEST_CASE("close ends every search with client_closed, and late answers end nothing") {
  Calls c;
  c.searches.offset_at(c.now, Token{1}, c.log, 1000, never);
  c.searches.segment_of(c.now, Token{2}, c.log, Offset{10}, never);
  const auto asked = c.take<GetSegments>();
  c.searches.close();
  CHECK(c.error(0).code == Errc::client_closed);
  CHECK(c.error(1).code == Errc::client_closed);
  for (const Send& s : asked) c.answer(s, c.listed());
  CHECK(c.out.completed.size() == 2);
}

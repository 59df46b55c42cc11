// Questions that wait for a confirmed lead (R2): rounds are shared, a connection has a bound, and a
// lost connection leaves the running round intact.
#include "sequencer/core/confirmations.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::sequencer;

namespace {
constexpr ConnectionId one{1}, two{2};
Confirmations::Question question(ConnectionId c) { return {{c, RequestId{1}}, Ping{}, Pong{}}; }
}  // namespace

TEST_CASE("confirmations: all that gather while a round is under way share the next one (Z10)") {
  Confirmations c(1024);
  CHECK_FALSE(c.begin_round());
  REQUIRE(c.add(question(one)));
  const auto first = c.begin_round();
  REQUIRE(first);
  for (int i = 0; i < 500; ++i) {
    REQUIRE(c.add(question(i % 2 == 0 ? one : two)));
    CHECK_FALSE(c.begin_round());
  }
  CHECK(c.end_round(*first).size() == 1);
  CHECK(c.end_round(*first).empty());
  const auto second = c.begin_round();
  REQUIRE(second);
  CHECK(c.end_round(*second).size() == 500);
  CHECK_FALSE(c.is_due());
}

TEST_CASE("confirmations: a connection has a bound, and gives its places back (Z10)") {
  Confirmations c(3);
  for (int i = 0; i < 3; ++i) REQUIRE(c.add(question(one)));
  CHECK_FALSE(c.add(question(one)));
  CHECK(c.add(question(two)));
  const auto round = c.begin_round();
  REQUIRE(round);
  // The round has begun but has not ended, so the questions still take places.
  CHECK_FALSE(c.add(question(one)));
  CHECK(c.end_round(*round).size() == 4);
  CHECK(c.add(question(one)));
}

TEST_CASE("confirmations: a connection that is gone leaves a round under way as it is") {
  Confirmations c(3);
  REQUIRE(c.add(question(one)));
  const auto round = c.begin_round();
  REQUIRE(c.add(question(one)));
  REQUIRE(c.add(question(two)));
  c.forget(one);
  CHECK(c.waiting() == 2);
  CHECK_FALSE(c.begin_round());
  CHECK(c.end_round(*round).size() == 1);
  const auto next = c.begin_round();
  REQUIRE(next);
  CHECK(c.end_round(*next).size() == 1);
}

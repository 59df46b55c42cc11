// Bytes that a node gives to its peers (P2): the account of bytes that are read, queued and under
// way, and the refusal above its limits.
#include "storage-node/core/giving.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::storage;

namespace {
constexpr std::uint64_t mib = 1u << 20;
constexpr ConnectionId a{1}, b{2}, c{3};
}  // namespace

TEST_CASE(
    "a peer that asks without end and takes nothing is refused above a limit, it does not grow the "
    "node (Z2, P2)") {
  const Options o;
  Giving g(o);
  std::uint32_t taken_on = 0;
  for (std::uint32_t i = 1; i <= 100; ++i)
    if (g.begin(a, RequestId{i}, mib)) {
      ++taken_on;
      CHECK(g.may_send(a, RequestId{i}, mib));
    }
  CHECK(taken_on == 40);
  CHECK(g.bytes() == o.given.bytes_per_peer_max);
  g.taken(a, 3 * mib);
  CHECK(g.begin(a, RequestId{101}, 3 * mib));
  CHECK_FALSE(g.begin(a, RequestId{102}, 1));
}

TEST_CASE(
    "all peers together have a limit, and a peer of which nothing is under way is served all the "
    "same") {
  const Options o;
  Giving g(o);
  CHECK(g.begin(a, RequestId{1}, 40 * mib));
  CHECK(g.begin(b, RequestId{1}, 24 * mib));
  CHECK_FALSE(g.begin(b, RequestId{2}, mib));
  CHECK(g.begin(c, RequestId{1}, 16 * mib));
}

TEST_CASE(
    "a question that was given up while its bytes were read is answered without them, and counts "
    "no more") {
  const Options o;
  Giving g(o);
  REQUIRE(g.begin(a, RequestId{1}, mib));
  g.give_up(a, RequestId{1});
  CHECK_FALSE(g.may_send(a, RequestId{1}, mib));
  CHECK(g.bytes() == 0);
}

TEST_CASE(
    "the account follows what was read, not what was asked for, and ends with the connection") {
  const Options o;
  Giving g(o);
  REQUIRE(g.begin(a, RequestId{1}, mib));
  CHECK(g.may_send(a, RequestId{1}, 1000));
  CHECK(g.bytes() == 1000);
  g.taken(a, 5000);  // more than was sent: a peer's word frees no more than its own bytes
  CHECK(g.bytes() == 0);
  REQUIRE(g.begin(a, RequestId{2}, mib));
  REQUIRE(g.begin(b, RequestId{2}, mib));
  g.lost(a);
  CHECK(g.bytes() == mib);
  CHECK_FALSE(g.may_send(a, RequestId{2}, mib));
}

// The replica to read from: in rotation, the preferred node first, nodes that failed lately last
// (spec/06).
#include "sdk/core/replica_choice.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::client;

namespace {
const std::vector<Member> members = {{NodeId{1}, {}}, {NodeId{2}, {}}, {NodeId{3}, {}}};
const Time now{10s};
}  // namespace

TEST_CASE("replicas are read in turn, so that readers share the load") {
  ReplicaChoice choice{NodeId{}};
  std::set<NodeId> chosen;
  for (int i = 0; i < 3; ++i) chosen.insert(choice.pick(now, members, {}));
  CHECK(chosen.size() == 3);
}

TEST_CASE("the preferred replica is chosen whenever it is healthy and was not tried") {
  ReplicaChoice choice{NodeId{2}};
  for (int i = 0; i < 6; ++i) CHECK(choice.pick(now, members, {}) == NodeId{2});
  CHECK(choice.pick(now, members, {NodeId{2}}) != NodeId{2});
  choice.failed(now, NodeId{2});
  for (int i = 0; i < 6; ++i) CHECK(choice.pick(now + 1s, members, {}) != NodeId{2});
  CHECK(choice.pick(now + 2s, members, {}) == NodeId{2});  // it has had its time to recover
  choice.failed(now + 2s, NodeId{2});
  choice.succeeded(NodeId{2});
  CHECK(choice.pick(now + 2s, members, {}) == NodeId{2});
}

TEST_CASE(
    "a replica that failed lately is chosen if no other is left, and none if all were tried") {
  ReplicaChoice choice{NodeId{}};
  for (const Member& m : members) choice.failed(now, m.node);
  CHECK(choice.pick(now, members, {NodeId{1}, NodeId{3}}) == NodeId{2});
  CHECK(choice.pick(now, members, {NodeId{1}, NodeId{2}, NodeId{3}}) == NodeId{});
}

TEST_CASE("a round is over when every replica has failed, and an answer begins another") {
  ReplicaChoice choice{NodeId{}};
  ReplicaRound round{choice};
  LogInfo log;
  log.members = members;
  CHECK_FALSE(round.failed(now, NodeId{1}, &log));
  CHECK_FALSE(round.failed(now, NodeId{2}, &log));
  CHECK(round.tried().size() == 2);
  round.begin_anew();
  CHECK(round.tried().empty());
  for (const std::uint32_t n : {1u, 2u}) CHECK_FALSE(round.failed(now, NodeId{n}, &log));
  CHECK(round.failed(now, NodeId{3}, &log));
  CHECK(round.tried().empty());
  CHECK(round.failed(now, NodeId{1}, nullptr));  // an unknown log has no replica to ask
}

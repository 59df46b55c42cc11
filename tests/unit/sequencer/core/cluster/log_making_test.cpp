// Making and deleting logs on their members (spec/03 T5), as a leader does it.
#include "sequencer/core/cluster/log_making.h"

#include <doctest/doctest.h>

#include "tests/unit/sequencer/core/leading.h"

using namespace loglog;
using namespace loglog::sequencer;
using testing::Leading;

TEST_CASE("log making: ready members are asked, and the last Joined opens the log (T5)") {
  Leading f;
  f.node_is_ready(1);
  f.node_is_ready(2);
  const LogId log = f.make_log();
  f.making.join(log);
  CHECK(f.sent_to_node<Join>(1).size() == 1);
  CHECK(f.sent_to_node<Join>(2).size() == 1);
  f.node_is_ready(3);  // asked once it is sealed
  CHECK(f.sent_to_node<Join>(3).size() == 1);
  f.making.joined(NodeId{1}, log);
  f.making.joined(NodeId{2}, log);
  f.settle();
  CHECK(f.count<MarkOpen>() == 0);
  f.making.joined(NodeId{3}, log);
  f.settle();
  CHECK(f.count<MarkOpen>() == 1);
}

TEST_CASE("log making: a node with another disk than the member's is not asked (C1)") {
  Leading f;
  f.node_is_ready(1);
  const LogId log = f.make_log();
  REQUIRE(f.state.propose(AdmitDisk{NodeId{1}, testing::disk_of(1), DiskId{201},
                                    f.state.reign.instance, f.state.raft.term()}));
  f.settle();
  REQUIRE(f.state.metadata.disk_of(NodeId{1}) == DiskId{201});
  // AdmitDisk makes the new disk the member of a log that is being made, so an older member stands
  // in for it.
  Member member = f.state.metadata.log(log)->members.front();
  member.disk = testing::disk_of(1);
  CHECK_FALSE(f.state.can_be_sealed(member));
}

TEST_CASE("log making: a creation that a member holds up is given up, so its name is free (T5)") {
  Leading f;
  f.node_is_ready(1);
  const LogId log = f.make_log();
  f.making.join(log);
  f.making.expire();
  f.settle();
  CHECK(f.count<MarkDeleting>() == 0);
  f.state.now = f.making.tasks().wake();
  f.making.expire();
  f.settle();
  CHECK(f.count<MarkDeleting>() == 1);
}

TEST_CASE("log making: a log leaves the metadata after all members have dropped it (T5)") {
  Leading f;
  for (const std::uint32_t n : {1u, 2u, 3u}) f.node_is_ready(n);
  const LogId log = f.open_log();
  REQUIRE(f.state.propose(MarkDeleting{log}));
  f.settle();
  f.making.drop(log);
  for (const std::uint32_t n : {1u, 2u, 3u}) {
    CHECK(f.sent_to_node<Drop>(n).size() == 1);
    CHECK(f.count<FinishDelete>() == 0);
    f.making.dropped(NodeId{n}, log);
    f.settle();
  }
  CHECK(f.count<FinishDelete>() == 1);
  CHECK(f.state.metadata.log(log) == nullptr);
}

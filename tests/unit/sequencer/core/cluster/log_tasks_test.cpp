// The making and the deletion of logs (spec/03 T5, T6): the part alone, without nodes.
#include "sequencer/core/cluster/log_tasks.h"

#include <doctest/doctest.h>

#include "proto-spec/vocabulary/limits.h"

using namespace loglog;
using namespace loglog::sequencer;

namespace {

constexpr Time start{1h};

/// Metadata with a log of nodes 1 to 3 that is being made.
struct OneLog {
  Options options;
  MetadataState metadata;
  LogTasks tasks{options};
  LogId id{};

  OneLog() {
    RaftIndex i{};
    const auto apply = [&](const Command& c) { return metadata.apply(i = i + 1, c); };
    apply(BeginTerm{Term{}, InstanceId{7}, RaftTerm{1}, LogId{}});
    apply(InitCluster{ClusterId{9}, "test", {{SequencerId{1}, "s1"}}});
    std::vector<Member> members;
    for (const std::uint32_t n : {1u, 2u, 3u}) {
      apply(RegisterStorage{{NodeId{n}, DiskId{100 + n}, "n"}});
      members.push_back({NodeId{n}, DiskId{100 + n}});
    }
    id = apply(MakeLog{"a", {3, 2, segment_size_default, Durability::sync}, members}).log;
    REQUIRE(metadata.log(id) != nullptr);
  }
  const LogInfo& log() const { return *metadata.log(id); }
};

Time never_joined(NodeId) { return Time{}; }

}  // namespace

TEST_CASE("log tasks: a log is to be opened once, after all members have joined (T5)") {
  OneLog f;
  CHECK(f.tasks.make(start, f.log()).size() == 3);
  CHECK_FALSE(f.tasks.joined(NodeId{1}, f.log()));
  CHECK_FALSE(f.tasks.joined(NodeId{2}, f.log()));
  CHECK(f.tasks.make(start, f.log()).size() == 1);  // only node 3 is asked again
  SUBCASE("all members have joined") {
    CHECK(f.tasks.joined(NodeId{3}, f.log()));
    f.tasks.making_proposed(f.id, true);
    CHECK_FALSE(f.tasks.joined(NodeId{3}, f.log()));
  }
  SUBCASE("a new disk joins anew (C1)") {
    f.tasks.disk_replaced(NodeId{2});
    CHECK_FALSE(f.tasks.joined(NodeId{3}, f.log()));
    CHECK(f.tasks.joined(NodeId{2}, f.log()));
  }
}

TEST_CASE(
    "log tasks: a creation waits 6 s for a silent member, and longer for a busy member (T5)") {
  OneLog f;
  f.tasks.make(start, f.log());
  f.tasks.joined(NodeId{1}, f.log());
  f.tasks.joined(NodeId{2}, f.log());
  f.tasks.wait(f.id, Client{ConnectionId{5}, RequestId{1}}, true);
  f.tasks.wait(f.id, Client{ConnectionId{6}, RequestId{1}}, false);
  CHECK(f.tasks.wake() == start + 6s);
  CHECK(f.tasks.expired(start + 5s, f.metadata, never_joined).empty());
  SUBCASE("silent") {
    CHECK(f.tasks.expired(start + 6s, f.metadata, never_joined) == std::vector{f.id});
    const auto made = f.tasks.end_making(f.id);
    REQUIRE(made);
    CHECK(made->given_up == NodeId{3});
    CHECK(made->clients.size() == 1);
    CHECK(made->others.size() == 1);
    CHECK_FALSE(f.tasks.is_making(f.id));
  }
  SUBCASE("busy with other logs") {
    const auto busy = [](NodeId) { return start + 4s; };
    CHECK(f.tasks.expired(start + 6s, f.metadata, busy).empty());
    CHECK(f.tasks.wake() == start + 10s);
    CHECK(f.tasks.expired(start + 10s, f.metadata, busy) == std::vector{f.id});
  }
}

TEST_CASE("log tasks: a log leaves the metadata after all members have dropped it (T5)") {
  OneLog f;
  CHECK_FALSE(f.tasks.dropped(NodeId{1}, f.log()));  // no deletion is under way
  CHECK(f.tasks.drop(f.log()).size() == 3);
  CHECK_FALSE(f.tasks.dropped(NodeId{1}, f.log()));
  CHECK_FALSE(f.tasks.dropped(NodeId{2}, f.log()));
  CHECK(f.tasks.dropped(NodeId{3}, f.log()));
  f.tasks.end_dropping(f.id);
  CHECK(f.tasks.dropping().empty());
}

TEST_CASE(
    "log tasks: the creations that were given up are remembered until the lead is lost (T6)") {
  OneLog f;
  const ChangeId creation = f.log().made_by;
  CHECK_FALSE(f.tasks.given_up_at(creation));
  f.tasks.remember_given_up(creation, RaftIndex{9});
  CHECK(f.tasks.given_up_at(creation) == RaftIndex{9});
  f.tasks.make(start, f.log());
  f.tasks.wait(f.id, Client{ConnectionId{5}, RequestId{1}}, true);
  CHECK(f.tasks.take_clients().size() == 1);
  CHECK_FALSE(f.tasks.given_up_at(creation));
  CHECK_FALSE(f.tasks.is_making(f.id));
}

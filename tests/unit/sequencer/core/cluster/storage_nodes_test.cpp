// The storage nodes as the leader knows them (spec/04 T2, T4): which connection counts, which nodes
// are reached, and what people are shown.
#include "sequencer/core/cluster/storage_nodes.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::sequencer;

namespace {

constexpr Time start{1h};
const NodeId node{1};
constexpr DiskId disk{101};

Connected connection(std::uint64_t id, DiskId with = disk) {
  Connected c;
  c.connection = ConnectionId{id};
  c.peer.id = node.value;
  c.peer.disk = with;
  return c;
}

struct OneNode {
  Options options;
  MetadataState metadata;
  StorageNodes nodes{options};
  StorageInfo info{node, disk, "n"};

  OneNode() {
    metadata.apply(RaftIndex{1}, InitCluster{ClusterId{9}, "test", {{SequencerId{1}, "s1"}}});
    metadata.apply(RaftIndex{2}, RegisterStorage{info});
    nodes.connected(node, connection(5));
    nodes.heard(start, node, ConnectionId{5});
  }
};

}  // namespace

TEST_CASE("storage nodes: only the newest connection of a node counts (D2)") {
  OneNode f;
  f.nodes.at(node).sealed = true;
  f.nodes.connected(node, connection(6));
  CHECK_FALSE(f.nodes.ready(node));
  CHECK_FALSE(f.nodes.heard(start, node, ConnectionId{5}));
  CHECK(f.nodes.heard(start, node, ConnectionId{6}));
  CHECK_FALSE(f.nodes.disconnected(start, node, {ConnectionId{5}}));
  CHECK(f.nodes.disconnected(start, node, {ConnectionId{6}}));
  CHECK(f.nodes.connection(node) == ConnectionId{});
}

TEST_CASE("storage nodes: a node is reached while it is heard and has its registered disk (T4)") {
  OneNode f;
  CHECK(f.nodes.reached(start + 3s, f.metadata) == std::vector{node});
  CHECK(f.nodes.reached(start + 3001ms, f.metadata).empty());
  f.nodes.connected(node, connection(6, DiskId{102}));
  f.nodes.heard(start, node, ConnectionId{6});
  CHECK(f.nodes.reached(start, f.metadata).empty());
}

TEST_CASE("storage nodes: a new log goes to nodes that are sealed, heard and not suspect") {
  OneNode f;
  StorageNode& n = f.nodes.at(node);
  CHECK_FALSE(f.nodes.takes_logs(start, node));
  n.sealed = true;
  CHECK(f.nodes.takes_logs(start, node));
  CHECK_FALSE(f.nodes.takes_logs(start + 4s, node));
  n.space.suspect = true;
  CHECK_FALSE(f.nodes.takes_logs(start, node));
}

TEST_CASE("storage nodes: people are shown the worst cause") {
  OneNode f;
  const auto condition = [&](Time at) { return f.nodes.seen(at, f.info, true).condition; };
  CHECK(condition(start) == NodeCondition::lagging);
  f.nodes.at(node).sealed = true;
  CHECK(condition(start) == NodeCondition::up);
  CHECK(condition(start + 4s) == NodeCondition::unreachable);
  f.nodes.at(node).refused_leader = start;
  CHECK(condition(start + 4s) == NodeCondition::refuses_leader);
  f.nodes.at(node).foreign_disk = {start, DiskId{102}};
  CHECK(condition(start) == NodeCondition::foreign_disk);
  f.nodes.disconnected(start, node, {ConnectionId{5}});
  CHECK(condition(start + 5s) == NodeCondition::foreign_disk);  // a fact for people stays
  CHECK(condition(start + 6s) == NodeCondition::unreachable);
}

TEST_CASE("storage nodes: only the bytes of logs that exist are kept") {
  OneNode f;
  SpaceIs s;
  s.logs = {{LogId{9}, 500}};
  s.logs_without_space = {LogId{4}};
  f.nodes.told(f.nodes.at(node), std::move(s), f.metadata);
  CHECK(f.nodes.disk_bytes(node, LogId{9}) == 0);
  CHECK_FALSE(f.nodes.has_space(node, LogId{4}));
  CHECK(f.nodes.has_space(node, LogId{5}));
}

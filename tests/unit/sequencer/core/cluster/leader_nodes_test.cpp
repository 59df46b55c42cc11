// Storage nodes as a leader treats them (spec/03 T2, T4): identity, metadata, seal.
#include "sequencer/core/cluster/leader_nodes.h"

#include <doctest/doctest.h>

#include "tests/unit/sequencer/core/leading.h"

using namespace loglog;
using namespace loglog::sequencer;
using testing::Leading;

TEST_CASE(
    "leader's nodes: a node gets the metadata and then the seal, and is ready after it (T2)") {
  Leading f;
  f.node_comes(1);
  std::vector<std::string_view> order;
  for (const Send& s : f.state.out.sends) {
    if (std::holds_alternative<loglog::Metadata>(s.message)) order.push_back("metadata");
    if (std::holds_alternative<Seal>(s.message)) order.push_back("seal");
  }
  CHECK(order == std::vector<std::string_view>{"metadata", "seal"});
  CHECK_FALSE(f.state.nodes.ready(NodeId{1}));
  f.node_says(1, Sealed{LogId{}, Term{f.state.reign.term.value + 1}, 0, 0, 0});
  CHECK_FALSE(f.state.nodes.ready(NodeId{1}));  // a promise for another term
  f.node_says(1, Sealed{LogId{}, f.state.reign.term, 0, 0, 0});
  CHECK(f.state.nodes.ready(NodeId{1}));
}

TEST_CASE("leader's nodes: a seal that is not answered is sent again") {
  Leading f;
  f.node_comes(1);
  REQUIRE(f.sent_to_node<Seal>(1).size() == 1);
  f.nodes.tick();
  CHECK(f.sent_to_node<Seal>(1).size() == 1);
  f.state.now += f.state.options.recovery_step_timeout;
  f.nodes.tick();
  CHECK(f.sent_to_node<Seal>(1).size() == 2);
}

TEST_CASE("leader's nodes: a node with another disk is refused with an alarm (T4)") {
  Leading f;
  f.node_comes(1, DiskId{999});
  CHECK(f.sent_to_node<Seal>(1).empty());
  REQUIRE(f.state.out.closes.size() == 1);
  CHECK(f.state.out.closes.front().why.code == Errc::wrong_identity);
  REQUIRE_FALSE(f.state.out.events.empty());
  CHECK(f.state.out.events.back().level == Event::Level::alarm);
}

TEST_CASE("leader's nodes: a node that lost bytes counts as down, and MarkLost is proposed (T4)") {
  Leading f;
  f.node_is_ready(1);
  f.state.lost(NodeId{1});
  f.settle();
  CHECK(f.count<MarkLost>() == 1);
  CHECK(f.state.has_lost(NodeId{1}));
  f.nodes.refuse_lost(NodeId{1});
  CHECK_FALSE(f.state.nodes.ready(NodeId{1}));
  f.state.lost(NodeId{1});
  f.settle();
  CHECK(f.count<MarkLost>() == 1);  // known already
}

TEST_CASE("leader's nodes: a node that nobody configured or registered is closed") {
  Leading f;
  f.node_comes(9);
  REQUIRE(f.state.out.closes.size() == 1);
  CHECK(f.state.out.closes.front().why.code == Errc::wrong_identity);
}

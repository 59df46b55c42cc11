// The events of a client's view: connections, their ends, the leader and slow replicas, each told
// once for each change. What the view does about them is tested in client_machine_test.cpp.
#include "sdk/core/cluster_view.h"

#include <doctest/doctest.h>

#include "tests/unit/sdk/core/known_cluster.h"
#include "tests/unit/sdk/core/scripted_cluster.h"

using namespace loglog;
using namespace loglog::client;
using Kind = Event::Kind;

namespace {

/// The events of a kind.
std::vector<Event> of(const std::vector<Event>& all, Kind kind) {
  std::vector<Event> found;
  for (const Event& e : all)
    if (e.kind == kind) found.push_back(e);
  return found;
}

}  // namespace

TEST_CASE("each connection is an event that names its node") {
  KnownCluster c;
  const auto connected = of(c.out.events, Kind::connected);
  REQUIRE(connected.size() == 4);
  CHECK(connected[0].role == Role::sequencer);
  CHECK(connected[0].node == 1);
  CHECK(connected[0].address == "seq:1");
  for (std::uint32_t i = 1; i <= 3; ++i) {
    CHECK(connected[i].role == Role::storage);
    CHECK(connected[i].node == i);
    CHECK(connected[i].address == "n" + std::to_string(i));
  }
}

TEST_CASE("a lost connection is told with its cause, and an unreachable node once") {
  KnownCluster c;
  c.out.events.clear();
  c.view.disconnected(c.now, {c.node[2], {Errc::io_error, "its disk failed"}});
  const auto lost = of(c.out.events, Kind::connection_lost);
  REQUIRE(lost.size() == 1);
  CHECK(lost[0].node == 2);
  CHECK(lost[0].why.code == Errc::io_error);
  // The node is dialled again and again; the application hears of it once.
  for (int i = 0; i < 5; ++i) {
    c.now += 2s;
    c.out.connects.clear();
    c.view.node(c.now, NodeId{2});
    REQUIRE(c.out.connects.size() == 1);
    c.view.disconnected(c.now, {c.out.connects[0].connection, {Errc::connection_lost, "refused"}});
  }
  const auto away = of(c.out.events, Kind::unreachable);
  REQUIRE(away.size() == 1);
  CHECK(away[0].role == Role::storage);
  CHECK(away[0].node == 2);
  CHECK(away[0].why.detail == "refused");
  // After it was back, its next absence is told again.
  c.now += 2s;
  c.view.node(c.now, NodeId{2});
  const ConnectionId back = c.accept(Role::storage, 2);
  c.view.disconnected(c.now, {back, {}});
  c.now += 2s;
  c.view.node(c.now, NodeId{2});
  c.view.disconnected(c.now, {c.out.connects.back().connection, {Errc::connection_lost, "gone"}});
  CHECK(of(c.out.events, Kind::unreachable).size() == 2);
}

TEST_CASE("an address that was never reached is told by the metadata's name, or by itself") {
  Cluster c;
  c.down = {"n3"};
  c.begin_term(1);
  c.append(1, "one");
  c.pass(3s);
  auto away = of(c.events, Kind::unreachable);
  REQUIRE(away.size() == 1);
  CHECK(away[0].address == "n3");
  CHECK(away[0].role == Role::storage);
  CHECK(away[0].node == 3);
  Cluster alone;
  alone.down = {"seq:1"};
  alone.append(1, "one");
  alone.pass(3s);
  away = of(alone.events, Kind::unreachable);
  REQUIRE(away.size() == 1);
  CHECK(away[0].address == "seq:1");
  CHECK(away[0].role == Role::client);  // unknown
}

TEST_CASE("the leader is told when it is known and when it is another, and not while it stays") {
  KnownCluster c;
  REQUIRE(of(c.out.events, Kind::leader_changed).size() == 1);
  CHECK(of(c.out.events, Kind::leader_changed)[0].node == 1);
  CHECK(of(c.out.events, Kind::leader_changed)[0].address == "seq:1");
  c.out.events.clear();
  Metadata m;
  m.metadata = c.view.metadata();
  m.metadata.version = RaftIndex{2};
  m.metadata.sequencers.push_back({SequencerId{2}, "seq:2"});
  m.leader = SequencerId{1};
  c.view.learn(c.sequencer, m);
  CHECK(c.out.events.empty());
  // The same leader after a time without a leader is no change.
  c.view.not_leader(c.sequencer, {});
  c.view.learn(c.sequencer, m);
  CHECK(c.out.events.empty());
  m.leader = SequencerId{2};
  c.view.learn(c.sequencer, m);
  const auto changed = of(c.out.events, Kind::leader_changed);
  REQUIRE(changed.size() == 1);
  CHECK(changed[0].role == Role::sequencer);
  CHECK(changed[0].node == 2);
  CHECK(changed[0].address == "seq:2");
}

TEST_CASE("a slow replica is told at most once a second, each node by itself") {
  KnownCluster c;
  c.out.events.clear();
  const auto slow = [&c](std::uint32_t node) {
    c.view.slow(c.now, NodeId{node}, c.log, Error{Errc::busy, {}});
  };
  for (int i = 0; i < 10; ++i) slow(1);
  slow(2);
  CHECK(c.out.events.size() == 2);
  CHECK(c.out.events[0].address == "n1");
  c.now += 999ms;
  slow(1);
  CHECK(c.out.events.size() == 2);
  c.now += 1ms;
  slow(1);
  CHECK(c.out.events.size() == 3);
  c.view.slow(c.now, NodeId{}, c.log, Error{Errc::busy, {}});  // its connection is gone
  CHECK(c.out.events.size() == 3);
}

TEST_CASE("a replica that does not take a committed run is told before its connection is closed") {
  Cluster c;
  c.begin_term(1);
  c.held_uploads.emplace();
  c.append(1, "one");
  c.pass(100ms);
  REQUIRE(c.held_uploads->size() == 3);
  for (const Send& s : *c.held_uploads)
    if (const auto& u = std::get<Upload>(s.message); c.up[s.to] != "n3")
      c.reply(s, Uploaded{log_id, u.run.producer, u.run.first, Offset{}});
  c.pass(5s);
  REQUIRE(c.done.size() == 1);
  const auto slow = of(c.events, Kind::replica_slow);
  REQUIRE(slow.size() == 1);
  CHECK(slow[0].node == 3);
  CHECK(slow[0].log == log_id);
  CHECK(slow[0].why.code == Errc::connection_lost);
  const auto lost = of(c.events, Kind::connection_lost);
  REQUIRE(lost.size() == 1);
  CHECK(lost[0].node == 3);
}

TEST_CASE("a client that is closed gives no event of its own end") {
  Cluster c;
  c.begin_term(1);
  c.append(1, "one");
  c.pass(100ms);
  c.events.clear();
  c.machine.close(c.now);
  c.run();
  c.lose("n1");
  c.run();
  CHECK(c.events.empty());
}

// Logs that nobody asks for rest (S7): recovery matches their replicas and writes nothing until
// somebody asks, or until retention has something to take.
// Runs on fake_cluster.h with a single log "a".
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/unit/sequencer/core/fake_cluster.h"

using namespace loglog;
using namespace loglog::sequencer;
using namespace loglog::sequencer::testing;

namespace {

/// A cluster with a log that has not been opened yet.
struct Idle {
  Idle() {
    f.start_all();
    client = f.connect_client();
    f.say(client, CreateLog{"a", {0, 0, 64u << 10, Durability::sync, {}}});
    f.pass(100ms);
    id = f.heard<LogIs>().at(0).info.id;
  }
  TermIs open() {
    f.to_clients.clear();
    f.say(client, OpenLog{id});
    f.pass(100ms);
    REQUIRE(!f.heard<TermIs>().empty());
    return f.heard<TermIs>().back();
  }
  void append(const TermIs& t, std::uint64_t sequence) {
    f.say(client, Commit{id,
                         t.term,
                         Sequence{sequence - 1},
                         {ProducerId{7}, Sequence{sequence}, 1, 100, RunDigest{sequence}}});
    f.pass(200ms);
  }
  /// Restarts the sequencer as the next leader and connects these nodes.
  void fail_over(std::initializer_list<int> nodes) {
    f.restart();
    f.pass(3s);
    for (int i : nodes) f.connect(i);
    client = f.connect_client();
    f.pass(500ms);
  }
  /// Orders that nodes were sent since `to_nodes` was cleared.
  std::size_t orders() const {
    return static_cast<std::size_t>(
        std::count_if(f.to_nodes.begin(), f.to_nodes.end(),
                      [](const auto& m) { return std::holds_alternative<Order>(m.second); }));
  }
  LogStatus status() {
    f.to_clients.clear();
    f.say(client, GetStatus{true});
    return f.heard<Status>().at(0).logs.at(0);
  }

  LogSeen seen() {
    f.to_clients.clear();
    f.say(client, GetOverview{10});
    return f.heard<Overview>().at(0).logs.at(0);
  }

  FakeCluster f{3};
  ConnectionId client;
  LogId id;
};

}  // namespace

TEST_CASE("a log that is made is not written before somebody opens it") {
  Idle l;
  l.f.pass(30s);
  CHECK(l.orders() == 0);
  // Matched, so it can be read.
  for (int i : {1, 2, 3}) CHECK(l.f.node(i).logs[l.id].matched == Term{1});
  CHECK(l.status().open);
  CHECK(l.seen().open);  // so no alarm is due
  CHECK(l.f.machine->report(l.f.now).logs_open == 1);
  const TermIs t = l.open();
  CHECK(t.start > Offset{});
  CHECK(l.f.node(1).logs[l.id].tail() == t.end);
}

TEST_CASE("a failover writes nothing to a log that nobody asks for, until somebody does") {
  Idle l;
  l.append(l.open(), 1);
  const Offset tail = l.f.node(1).logs[l.id].tail();
  // The log has an entry and a term start of its own; the next leader must write nothing.
  l.f.to_nodes.clear();
  SUBCASE("all nodes are there") { l.fail_over({1, 2, 3}); }
  SUBCASE("one comes late") {
    l.fail_over({1, 3});
    l.f.pass(5s);
    CHECK(l.status().open);
    l.f.connect(2);
    l.f.pass(200ms);
  }
  l.f.pass(30s);
  CHECK(l.orders() == 0);
  for (int i : {1, 2, 3}) {
    CHECK(l.f.node(i).logs[l.id].matched == l.f.machine->leading_term());
    CHECK(l.f.node(i).logs[l.id].tail() == tail);
  }
  CHECK(l.status().committed == tail);
  for (const ReplicaStatus& r : l.status().replicas) {
    CHECK(r.state == ReplicaState::streaming);
    CHECK(r.durable == tail);
  }
  CHECK(l.seen().open);
  CHECK(l.seen().committed == tail);
  for (const ReplicaSeen& r : l.seen().replicas) CHECK(r.durable == tail);

  l.f.disconnect(3);  // a replica that is away is no reason to write either
  l.f.pass(5s);
  l.f.connect(3);
  l.f.pass(1s);
  CHECK(l.orders() == 0);

  // Somebody asks: the term start comes now, at the old tail.
  const TermIs t = l.open();
  CHECK(t.start == tail);
  l.append(t, 1);
  for (int i : {1, 2, 3}) CHECK(l.f.node(i).logs[l.id].tail() == t.end + 100);
}

TEST_CASE(
    "what may not be known as committed everywhere is, after a failover, without being asked for") {
  Idle l;
  l.append(l.open(), 1);
  l.f.to_nodes.clear();
  // Each case leaves a replica that may not know or hold everything committed, so the log does not
  // rest.
  SUBCASE("a node has not heard that it is committed") {
    l.f.node(2).logs[l.id].committed = Offset{};
  }
  SUBCASE("a node that has not heard it comes late") {
    l.f.node(2).logs[l.id].committed = Offset{};
    l.fail_over({1, 3});
    CHECK(l.orders() == 0);
    l.f.connect(2);
    l.f.pass(500ms);
  }
  SUBCASE("a node lacks it") {
    l.f.node(2).logs[l.id].pieces.pop_back();
    l.f.node(2).logs[l.id].committed = l.f.node(2).logs[l.id].tail();
  }
  if (l.f.machine->leading_term() == Term{1}) l.fail_over({1, 2, 3});
  CHECK(l.orders() > 0);
  const Offset tail = l.f.node(1).logs[l.id].tail();
  for (int i : {1, 2, 3}) {
    CHECK(l.f.node(i).logs[l.id].tail() == tail);
    CHECK(l.f.node(i).logs[l.id].committed == tail);
  }
}

TEST_CASE(
    "a new leader recovers logs that nobody asks for one batch after the other, and waits for no "
    "timer in between") {
  Idle l;
  constexpr std::size_t logs = 100;
  // 100 logs exceed a batch of 32, and no time passes after the connections.
  for (std::size_t i = 1; i < logs; ++i) l.f.say(l.client, CreateLog{fmt::format("b/{}", i), {}});
  l.f.restart();
  l.f.pass(3s);
  for (int i : {1, 2, 3}) l.f.connect(i);
  CHECK(l.f.machine->metadata().logs.size() == logs);
  CHECK(l.f.machine->report(l.f.now).logs_open == logs);
}

TEST_CASE("a log with something to trim does not rest") {
  Idle l;
  l.append(l.open(), 1);
  l.fail_over({1, 2, 3});
  const Offset tail = l.f.node(1).logs[l.id].tail();
  // Retention by age needs a segment start that is old enough, so the log opens.
  l.f.say(l.client, SetRetention{l.id, {0, 2000}});
  l.f.pass(5s);
  CHECK(l.f.node(1).logs[l.id].tail() > tail);
  CHECK(l.f.machine->metadata().logs[0].trim > tail);
  const Offset trimmed = l.f.node(1).logs[l.id].tail();
  for (int i : {1, 2, 3}) l.f.node(i).logs[l.id].first = l.f.machine->metadata().logs[0].trim;
  l.fail_over({1, 2, 3});
  l.f.pass(10s);
  CHECK(l.f.node(1).logs[l.id].tail() == trimmed);  // the log holds no entry any more, so it rests
}

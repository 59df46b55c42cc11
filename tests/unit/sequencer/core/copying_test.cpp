// A node comes back and lacks much: when it copies instead of taking orders (S5, P3), how many logs
// it copies at a time (P4), and how long a copy may take (S8).
// Runs on fake_cluster.h; node 3 is the node that comes back.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/unit/sequencer/core/fake_cluster.h"

using namespace loglog;
using namespace loglog::sequencer;
using namespace loglog::sequencer::testing;

namespace {

/// A producer's place in a log.
struct Writer {
  TermIs term;
  std::uint64_t next = 1;
};

/// A cluster with so many open logs, in which a replica that lacks over 1000 bytes copies.
struct Returning {
  explicit Returning(int logs, LogOptions options = {}) {
    f.options.copy_above.bytes = 1000;
    f.start_all();
    client = f.connect_client();
    for (int i = 0; i < logs; ++i) {
      f.to_clients.clear();
      f.say(client, CreateLog{fmt::format("log{}", i), options});
      REQUIRE(f.heard<LogIs>().size() == 1);
      f.say(client, OpenLog{f.heard<LogIs>()[0].info.id});
      f.pass(200ms);
      REQUIRE(!f.heard<TermIs>().empty());
      writers.push_back({f.heard<TermIs>().back()});
    }
  }
  void append(Writer& w, int runs) {
    for (int i = 0; i < runs; ++i, ++w.next)
      f.say(client, Commit{w.term.log, w.term.term, Sequence{w.next - 1}, run(w)});
  }
  /// The reference of the writer's next run.
  static Reference run(const Writer& w) {
    return {ProducerId{77}, Sequence{w.next}, 1, 100, RunDigest{w.term.log.value * 1000 + w.next}};
  }
  /// Node 3 misses `runs` appends to each log and comes back with `copies_slowly` set.
  void miss(int runs) {
    f.disconnect(3);
    for (Writer& w : writers) append(w, runs);
    f.node(3).copies_slowly = true;
    f.to_nodes.clear();
    f.connect(3);
    f.pass(200ms);
  }
  std::size_t reconciles() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        f.to_nodes, [](const auto& m) { return std::holds_alternative<Reconcile>(m.second); }));
  }
  FakeLog& log(int node, std::size_t i) { return f.node(node).logs[writers[i].term.log]; }

  FakeCluster f{3};
  ConnectionId client{};
  std::vector<Writer> writers;
};

}  // namespace

TEST_CASE(
    "a replica that lacks much copies it, though the leader's window still has the runs (C-1)") {
  Returning r(2);
  r.f.disconnect(3);
  r.append(r.writers[0], 50);
  r.append(r.writers[1], 5);
  r.f.node(3).copies_slowly = true;
  r.f.connect(3);
  r.f.pass(200ms);
  CHECK(r.f.node(3).copying.size() == 1);
  // The second log lacked little, so orders filled it.
  CHECK(r.log(3, 1).pieces == r.log(1, 1).pieces);
  r.f.finish_copy(3, r.writers[0].term.log);
  CHECK(r.log(3, 0).pieces == r.log(1, 0).pieces);
}

TEST_CASE(
    "many logs of a node that comes back are copied a few at a time, each as soon as there is a "
    "place (C-2)") {
  Returning r(20);
  r.miss(50);
  CHECK(r.f.node(3).copying.size() == r.f.options.copies_per_node_max);
  std::size_t done = 0;
  while (!r.f.node(3).copying.empty()) {
    r.f.finish_copy(3, r.f.node(3).copying.begin()->first);
    CHECK(r.f.node(3).copying.size() <= r.f.options.copies_per_node_max);
    ++done;
  }
  CHECK(done == 20);
  r.f.pass(100ms);
  for (std::size_t i = 0; i < 20; ++i) CHECK(r.log(3, i).pieces == r.log(1, i).pieces);
}

TEST_CASE("a node that goes while its logs are copied leaves no place taken") {
  Returning r(20);
  r.miss(50);
  r.f.disconnect(3);
  r.f.node(3).copying.clear();
  r.f.connect(3);
  r.f.pass(200ms);
  CHECK(r.f.node(3).copying.size() == r.f.options.copies_per_node_max);
}

TEST_CASE(
    "a new term for all logs forgets the copies of the term before, which take no place (P4)") {
  Returning r(20);
  r.miss(50);
  REQUIRE(r.f.node(3).copying.size() == r.f.options.copies_per_node_max);
  // Node 2 gets an empty disk, so all logs begin a new term (C1).
  r.f.disconnect(2);
  r.f.node(2) = FakeNode{};
  r.f.node(2).id = NodeId{2};
  r.f.node(2).disk = DiskId{202};
  r.f.connect(2);
  r.f.node(2).up = false;
  r.f.to_clients.clear();
  r.f.say(r.client, ReplaceDisk{NodeId{2}, DiskId{102}, false});
  REQUIRE(r.f.heard<Done>().size() == 1);
  r.f.connect(2);
  const auto finish_all = [&r] {
    for (int i = 0; i < 100; ++i) {
      while (!r.f.node(3).copying.empty()) r.f.finish_copy(3, r.f.node(3).copying.begin()->first);
      r.f.pass(100ms);
    }
  };
  finish_all();
  for (Writer& w : r.writers) {
    r.f.to_clients.clear();
    r.f.say(r.client, OpenLog{w.term.log});
    r.f.pass(200ms);
    REQUIRE(!r.f.heard<TermIs>().empty());
    w.term = r.f.heard<TermIs>().back();
  }
  // Node 3 falls behind again, and as many logs are copied to it as before.
  r.miss(50);
  CHECK(r.f.node(3).copying.size() == r.f.options.copies_per_node_max);
  finish_all();
  for (std::size_t i = 0; i < 20; ++i) CHECK(r.log(3, i).pieces == r.log(1, i).pieces);
}

TEST_CASE("a copy that moves is not cancelled after 20 s, and an idle one is (L-6)") {
  Returning r(1);
  r.miss(50);
  REQUIRE(r.f.node(3).copying.size() == 1);
  const LogId log = r.writers[0].term.log;
  // The copy reports progress every second for two minutes, and is not begun anew.
  for (int s = 0; s < 120; ++s) {
    r.f.pass(1s);
    r.f.from_node(3, Reconciling{log, r.writers[0].term.term, r.log(3, 0).tail()});
  }
  CHECK(r.reconciles() == 1);
  // Without progress the copy is given up after 20 s and begun anew.
  r.f.pass(30s);
  CHECK(r.reconciles() == 2);
}

TEST_CASE("a copy that moves is no reason for a new term, where the log opens only with it (L-6)") {
  LogOptions all;
  all.replicas = all.write_quorum = 3;
  Returning r(1, all);
  const LogId log = r.writers[0].term.log;
  r.f.node(3).durable = false;
  r.append(r.writers[0], 5);  // on nodes 1 and 2; node 3 acknowledges nothing
  r.log(3, 0).pieces.resize(r.log(3, 0).pieces.size() - 5);
  r.f.node(3).durable = true;
  // A new leader; with W = 3 the log opens only when node 3 has copied.
  r.f.restart();
  r.f.pass(3s);
  r.f.node(3).copies_slowly = true;
  for (int i : {1, 2, 3}) r.f.connect(i);
  r.f.pass(500ms);
  REQUIRE(r.f.node(3).copying.size() == 1);
  const Term term = r.f.node(3).copying.at(log).term;
  // For two minutes the copy moves, so S8 must not begin another term.
  for (int s = 0; s < 120; ++s) {
    r.f.pass(1s);
    if (r.f.node(3).copying.contains(log))
      r.f.from_node(3, Reconciling{log, term, r.log(3, 0).tail()});
  }
  REQUIRE(r.f.node(3).copying.contains(log));
  CHECK(r.f.node(3).copying.at(log).term == term);
}

TEST_CASE(
    "a committed run that a replica reports as missing ends in a copy, it is not reported for ever "
    "(C-1, P3)") {
  Returning r(1);
  Writer& w = r.writers[0];
  // Node 3 never gets the first of three runs. Nodes 1 and 2 hold all three, so the first is
  // committed when node 3 reports it as missing.
  r.f.node(3).logs[w.term.log].missing.insert(Returning::run(w).digest.value);
  r.f.to_nodes.clear();
  r.append(w, 3);
  r.f.pass(100ms);
  CHECK(r.reconciles() == 1);
  CHECK(r.log(3, 0).pieces == r.log(1, 0).pieces);
}

TEST_CASE("status tells how far a copy is") {
  Returning r(1);
  r.miss(50);
  const Writer& w = r.writers[0];
  r.f.from_node(3, Reconciling{w.term.log, w.term.term, w.term.end + 2000});
  r.f.to_clients.clear();
  r.f.say(r.client, GetStatus{true});
  REQUIRE(!r.f.heard<Status>().empty());
  const ReplicaStatus s = r.f.heard<Status>().back().logs.at(0).replicas.at(2);
  CHECK(s.state == ReplicaState::lagging);
  CHECK(s.durable == w.term.end + 2000);
}

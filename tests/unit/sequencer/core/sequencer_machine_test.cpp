// The sequencer's core (SequencerMachine) among fake nodes (fake_cluster.h): logs and their lives,
// commits, failover, conditions, fencing, loss of data, and the bounds of spec/09.
// Larger subjects have files of their own beside this file: replaced disks, status, peers,
// retention, rest.
#include "sequencer/core/sequencer_machine.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/unit/sequencer/core/fake_cluster.h"

using namespace loglog;
using namespace loglog::sequencer;
using namespace loglog::sequencer::testing;

namespace {

/// A commit of a run of a single entry of 100 bytes. Its digest follows from producer and sequence.
Commit commit(const TermIs& t, std::uint64_t first, std::uint64_t settled = 0,
              std::uint64_t producer = 77) {
  return {t.log,
          t.term,
          Sequence{settled},
          {ProducerId{producer}, Sequence{first}, 1, 100, RunDigest{producer * 1000 + first}}};
}

/// Creates log "a" and returns its id; the log must be open at once.
LogId create(FakeCluster& f, ConnectionId c, LogOptions o = {}) {
  f.to_clients.clear();
  f.say(c, CreateLog{"a", o});
  const auto made = f.heard<LogIs>();
  REQUIRE(made.size() == 1);
  CHECK(made[0].info.state == LogState::open);
  return made[0].info.id;
}

/// Opens a log and returns its term.
TermIs open(FakeCluster& f, ConnectionId c, LogId log) {
  f.to_clients.clear();
  f.say(c, OpenLog{log});
  f.pass(200ms);
  const auto t = f.heard<TermIs>();
  REQUIRE(!t.empty());
  return t.back();
}

/// Commits a run that must be committed at once, and returns its offset.
Offset append(FakeCluster& f, ConnectionId c, const Commit& m) {
  f.to_clients.clear();
  f.say(c, m);
  const auto done = f.heard<Committed>();
  REQUIRE(done.size() == 1);
  return done[0].offset;
}

}  // namespace

/// The basis of a client that has just seen the newest metadata (T6).
Basis seen_now(const FakeCluster& f, std::uint64_t id = 0) {
  return {f.machine->metadata().version, ChangeId{id}};
}

TEST_CASE(
    "sequencer: commits of one turn go out in one order, also where the driver looks at what is "
    "pending") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const TermIs t = open(f, c, create(f, c));
  // The driver looks between messages whether large answers have gathered.
  for (const std::uint32_t n : {1u, 2u, 3u}) {
    f.machine->arrived(f.now, {c, RequestId{n}, commit(t, n)});
    CHECK(f.machine->pending().sends.empty());
  }
  const auto orders = std::ranges::count_if(f.machine->output().sends, [](const Send& s) {
    const auto* o = std::get_if<Order>(&s.message);
    return o != nullptr && o->items.size() == 3;
  });
  CHECK(orders == 3);  // one for each replica
}

TEST_CASE("sequencer: create, open, commit, repeat, tail, delete") {
  FakeCluster f(3);
  f.start_all();
  REQUIRE(f.machine->leading_term() == Term{1});
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  const TermIs t = open(f, c, log);
  CHECK(t.start > Offset{});  // an empty log begins with a segment start
  CHECK(t.end > t.start);

  const Offset a = append(f, c, commit(t, 1));
  CHECK(a == t.end);
  CHECK(append(f, c, commit(t, 2)) == a + 100);
  CHECK(append(f, c, commit(t, 1)) == a);  // a repeat
  for (int i : {1, 2, 3}) CHECK(f.node(i).logs[log].committed == a + 200);

  // A1: a sequence number that leaves a gap is refused with the number expected.
  f.to_clients.clear();
  f.say(c, commit(t, 9));
  REQUIRE(f.heard<Refused>().size() == 1);
  CHECK(f.heard<Refused>()[0].error == Errc::wrong_sequence);
  CHECK(f.heard<Refused>()[0].expected == Sequence{3});
  // A commit of another term is refused with the term in force.
  Commit stale = commit(t, 3);
  stale.term = Term{0};
  f.say(c, stale);
  CHECK(f.heard<Refused>().back().error == Errc::stale_term);
  CHECK(f.heard<Refused>().back().term == t.term);

  f.say(c, GetTail{log});
  REQUIRE(f.heard<TailIs>().size() == 1);
  CHECK(f.heard<TailIs>()[0].committed == a + 200);

  // R3: a trim beyond the committed end is refused, and changes nothing.
  f.say(c, TrimLog{log, a + 201});
  CHECK(f.heard<Failed>().back().error == Errc::past_end);
  CHECK(f.heard<Failed>().back().detail == fmt::format("the log ends at {}", a.value + 200));
  CHECK(f.machine->metadata().logs[0].trim == Offset{});
  f.say(c, TrimLog{log, a + 200});
  CHECK(f.heard<LogIs>().back().info.trim == a + 200);
  f.say(c, GetTail{log});
  // The trim point, not the begin of the first file.
  CHECK(f.heard<TailIs>().back().first == a + 200);

  // A name in use, then the deletion.
  f.say(c, CreateLog{"a", {}});
  CHECK(f.heard<Failed>().back().error == Errc::log_exists);
  f.say(c, DeleteLog{log});
  CHECK(f.heard<Done>().size() == 1);
  f.pass(100ms);
  CHECK(f.machine->metadata().logs.empty());

  // T5: the same deletion again, late, when another log has the name: it names the old id and must
  // find nothing.
  f.say(c, CreateLog{"a", {}, seen_now(f)});
  f.pass(100ms);
  REQUIRE(f.machine->metadata().logs.size() == 1);
  f.say(c, DeleteLog{log});
  f.pass(100ms);
  CHECK(f.heard<Failed>().back().error == Errc::no_such_log);
  REQUIRE(f.machine->metadata().logs.size() == 1);
  CHECK(f.machine->metadata().logs[0].state == LogState::open);
  CHECK(f.heard<Done>().size() == 1);
  CHECK(!f.alarmed());
}

TEST_CASE(
    "sequencer: a log is given up where a chosen node does not join it, not where that node is "
    "busy with others (T5)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const Duration step = f.options.recovery_step_timeout;
  // Node 3 joins logs only when the test says so.
  f.node(3).joins.emplace();
  f.say(c, CreateLog{"a", {}});
  f.say(c, CreateLog{"b", {}});
  f.say(c, CreateLog{"c", {}});
  f.pass(2 * step);
  REQUIRE(f.node(3).joins->size() == 3);
  // Node 3 joins a log, so its time for the others begins anew.
  f.join_next(3);
  REQUIRE(f.heard<LogIs>().size() == 1);

  f.pass(2 * step);  // longer than a node may be silent, but counted from its last join
  CHECK(f.heard<Failed>().empty());
  f.join_next(3);
  CHECK(f.heard<LogIs>().size() == 2);

  // T5: 6 s after its last join node 3 counts as unwilling, and the remaining log is given up.
  f.pass(4 * step);
  REQUIRE(f.heard<Failed>().size() == 1);
  CHECK(f.heard<Failed>()[0].error == Errc::not_enough_nodes);
  CHECK(f.heard<Failed>()[0].detail.find("node 3") != std::string::npos);
  const auto& logs = f.machine->metadata().logs;
  CHECK(std::count_if(logs.begin(), logs.end(),
                      [](const LogInfo& l) { return l.state == LogState::open; }) == 2);
  f.to_clients.clear();
  f.node(3).joins.reset();
  f.say(c, CreateLog{"c", {}, seen_now(f)});  // the name is free again
  CHECK(f.heard<LogIs>().size() == 1);
}

TEST_CASE(
    "sequencer: who asks for a log that is being given up hears what to do, not that it was "
    "deleted (T5)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  f.node(3).joins.emplace();
  const Basis basis = seen_now(f, 71);
  f.say(c, CreateLog{"a", {}, basis});
  // Node 3 goes while the log is being made; the repeat joins the request that waits.
  f.disconnect(3);
  f.say(c, CreateLog{"a", {}, basis}, 2);  // as a client that lost the first answer
  f.pass(4 * f.options.recovery_step_timeout);
  REQUIRE(f.heard<Failed>().size() == 2);
  // Both requests get the reason, and neither is told that the log was deleted.
  for (const Failed& m : f.heard<Failed>()) CHECK(m.error == Errc::not_enough_nodes);
}

TEST_CASE(
    "sequencer: a creation that is given up for want of a node is repeated with other nodes, not "
    "told superseded (F25, T6)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const CreateLog request{"a", {2, 2, 0, Durability::sync, {}}, seen_now(f, 71)};
  f.node(1).stopped = true;  // the node has stopped at this moment, and nobody knows it yet
  f.say(c, request);
  f.pass(4 * f.options.recovery_step_timeout);
  REQUIRE(f.heard<Failed>().size() == 1);
  CHECK(f.heard<Failed>()[0].error == Errc::not_enough_nodes);
  f.to_clients.clear();
  f.say(c, request);  // as the SDK repeats it after such an answer
  f.pass(100ms);
  // T6: the leader gave its own creation up, so the repeat may choose nodes anew.
  REQUIRE(f.heard<LogIs>().size() == 1);
  CHECK(f.heard<Failed>().empty());
  const LogInfo made = f.heard<LogIs>()[0].info;
  CHECK(std::ranges::none_of(made.members, [](const Member& m) { return m.node == NodeId{1}; }));
  // Once a client has deleted the log that the request made, a late copy of the request does
  // nothing.
  f.say(c, DeleteLog{made.id});
  f.node(1).stopped = false;
  f.pass(5s);
  f.to_clients.clear();
  f.say(c, request);
  f.pass(100ms);
  REQUIRE(f.heard<Failed>().size() == 1);
  CHECK(f.heard<Failed>()[0].error == Errc::superseded);
}

TEST_CASE(
    "sequencer: log_exists is no answer to the request that made the log, before and after it "
    "opens (L-5)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const CreateLog request{"a", {}, seen_now(f, 71)};
  // The creation waits for node 3 while copies of the request and another request come.
  f.node(3).joins.emplace();
  f.say(c, request);
  f.say(c, request, 2);
  CHECK(f.heard<LogIs>().empty());
  f.say(c, CreateLog{"a", {}, seen_now(f, 72)}, 3);  // another client's request
  CHECK(f.heard<Failed>().empty());  // no answer yet, because the log may still be given up
  f.join_next(3);
  // Both copies are answered as done; the other request is told log_exists.
  CHECK(f.heard<LogIs>().size() == 2);
  REQUIRE(f.heard<Failed>().size() == 1);
  CHECK(f.heard<Failed>()[0].error == Errc::log_exists);
  // A copy that comes after the log has opened is answered as done too (T6).
  f.say(c, request, 4);
  REQUIRE(f.heard<LogIs>().size() == 3);
  CHECK(f.heard<LogIs>()[2].info.id == f.machine->metadata().logs[0].id);
  CHECK(f.machine->metadata().logs.size() == 1);
}

TEST_CASE(
    "sequencer: a creation does not wait for ever for a node that joins others and never this one "
    "(T5)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  f.node(3).joins.emplace();
  // Node 3 loses the join of this log and joins every other log.
  f.say(c, CreateLog{"lost", {}});
  f.node(3).joins->clear();
  std::size_t others = 0;
  while (f.heard<Failed>().empty() && others < 100) {
    f.say(c, CreateLog{fmt::format("log{}", ++others), {}});
    f.pass(f.options.recovery_step_timeout);
    f.join_next(3);
  }
  // The bound of a minute (T5) is reached after 30 other logs of 2 s each.
  CHECK(others == 30);
  CHECK(f.heard<Failed>()[0].detail.find("lost") != std::string::npos);
  CHECK(f.heard<LogIs>().size() == others);
}

TEST_CASE("sequencer: committed needs W acknowledgements; one node down does not stop appends") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  const TermIs t = open(f, c, log);
  // Node 3 is down, node 2 does not acknowledge: a single acknowledgement is below W.
  f.disconnect(3);
  append(f, c, commit(t, 1));
  f.node(2).durable = false;
  f.to_clients.clear();
  f.say(c, commit(t, 2));
  CHECK(f.heard<Committed>().empty());
  CHECK(f.heard<Refused>().empty());

  // Node 3 comes back late: it catches up, joins the order stream, and its acknowledgement
  // completes the quorum.
  f.connect(3);
  f.pass(500ms);
  REQUIRE(f.heard<Committed>().size() == 1);
  CHECK(f.node(3).logs[log].pieces == f.node(1).logs[log].pieces);
  CHECK(f.node(3).logs[log].committed == f.node(1).logs[log].tail());
  CHECK(!f.alarmed());
}

TEST_CASE("sequencer: a late replica beyond the window copies from a peer") {
  FakeCluster f(3);
  f.options.reference_window = 8;
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  const TermIs t = open(f, c, log);
  // Node 3 misses 50 runs, and the leader's window has 8 of them.
  f.disconnect(3);
  for (std::uint64_t i = 1; i <= 50; ++i) append(f, c, commit(t, i, i - 1));
  f.to_nodes.clear();
  f.connect(3);
  f.pass(500ms);
  CHECK(f.node(3).logs[log].pieces == f.node(1).logs[log].pieces);
  // Orders would name references that the leader no longer has, so node 3 copies (S5).
  const bool copied = std::any_of(f.to_nodes.begin(), f.to_nodes.end(), [](const auto& m) {
    const auto* r = std::get_if<Reconcile>(&m.second);
    return r != nullptr && !r->peers.empty();
  });
  CHECK(copied);
  append(f, c, commit(t, 51, 50));
  CHECK(f.node(3).logs[log].pieces == f.node(1).logs[log].pieces);
  CHECK(!f.alarmed());
}

TEST_CASE("sequencer: failover; a replica that diverged is cut back to where it agrees (S4)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  const TermIs t = open(f, c, log);
  append(f, c, commit(t, 1));
  // Node 3 alone gets a run more. A second leader recovers the log without it and appends; then
  // node 3 comes back.
  for (int i : {1, 2}) f.disconnect(i);
  f.say(c, commit(t, 2));
  const Offset orphan = f.node(3).logs[log].tail();
  CHECK(orphan > f.node(1).logs[log].tail());

  // The second leader sees nodes 1 and 2.
  f.restart();
  f.pass(3s);
  REQUIRE(f.machine->leading_term() == Term{2});
  for (int i : {1, 2}) f.connect(i);
  const ConnectionId c2 = f.connect_client();
  const TermIs t2 = open(f, c2, log);
  CHECK(t2.term == Term{2});
  CHECK(t2.start == t.end + 100);
  append(f, c2, commit(t2, 2, 1));
  // S4: node 3 is cut to the part that it shares with the others, and filled.
  f.connect(3);
  f.pass(500ms);
  CHECK(f.node(3).logs[log].pieces == f.node(1).logs[log].pieces);
  CHECK(f.node(3).logs[log].terms().size() == 2);
  CHECK(!f.alarmed());
}

TEST_CASE(
    "sequencer: failover; what W nodes hold survives, the most up-to-date answer is the base "
    "(S3)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  const TermIs t = open(f, c, log);
  f.disconnect(1);
  const Offset a = append(f, c, commit(t, 1));
  f.restart();
  f.pass(3s);
  for (int i : {1, 2}) f.connect(i);  // node 2 has the run, node 1 has not
  const ConnectionId c2 = f.connect_client();
  const TermIs t2 = open(f, c2, log);
  // S3: the longer answer is the base, so the run stays.
  CHECK(t2.start == a + 100);
  CHECK(f.node(1).logs[log].pieces == f.node(2).logs[log].pieces);
  CHECK(f.node(1).logs[log].committed == t2.end);
}

TEST_CASE("sequencer: the base dies in recovery: a new term for that log alone (S8)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  const TermIs t = open(f, c, log);
  f.disconnect(2);
  append(f, c, commit(t, 1));
  f.restart();
  f.pass(3s);
  // Node 3 holds more than node 2, is chosen as base, and dies before node 2 has copied.
  f.node(2).logs[log].missing.insert(0);
  f.connect(3);
  f.node(3).logs[log].pieces.push_back({Term{1}, 100, 4242});  // node 3 alone has a run more
  f.connect(2);
  f.disconnect(3);
  f.connect(1);
  const ConnectionId c2 = f.connect_client();
  f.say(c2, OpenLog{log});
  // S8: the recovery cannot go on, so the log gets a new term without node 3.
  f.pass(6s);
  const auto told = f.heard<TermIs>();
  REQUIRE(!told.empty());
  // Node 3 is cut when it comes back.
  f.connect(3);
  f.pass(1s);
  CHECK(f.node(3).logs[log].pieces == f.node(1).logs[log].pieces);
  CHECK(!f.alarmed());
}

TEST_CASE("sequencer: with a full disk it makes no log, and trims and deletes as before (F12)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  f.say(c, CreateLog{"a", {}});
  f.pass(100ms);
  REQUIRE(f.heard<LogIs>().size() == 1);
  const LogId a = f.heard<LogIs>()[0].info.id;
  // The driver reports that space is low.
  f.machine->space_is_low(f.now, true);
  f.run();
  f.say(c, CreateLog{"b", {}});
  f.pass(100ms);
  REQUIRE(f.heard<Failed>().size() == 1);
  CHECK(f.heard<Failed>()[0].error == Errc::no_space);
  // R3 of spec/02: deletions must work on a full disk.
  f.to_clients.clear();
  f.say(c, DeleteLog{a});
  f.pass(100ms);
  CHECK(f.heard<Done>().size() == 1);
  f.machine->space_is_low(f.now, false);
  f.run();
  f.to_clients.clear();
  f.say(c, CreateLog{"b", {}});
  f.pass(100ms);
  CHECK(f.heard<LogIs>().size() == 1);
}

TEST_CASE("sequencer: a run that nobody has and whose producer is gone is dropped by a new term") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  const TermIs t = open(f, c, log);
  append(f, c, commit(t, 1));
  const ConnectionId producer = f.connect_client();
  const Commit lost = commit(t, 1, 0, 88);
  // No node has the run, and its producer's connection ends.
  for (int i : {1, 2, 3}) f.node(i).logs[log].missing.insert(lost.run.digest.value);
  f.say(producer, lost);
  CHECK(f.heard<UploadAgain>().size() == 3);
  f.disconnect_client(producer);
  f.to_clients.clear();
  f.pass(3s);
  const auto told = f.heard<TermIs>();  // sent unasked, because the client had opened the log
  REQUIRE(told.size() == 1);
  // The run is dropped by a new term, which begins where the run stood.
  CHECK(told[0].term > t.term);
  CHECK(told[0].start == t.end + 100);
  append(f, c, commit(told[0], 2, 1));
  CHECK(!f.alarmed());
}

TEST_CASE(
    "sequencer: a run whose producer is there and does not bring it is dropped once all replicas "
    "have missed it twice (V1)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  const TermIs t = open(f, c, log);
  append(f, c, commit(t, 1));
  const Commit absent = commit(t, 1, 0, 88);
  for (int i : {1, 2, 3}) f.node(i).logs[log].missing.insert(absent.run.digest.value);
  f.say(f.connect_client(), absent);
  f.pass(1s);
  // Reports the run as missing at a node, once more.
  const auto misses = [&](int node) {
    f.machine->arrived(f.now, {f.node(node).connection, RequestId{},
                               Missing{log, t.term, t.end + 100, absent.run}});
    f.run();
  };
  f.to_clients.clear();
  // Two of three replicas have reported the run twice: the producer is still waited for.
  for (int i : {1, 2}) misses(i);
  f.pass(500ms);
  CHECK(f.heard<TermIs>().empty());
  CHECK(f.heard<UploadAgain>().size() == 2);
  // V1: all replicas that take orders have reported it twice.
  misses(3);
  f.pass(500ms);
  const auto told = f.heard<TermIs>();
  REQUIRE(!told.empty());
  CHECK(told[0].term > t.term);
  CHECK(told[0].start == t.end + 100);
}

TEST_CASE(
    "sequencer: a connection whose runs had to be dropped twice is closed with the reason (Z11)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  TermIs t = open(f, c, log);
  const ConnectionId ghost = f.connect_client();
  // Twice the connection commits a run that nobody uploads, and a new term drops it.
  for (std::uint64_t producer : {88u, 99u}) {
    CHECK_FALSE(f.closed.contains(ghost));
    const Commit absent = commit(t, 1, 0, producer);
    for (int i : {1, 2, 3}) f.node(i).logs[log].missing.insert(absent.run.digest.value);
    const Offset at = f.node(1).logs[log].tail();
    f.say(ghost, absent);
    for (int i : {1, 2, 3}) {
      f.machine->arrived(f.now,
                         {f.node(i).connection, RequestId{}, Missing{log, t.term, at, absent.run}});
      f.run();
    }
    f.pass(500ms);
    const TermIs next = open(f, c, log);
    CHECK(next.term > t.term);
    t = next;
  }
  // The connection is closed; other clients' connections stay.
  REQUIRE(f.closed.contains(ghost));
  CHECK(f.closed[ghost].code == Errc::too_many);
  CHECK(f.closed[ghost].detail.starts_with(
      "2 runs that were committed over this connection were never uploaded"));
  CHECK_FALSE(f.closed.contains(c));
}

TEST_CASE(
    "sequencer: a client that reconnects with runs that nobody uploads costs a term in 5 s, not "
    "one a connection (Z11)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId old = f.connect_client("10.0.0.9"), other = f.connect_client("10.0.0.8");
  const LogId log = create(f, old);
  TermIs t = open(f, old, log);
  append(f, old, commit(t, 1));
  std::uint64_t producer = 1000;
  // Commits a run that was never uploaded, over a connection that ends at once. Returns true if the
  // run was ordered.
  const auto harm = [&](const std::string& from) {
    const ConnectionId ghost = f.connect_client(from);
    const Commit absent = commit(t, 1, 0, ++producer);
    for (int i : {1, 2, 3}) f.node(i).logs[log].missing.insert(absent.run.digest.value);
    const Offset at = f.node(1).logs[log].tail();
    f.to_clients.clear();
    f.say(ghost, absent);
    const bool refused = !f.heard<Refused>().empty();
    if (refused) CHECK(f.heard<Refused>()[0].error == Errc::too_many);
    for (int i : {1, 2, 3}) f.from_node(i, Missing{log, t.term, at, absent.run});
    f.disconnect_client(ghost);
    f.pass(200ms);
    const TermIs next = open(f, other, log);
    CHECK((next.term > t.term) == !refused);
    t = next;
    return !refused;
  };
  // The number of terms that so many connections cost.
  const auto terms_of = [&](const std::string& from, int connections) {
    int terms = 0;
    for (int i = 0; i < connections; ++i) terms += harm(from) ? 1 : 0;
    return terms;
  };
  // Four dropped runs are free (spec/09), and the fifth comes before the address is suspect.
  CHECK(terms_of("10.0.0.9", 15) == 5);
  // A client of the address that has appended goes on, and so does every client elsewhere.
  append(f, old, commit(t, 1, 0, 78));
  append(f, other, commit(t, 1, 0, 79));
  append(f, f.connect_client("10.0.0.8"), commit(t, 1, 0, 80));
  // A new client of the address waits for its turn: a connection in 5 s.
  const ConnectionId fresh = f.connect_client("10.0.0.9");
  f.to_clients.clear();
  f.say(fresh, commit(t, 1, 0, 81));
  REQUIRE(f.heard<Refused>().size() == 1);
  CHECK(f.heard<Refused>()[0].error == Errc::too_many);
  f.pass(5s);
  append(f, fresh, commit(t, 1, 0, 81));
  append(f, fresh, commit(t, 2, 0, 81));
  // The turn is used up: in 20 s at most four more.
  int terms = 0;
  for (int i = 0; i < 50; ++i) terms += terms_of("10.0.0.9", 1);
  CHECK(terms >= 1);
  CHECK(terms <= 5);
  // After a minute without harm the address is free again.
  f.pass(61s);
  append(f, f.connect_client("10.0.0.9"), commit(t, 1, 0, 82));
  append(f, f.connect_client("10.0.0.9"), commit(t, 1, 0, 83));
}

TEST_CASE(
    "sequencer: an older copy of a node's directory, and a node run twice, are found whoever leads "
    "(F11, T4)") {
  FakeCluster f(3);
  for (int i : {1, 2, 3})
    f.node(i).boot = BootId{10u + static_cast<unsigned>(i)}, f.node(i).promise_count = 5;
  f.start_all();
  FakeNode& n = f.node(2);
  const auto lost = [&] { return f.machine->metadata().storage[1].lost; };
  const auto counted = [&] { return f.machine->metadata().storage[1].promise_count; };
  f.pass(100ms);
  CHECK(counted() == 5);
  // Restarts node 2 as the process `boot` with the given count, and has another leader judge it.
  const auto start_again = [&](std::uint64_t boot, std::uint64_t found) {
    f.disconnect(2);
    n.boot = BootId{boot};
    n.promise_found = found;
    n.promise_count = found + 1;
    f.restart();  // another leader, which has nothing but the metadata
    for (int i : {1, 2, 3}) f.connect(i);
    f.pass(3s);
  };
  SUBCASE("the same directory") {
    start_again(20, 6);  // a process that found a later count than the registered count
    CHECK_FALSE(lost());
    CHECK(counted() == 7);
    // A slot of its promise went bad, so it found the registered count and no more.
    start_again(21, 7);
    CHECK_FALSE(lost());
  }
  // The same boot id: the process is the registered process, and its counts are not compared.
  SUBCASE("the connection of the same process is made anew") {
    f.disconnect(2);
    f.restart();
    for (int i : {1, 2, 3}) f.connect(i);
    f.pass(3s);
    CHECK_FALSE(lost());
  }
  SUBCASE("an older copy") {
    start_again(20, 6);
    REQUIRE(counted() == 7);
    // The copy found 4 writes where 7 are registered (T4).
    start_again(22, 4);
    CHECK(lost());
    CHECK(std::ranges::any_of(f.events, [](const Event& e) {
      return e.level == Event::Level::alarm && e.text.contains("older copy");
    }));
  }
  SUBCASE("two processes on copies of one directory") {
    start_again(20, 6);  // the copy
    CHECK_FALSE(lost());
    start_again(12, 4);  // the original process, which found less when it began
    CHECK(lost());
  }
}

TEST_CASE(
    "sequencer: a node that is silent is chosen for no log, though its connection stands (F25)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  // The node's connection stands, but it has answered nothing for 5 s.
  f.node(2).stopped = true;
  f.pass(5s);
  f.to_clients.clear();
  f.say(c, CreateLog{"two", {2, 2, 0, Durability::sync, {}}});
  f.pass(100ms);
  const auto made = f.heard<LogIs>();
  REQUIRE(made.size() == 1);
  CHECK(made[0].info.state == LogState::open);
  CHECK(std::ranges::none_of(made[0].info.members,
                             [](const Member& m) { return m.node == NodeId{2}; }));
  f.say(c, CreateLog{"three", {3, 2, 0, Durability::sync, {}}});
  REQUIRE(f.heard<Failed>().size() == 1);  // refused at once, not after a join's deadline
  CHECK(f.heard<Failed>()[0].error == Errc::not_enough_nodes);
}

TEST_CASE(
    "sequencer: a log that is created while the cluster starts has no fewer replicas than later "
    "logs (C2)") {
  FakeCluster f(3);
  f.restart();
  f.pass(3s);
  f.connect(1);  // the nodes 2 and 3 are configured and have not come yet
  const ConnectionId c = f.connect_client();
  f.say(c, CreateLog{"a", {}});
  REQUIRE(f.heard<Failed>().size() == 1);
  CHECK(f.heard<Failed>()[0].error == Errc::not_enough_nodes);  // so the client asks again
  f.connect(2);
  f.connect(3);
  f.to_clients.clear();
  f.say(c, CreateLog{"a", {}});
  const auto made = f.heard<LogIs>();
  REQUIRE(made.size() == 1);
  CHECK(made[0].info.options.replicas == 3);
  CHECK(made[0].info.options.write_quorum == 2);
}

TEST_CASE("sequencer: a name that is asked for a thousand times is answered once (Z4)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  create(f, c);
  f.to_clients.clear();
  // Otherwise a single request would make an answer of any size.
  f.say(c, GetMetadata{std::vector<std::string>(1000, "a"), false});
  REQUIRE(f.heard<loglog::Metadata>().size() == 1);
  CHECK(f.heard<loglog::Metadata>()[0].metadata.logs.size() == 1);
}

TEST_CASE(
    "sequencer: what is ordered and durable nowhere has a bound, for a connection and for a log "
    "(V1, Z11)") {
  FakeCluster f(3);
  f.options.unwritten_runs_per_connection_max = 2;
  f.options.unwritten_runs_max = 3;
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  const TermIs t = open(f, c, log);
  // Nothing becomes durable, so every run counts against the bounds.
  for (int i : {1, 2, 3}) f.node(i).durable = false;
  f.to_clients.clear();
  f.say(c, commit(t, 1));
  f.say(c, commit(t, 2));
  CHECK(f.heard<Refused>().empty());
  // The connection's bound of two runs.
  f.say(c, commit(t, 3));
  REQUIRE(f.heard<Refused>().size() == 1);
  CHECK(f.heard<Refused>()[0].error == Errc::too_many);
  f.say(c, commit(t, 1, 0, 88));  // a fresh producer id does not help
  REQUIRE(f.heard<Refused>().size() == 2);
  CHECK(f.heard<Refused>()[1].error == Errc::too_many);
  // Another connection meets the log's bound of three runs.
  const ConnectionId other = f.connect_client();
  f.say(other, commit(t, 1, 0, 88));
  CHECK(f.heard<Refused>().size() == 2);
  f.say(other, commit(t, 1, 0, 99));
  REQUIRE(f.heard<Refused>().size() == 3);
  CHECK(f.heard<Refused>()[2].error == Errc::too_many);
  f.say(c, commit(t, 2));  // a repeat is no further run
  CHECK(f.heard<Refused>().size() == 3);
}

TEST_CASE(
    "sequencer: a hole is filled to what was ordered, though no acknowledgement of it was heard "
    "(V2)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  const TermIs t = open(f, c, log);
  append(f, c, commit(t, 1));
  f.disconnect(2);
  f.disconnect(3);
  f.node(1).durable = false;  // its acknowledgements reach clients and not the leader
  const Commit told = commit(t, 2);
  f.say(c, told);
  REQUIRE(f.node(1).logs[log].tail() == t.end + 200);
  // Node 1 comes back with a hole where the second run was; node 3 lacks the run.
  f.disconnect(1);
  f.node(1).logs[log].cut(t.end + 100);
  f.node(1).logs[log].suspect = true;
  f.node(3).logs[log].missing.insert(told.run.digest.value);
  f.connect(3);
  f.connect(1);
  f.pass(300ms);
  // Nobody has the run, so node 1's log may not be called whole.
  CHECK(f.node(1).logs[log].suspect);
  // K4: node 3 gets the run, and node 1's hole is filled up to all that was ordered.
  f.disconnect(3);
  f.node(3).logs[log].missing.clear();
  f.connect(3);
  f.pass(5s);
  CHECK(!f.node(1).logs[log].suspect);
  CHECK(f.node(1).logs[log].tail() == t.end + 200);
}

TEST_CASE("sequencer: who counts in a term is told in that term (V2)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  const TermIs t = open(f, c, log);
  f.to_clients.clear();
  // The members of the term in force, then a term that is not.
  f.say(c, GetTermSet{log, t.term});
  REQUIRE(f.heard<TermSetIs>().size() == 1);
  CHECK(f.heard<TermSetIs>()[0].write_quorum == 2);
  CHECK(f.heard<TermSetIs>()[0].members.size() == 3);
  CHECK(f.heard<TermSetIs>()[0].members[0] == Member{NodeId{1}, DiskId{101}});
  f.say(c, GetTermSet{log, t.term + 1});
  REQUIRE(f.heard<Failed>().size() == 1);
  CHECK(f.heard<Failed>()[0].error == Errc::stale_term);
}

TEST_CASE(
    "sequencer: an append that expects the log's end goes in only where no run was ordered above "
    "it (F1)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  const TermIs t = open(f, c, log);
  const Offset first = append(f, c, commit(t, 1));
  // An append with an expected offset.
  const auto at = [&](std::uint64_t sequence, Offset expected, std::uint64_t producer = 88) {
    const Commit m = commit(t, sequence, sequence - 1, producer);
    return CommitIf{m.log, m.term, m.settled, m.run, expected, FenceToken{}};
  };
  f.to_clients.clear();
  // A run was ordered at the expected offset: refused with the committed end.
  f.say(c, at(1, first));
  REQUIRE(f.heard<ConditionFailed>().size() == 1);
  CHECK(f.heard<ConditionFailed>()[0].error == Errc::offset_mismatch);
  CHECK(f.heard<ConditionFailed>()[0].end == first + 100);
  f.say(c, at(1, first + 100));
  REQUIRE(f.heard<Committed>().size() == 1);
  CHECK(f.heard<Committed>()[0].offset == first + 100);
  f.say(c, at(1, first + 100));  // a repeat gets its offset, though the log has moved on
  CHECK(f.heard<Committed>().size() == 2);

  SUBCASE(
      "beyond the end: refused for good, though the end moves on to where the condition would hold "
      "(C-7)") {
    f.to_clients.clear();
    f.say(c, at(2, first + 300));
    REQUIRE(f.heard<ConditionFailed>().size() == 1);
    CHECK(f.heard<ConditionFailed>()[0].end == first + 200);
    append(f, c, commit(t, 2, 1));
    f.to_clients.clear();
    f.say(c, at(2, first + 300));  // a late copy
    CHECK(f.heard<Committed>().empty());
    REQUIRE(f.heard<ConditionFailed>().size() == 1);
    // The same end as before, which lies below the expected offset.
    CHECK(f.heard<ConditionFailed>()[0].end == first + 200);
    f.to_clients.clear();
    // The refused run's number is used up, so the next entry has the next number.
    f.say(c, at(3, first + 300));
    CHECK(f.heard<Committed>().size() == 1);
  }
  SUBCASE("answers that wait have a bound: 4096 a log, and the next is refused with too_many") {
    for (int i : {1, 2, 3}) f.node(i).durable = false;
    f.say(c, commit(t, 2, 1));  // ordered, and not committed
    f.to_clients.clear();
    for (std::uint64_t i = 0; i <= 4096; ++i) f.say(c, at(1, first + 200, 1000 + i));
    CHECK(f.heard<ConditionFailed>().empty());
    REQUIRE(f.heard<Refused>().size() == 1);
    CHECK(f.heard<Refused>()[0].error == Errc::too_many);
  }
  SUBCASE("refused only once what stands in the way is committed") {
    // The run in the way is ordered and not committed, so the refusal waits for it.
    for (int i : {1, 2, 3}) f.node(i).durable = false;
    f.say(c, commit(t, 2, 1));
    f.to_clients.clear();
    f.say(c, at(2, first + 200));
    CHECK(f.heard<ConditionFailed>().empty());
    for (int i : {1, 2, 3}) f.node(i).durable = true;
    f.say(c, commit(t, 3, 1));  // the next group brings the acknowledgement
    REQUIRE(f.heard<ConditionFailed>().size() == 1);
    CHECK(f.heard<ConditionFailed>()[0].end >= first + 300);
  }
  SUBCASE(
      "in a new term all that was before may hold entries, and the offset named for it is taken") {
    f.restart();
    for (int i : {1, 2, 3}) f.connect(i);
    const ConnectionId d = f.connect_client();
    const TermIs next = open(f, d, log);
    f.to_clients.clear();
    // F1: the leader of a new term does not know where the last entry of earlier terms ends.
    Commit m = commit(next, 1, 0, 99);
    f.say(d, CommitIf{m.log, m.term, m.settled, m.run, first, FenceToken{}});
    REQUIRE(f.heard<ConditionFailed>().size() == 1);
    const Offset end = f.heard<ConditionFailed>()[0].end;
    CHECK(end == next.end);
    f.say(d, CommitIf{m.log, m.term, m.settled, m.run, end, FenceToken{}});
    CHECK(f.heard<Committed>().size() == 1);
  }
}

TEST_CASE(
    "sequencer: a newer fencing token refuses older writers, and is told once what they got in is "
    "committed (F2)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  const TermIs t = open(f, c, log);
  // An append with a fencing token.
  const auto with = [&](std::uint64_t sequence, std::uint64_t token) {
    const Commit m = commit(t, sequence, sequence - 1);
    return CommitIf{m.log, m.term, m.settled, m.run, no_offset, FenceToken{token}};
  };
  f.say(c, with(1, 5));  // without a fence any token is taken
  // A run with token 5 is ordered and not committed when the token rises to 6.
  for (int i : {1, 2, 3}) f.node(i).durable = false;
  f.say(c, with(2, 5));
  f.to_clients.clear();
  f.say(c, SetFence{log, FenceToken{6}});
  // F2: the answer waits until everything that was ordered before is committed.
  CHECK(f.heard<FenceIs>().empty());
  f.say(c, with(3, 5));
  REQUIRE(f.heard<ConditionFailed>().size() == 1);
  CHECK(f.heard<ConditionFailed>()[0].error == Errc::producer_fenced);
  CHECK(f.heard<ConditionFailed>()[0].fence == FenceToken{6});
  for (int i : {1, 2, 3}) f.node(i).durable = true;
  f.say(c, with(3, 6));
  REQUIRE(f.heard<FenceIs>().size() == 1);
  CHECK(f.heard<FenceIs>()[0].token == FenceToken{6});
  const auto done = f.heard<Committed>();
  // Runs 2 and 3: run 3 stands at the end that FenceIs told, or above it.
  REQUIRE(done.size() == 2);
  CHECK(done[0].offset < f.heard<FenceIs>()[0].end);

  f.to_clients.clear();
  // A lower token is refused; the same token is a repeat; token 0 asks for the next number.
  f.say(c, SetFence{log, FenceToken{5}});
  REQUIRE(f.heard<Failed>().size() == 1);
  CHECK(f.heard<Failed>()[0].error == Errc::producer_fenced);
  f.say(c, SetFence{log, FenceToken{6}});                 // a repeat
  f.say(c, SetFence{log, FenceToken{}, seen_now(f, 9)});  // the next number
  REQUIRE(f.heard<FenceIs>().size() == 2);
  CHECK(f.heard<FenceIs>()[0].token == FenceToken{6});
  CHECK(f.heard<FenceIs>()[1].token == FenceToken{7});

  // The token outlives the leader, because it is in the metadata.
  f.restart();
  for (int i : {1, 2, 3}) f.connect(i);
  const ConnectionId d = f.connect_client();
  const TermIs next = open(f, d, log);
  f.to_clients.clear();
  const Commit m = commit(next, 1, 0, 99);
  f.say(d, CommitIf{m.log, m.term, m.settled, m.run, no_offset, FenceToken{6}});
  CHECK(f.heard<ConditionFailed>().size() == 1);
}

TEST_CASE(
    "sequencer: replicas that contradict each other halt the log (D4); a node that lost data "
    "counts as down (T4)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  const TermIs t = open(f, c, log);
  append(f, c, commit(t, 1));
  SUBCASE("lost data") {
    f.disconnect(3);
    // Node 3 comes back without a run that it acknowledged: DATA LOSS.
    f.node(3).logs[log].pieces.pop_back();
    f.connect(3);
    CHECK(f.alarmed());
    append(f, c, commit(t, 2));
  }
  SUBCASE("another disk") {
    f.disconnect(3);
    // Node 3 comes back with a disk that is not registered.
    f.node(3).disk = DiskId{5};
    f.connect(3);
    CHECK(f.alarmed());
    append(f, c, commit(t, 2));
    // The leader dials the node again and again; each disk is reported once.
    f.events.clear();
    f.disconnect(3);
    f.connect(3);
    CHECK(!f.alarmed());
    f.disconnect(3);
    f.node(3).disk = DiskId{6};
    f.connect(3);
    CHECK(f.alarmed());
  }
  SUBCASE("other bytes") {
    // Node 3 holds other bytes at an offset that is acknowledged; its next chain shows it.
    f.node(3).logs[log].pieces.back().tag ^= 1;
    f.to_clients.clear();
    f.say(c, commit(t, 2));
    CHECK(f.alarmed());
    f.say(c, commit(t, 3));
    CHECK(f.heard<Refused>().back().error == Errc::log_halted);
    f.to_clients.clear();
    f.say(c, OpenLog{log});  // the answer carries the alarm's sentence
    REQUIRE(f.heard<Failed>().size() == 1);
    CHECK(f.heard<Failed>()[0].error == Errc::log_halted);
    CHECK(f.heard<Failed>()[0].detail.find("other bytes") != std::string::npos);
  }
  SUBCASE(
      "other bytes, found while a client waits for the next term: it is told then, not when its "
      "patience ends (C-13)") {
    f.pass(1s);  // the nodes have heard how far the log is committed
    f.restart();
    f.node(3).logs[log].pieces.back().tag ^= 1;
    const ConnectionId d = f.connect_client();
    f.say(d, OpenLog{log});
    f.to_clients.clear();
    // The contradiction shows in the states of the next recovery; the waiting client is told at
    // once.
    for (int i : {3, 1, 2}) f.connect(i);
    f.pass(100ms);
    CHECK(f.alarmed());
    REQUIRE(f.heard<Failed>().size() == 1);
    CHECK(f.heard<Failed>()[0].error == Errc::log_halted);
  }
}

TEST_CASE(
    "sequencer: one that comes back in mid-term with a hole below what it acknowledged is filled "
    "from peers (K4)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c);
  const TermIs t = open(f, c, log);
  for (std::uint64_t i = 1; i <= 5; ++i) append(f, c, commit(t, i, i - 1));
  f.pass(1s);  // node 3 has heard how far the log is committed
  FakeLog& damaged = f.node(3).logs[log];
  const std::vector<Piece> whole = damaged.pieces;
  f.disconnect(3);
  // Node 3 comes back with a hole: its last three pieces are gone.
  damaged.pieces.resize(whole.size() - 3);
  damaged.suspect = true;
  REQUIRE(damaged.committed > damaged.tail());
  SUBCASE("in the same term") {
    // K4: it is filled from peers, and takes orders again.
    f.connect(3);
    f.pass(5s);
    CHECK(!f.alarmed());
    CHECK(damaged.pieces == whole);
    append(f, c, commit(t, 6, 5));
    CHECK(damaged.pieces.size() == whole.size() + 1);
  }
  SUBCASE("and what it once acknowledged counts no more") {
    // Node 2 is down and node 3 does not get the new run; its old acknowledgements must not
    // complete W.
    f.disconnect(2);
    damaged.missing.insert(commit(t, 6).run.digest.value);
    f.connect(3);
    f.to_clients.clear();
    f.say(c, commit(t, 6, 5));
    f.pass(1s);
    CHECK(f.heard<Committed>().empty());
  }
  SUBCASE("in the next term") {
    f.restart();
    f.pass(3s);
    for (int i = 1; i <= 3; ++i) f.connect(i);
    open(f, f.connect_client(), log);
    f.pass(5s);
    CHECK(!f.alarmed());
    CHECK(damaged.pieces == f.node(1).logs[log].pieces);
  }
}

TEST_CASE("sequencer: segments roll at the log's segment size") {
  FakeCluster f(1);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c, {1, 1, 64u << 10, Durability::sync});
  const TermIs t = open(f, c, log);
  f.to_nodes.clear();
  Commit m = commit(t, 1);
  for (std::uint64_t i = 1; i <= 10; ++i) {
    m.run.first = Sequence{i};
    m.run.length = 20'000;
    append(f, c, m);
  }
  // Each roll is an order item with a frame of the leader.
  std::size_t rolls = 0;
  for (const auto& [node, message] : f.to_nodes)
    if (const auto* o = std::get_if<Order>(&message))
      for (const OrderItem& i : o->items) rolls += !i.frame.empty();
  CHECK(rolls == 3);
}

TEST_CASE("sequencer: one that does not lead says so") {
  FakeCluster f(3);
  f.options.sequencers = {
      {SequencerId{1}, "s1:1"}, {SequencerId{2}, "s2:1"}, {SequencerId{3}, "s3:1"}};
  // Two of three sequencers are missing, so nobody can lead.
  f.restart();
  f.pass(1s);
  const ConnectionId c = f.connect_client();
  f.say(c, commit({LogId{1}, Term{1}, {}, {}}, 1));
  REQUIRE(f.heard<Refused>().size() == 1);
  CHECK(f.heard<Refused>()[0].error == Errc::not_leader);
  f.say(c, OpenLog{LogId{1}});
  CHECK(f.heard<Failed>().back().error == Errc::not_leader);
  // Questions about the sequencer's own knowledge are answered all the same.
  f.say(c, GetMetadata{{}, true});
  CHECK(f.heard<loglog::Metadata>().size() == 1);
  f.say(c, GetStatus{true});
  CHECK(f.heard<Status>().size() == 1);
}

namespace {

/// Starts a sequencer alone on this disk and returns the error with which it ends itself, if any.
std::optional<Error> end_of(const RaftDisk& disk) {
  FakeCluster f(1);
  SequencerMachine m(f.options, disk, 5);
  m.start(f.now, 0);
  for (int i = 0; i < 20; ++i) {
    Output& out = m.output();
    if (out.fatal) return out.fatal;
    const auto saves = std::exchange(out.saves, {});
    out.clear();
    for (const SaveRaft& s : saves) m.save_done(f.now, {s.ticket});
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("sequencer: what a newer version has committed ends it, and is not skipped") {
  RaftDisk disk;
  disk.hard_state = {RaftTerm{1}, SequencerId{1}};
  // Each case is a record that only a newer version can have written.
  SUBCASE("a command of a kind that it does not know") {
    disk.entries = {{RaftTerm{1}, RaftIndex{1}, Bytes::copy_of("c...")}};
  }
  SUBCASE("a command with a field more") {
    const Bytes open = encode(Command(MarkOpen{LogId{1}}));
    disk.entries = {{RaftTerm{1}, RaftIndex{1}, Bytes::copy_of(std::string(open.text()) + "x")}};
  }
  SUBCASE("a snapshot with a field more") {
    disk.snapshot_index = RaftIndex{5};
    disk.snapshot_term = RaftTerm{1};
    disk.snapshot = Bytes::copy_of(std::string(MetadataState{}.snapshot().text()) + "x");
  }
  const auto end = end_of(disk);
  REQUIRE(end.has_value());
  CHECK(end->code == Errc::newer_format);
  // The sentence names the entry at fault.
  CHECK(end->detail.find(disk.snapshot.empty() ? "entry 1" : "entry 5") != std::string::npos);
}

TEST_CASE("sequencer: what it knows does not end it") {
  RaftDisk disk;
  disk.hard_state = {RaftTerm{1}, SequencerId{1}};
  disk.entries = {{RaftTerm{1}, RaftIndex{1}, encode(Command(MarkOpen{LogId{1}}))},
                  {RaftTerm{1}, RaftIndex{2}, Bytes{}}};
  CHECK_FALSE(end_of(disk).has_value());
}

TEST_CASE(
    "a promise far above the last term is not believed: the node counts as down, no floor uses the "
    "terms up (Z7)") {
  FakeCluster c(3);
  c.node(3).promise = Term{0xFFFFFFFF};
  c.start_all();
  c.pass(10s);
  // The false promise must not become the floor of the next BeginTerm (T1).
  CHECK(c.machine->metadata().last_term < Term{10});
  CHECK(c.machine->leading_term() != Term{});
  CHECK(std::ranges::count_if(c.events, [](const Event& e) {
          return e.level == Event::Level::alarm &&
                 e.text.find("it has promised term 4294967295, more than 16777216 above") !=
                     std::string::npos;
        }) == 1);
}

TEST_CASE(
    "sequencer: changes that Raft has not committed have a bound for a connection and one in all "
    "(changes_waiting_max)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId maker = f.connect_client();
  const LogId log = create(f, maker);
  // Asks for changes without letting the sequencer save anything.
  const auto ask = [&](ConnectionId c, std::size_t times) {
    for (std::size_t i = 0; i < times; ++i)
      f.machine->arrived(f.now,
                         {c, RequestId{static_cast<std::uint32_t>(i + 1)},
                          SetRetention{log, {1u << 30, 0}, seen_now(f, c.value * 100'000 + i)}});
  };
  const auto too_many = [&] {
    return std::ranges::count(f.heard<Failed>(), Errc::too_many, &Failed::error);
  };
  const std::size_t entries = f.disk.entries.size();
  f.to_clients.clear();
  ask(f.connect_client(), changes_waiting_max + 100);  // nothing is saved meanwhile
  f.run();
  CHECK(too_many() == 100);
  CHECK(f.disk.entries.size() <= entries + changes_waiting_max);
  CHECK(f.to_clients.size() == changes_waiting_max + 100);
  f.to_clients.clear();
  std::vector<ConnectionId> many;
  for (std::size_t i = 0; i <= changes_waiting_max_in_all / changes_waiting_max; ++i)
    many.push_back(f.connect_client());
  // Five connections together exceed the bound of all.
  for (const ConnectionId c : many) ask(c, changes_waiting_max);
  f.run();
  CHECK(too_many() == static_cast<std::ptrdiff_t>(changes_waiting_max));
  f.to_clients.clear();
  ask(maker, 1);  // changes that are done make room
  f.run();
  CHECK(too_many() == 0);
}

TEST_CASE(
    "sequencer: questions for a tail have a bound for a connection, and share rounds "
    "(questions_waiting_max, tail_rounds_max)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId maker = f.connect_client();
  const LogId log = create(f, maker);
  open(f, maker, log);
  for (int i = 1; i <= 3; ++i) f.node(i).stopped = true;
  f.to_nodes.clear();
  f.to_clients.clear();
  const auto ask = [&](ConnectionId c, std::uint32_t times) {
    for (std::uint32_t i = 1; i <= times; ++i) f.say(c, GetTail{log}, i);
  };
  const auto too_many = [&] {
    return std::ranges::count(f.heard<Failed>(), Errc::too_many, &Failed::error);
  };
  // No node confirms the term, so all questions wait.
  ask(f.connect_client(), questions_waiting_max + 50);
  CHECK(too_many() == 50);
  const ConnectionId other = f.connect_client();
  ask(other, 10);
  CHECK(too_many() == 50);
  // The questions share rounds: each round asks three nodes.
  CHECK(std::ranges::count_if(f.to_nodes, [](const auto& m) {
          return std::holds_alternative<ConfirmTerm>(m.second);
        }) <= static_cast<std::ptrdiff_t>(3 * tail_rounds_max));
  for (int i = 1; i <= 3; ++i) f.node(i).stopped = false;
  f.pass(3 * f.options.recovery_step_timeout);
  CHECK(f.to_clients.size() == questions_waiting_max + 50 + 10);  // every question gets an answer
  f.to_clients.clear();
  ask(other, 1);
  CHECK(f.heard<TailIs>().size() == 1);
}

TEST_CASE(
    "sequencer: requests that wait until a log is made have a bound (questions_waiting_max)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  f.node(3).joins.emplace();
  f.say(c, CreateLog{"a", {}, seen_now(f, 1)});
  f.to_clients.clear();
  // The requests wait for the same name.
  for (std::uint32_t i = 0; i < questions_waiting_max + 7; ++i)
    f.say(c, CreateLog{"a", {}, seen_now(f, 2)}, i + 2);
  CHECK(std::ranges::count(f.heard<Failed>(), Errc::too_many, &Failed::error) == 7);
  f.join_next(3);
  CHECK(f.to_clients.size() == questions_waiting_max + 7 + 1);
}

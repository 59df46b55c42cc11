// Stories of logs: trimmed while a client resolves (A5), held up by a payload that is lost (spec/05
// "When a payload is missing"), short of replicas (S2, S8), deleted and made again (T5).
// Each story drives the cluster of story.h.
#include <doctest/doctest.h>

#include "proto-spec/disk/frame.h"
#include "tests/scenarios/story.h"

using namespace loglog;
using namespace loglog::scenarios;

TEST_CASE(
    "story: an append that expects an offset beyond the end is refused for good, though a copy of "
    "it comes when it holds (C-7)") {
  Story s({.producers = 2});
  const Entry a = s.appended("a");
  const Offset end = s.offset(a) + frame_overhead + 1;
  const LogId log = s.log("log1").id;
  std::function<void()> let_go;
  // Catch the producer's first CommitIf and deliver it at the end of the story.
  s.world().network.lay([&](simulator::SimulatedNetwork::Caught& c) {
    if (&c.from != &s.producer(1) || !std::holds_alternative<CommitIf>(c.message)) return false;
    // The client gives the connection up and commits again over another connection.
    let_go = c.hold();
    return true;
  });
  std::optional<client::Completion> result;
  const client::Token token{777'777};
  s.producer(1).on_completed = [&](const client::Completed& c) {
    if (c.token == token) result = c.result;
  };
  const std::string other = "of another";
  s.producer(1).call([&](client::ClientMachine& m) {
    const Time now = s.producer(1).now();
    // The expected offset is the end of the entry that another producer will append.
    m.append(now, token, log, Bytes::copy_of(std::string_view("late")), false, now + 120s,
             {end + frame_overhead + other.size(), {}});
  });
  s.until("the append ends", [&] { return result.has_value(); }, 60s);
  REQUIRE(let_go);
  // F1: a refusal beyond the end is final, and names the end by which it was judged.
  const auto* refused = std::get_if<client::Failure>(&*result);
  REQUIRE(refused != nullptr);
  CHECK(refused->error.code == Errc::offset_mismatch);
  CHECK(refused->ends == end);
  // Now the log ends at the expected offset, and the caught copy arrives.
  const Entry b = s.appended(other, "log1", 2);
  REQUIRE(s.offset(b) == end);
  let_go();  // the copy must get the same refusal
  s.let_pass(2s);
  std::vector<std::string> found;
  for (const client::Entry& e : s.read_all("log1")) found.emplace_back(e.payload.text());
  CHECK(found == std::vector<std::string>{"a", other});
}

TEST_CASE("story: the log is trimmed while the client resolves (A5)") {
  Story s({.producers = 2});
  s.appended("a");
  s.let_pass(500ms);
  SequencerProcess& old = s.leader();
  const Offset before = s.replica(s.node(1)).durable.end;
  // Holds back the client's questions to nodes until after the trim.
  const auto resolution_is_held_up = [&] {
    s.heal();
    s.hold(s.producer(), s.nodes());
    SequencerProcess& next = s.leader_after(old);
    s.until("the client hears of the new term",
            [&] { return s.sent<TermIs>(next.name(), "client1") > 0; });
    s.let_pass(100ms);
  };
  const auto trim = [&](Offset at) {
    s.trim("log1", at);
    s.until("all nodes know the trim point", [&] {
      for (int i = 1; i <= 3; ++i)
        if (s.replica(s.node(i)).first() != at) return false;
      return true;
    });
  };

  SUBCASE("x was committed, and trimmed before it was found: unknown") {
    // The leader commits x, but its answers do not reach the producer; then the leader dies.
    s.hold(old, s.producer());
    const std::size_t told = s.sent<Committed>("seq", "client1");
    const Entry x = s.append("x");
    s.until("x is committed", [&] { return s.sent<Committed>("seq", "client1") > told; });
    s.kill(old);
    resolution_is_held_up();
    s.until("the new term is committed at node 1",
            [&] { return s.replica(s.node(1)).committed > before + frame_overhead + 1; });
    // The trim takes x before the client's resolution can find it.
    trim(before + frame_overhead + 1);
    s.heal();
    s.until("x ends", [&] { return !s.pending(x); });
    // A5: not found, and the place where x could stand is trimmed away.
    CHECK(s.outcome(x) == "unknown");
    s.appended("b");
    const auto entries = s.expect_log("log1", {"b"});
    CHECK(entries[0].sequence > Sequence{2});  // A6: the number of x is given to no other entry
  }
  SUBCASE("x was never written, and may have stood below the trim point: unknown") {
    // The commit of x never reaches the leader; another producer's entry takes the place.
    s.hold(s.producer(), old);
    const std::size_t commits = s.sent<Commit>("client1", "seq");
    const Entry x = s.append("x");
    s.until("x is about to be committed",
            [&] { return s.sent<Commit>("client1", "seq") > commits; });
    s.appended("of another", "log1", 2);
    s.kill(old);
    resolution_is_held_up();
    trim(before + frame_overhead + 10);
    s.heal();
    s.until("x ends", [&] { return !s.pending(x); });
    // The client cannot tell this from the case before: x may have stood below the trim point.
    CHECK(s.outcome(x) == "unknown");
    s.appended("b");
    s.expect_log("log1", {"b"});
  }
  SUBCASE("the trim point is no higher than where the range begins: absent, and appended again") {
    // The order of x reaches no node; the trim point lies at the beginning of the range that the
    // client must read.
    s.hold(old, s.nodes());
    const std::size_t orders = s.sent<Order>("seq", "node");
    const Entry x = s.append("x");
    s.until("x is ordered", [&] { return s.sent<Order>("seq", "node") > orders; });
    s.kill(old);
    resolution_is_held_up();
    trim(before);
    s.heal();
    s.until("x ends", [&] { return !s.pending(x); });
    // A4: the whole range was readable and x is not in it, so the SDK appends x again.
    CHECK(s.outcome(x) == "committed");
    s.expect_log("log1", {"x"});
  }
  SUBCASE(
      "a later entry stands above the trim point: the one before it was committed too, and is not "
      "repeated") {
    // Both x and y are committed and untold; the trim takes x alone.
    s.hold(old, s.producer());
    const std::size_t told = s.sent<Committed>("seq", "client1");
    const Entry x = s.append("x");
    s.until("x is committed", [&] { return s.sent<Committed>("seq", "client1") > told; });
    const Entry y = s.append("y");
    s.until("y is committed", [&] { return s.sent<Committed>("seq", "client1") > told + 1; });
    s.kill(old);
    resolution_is_held_up();
    trim(before + frame_overhead + 1);
    s.heal();
    s.until("both end", [&] { return !s.pending(x) && !s.pending(y); });
    CHECK(s.outcome(x) == "unknown");  // committed, but its offset cannot be told any more
    CHECK(s.outcome(y) == "committed");
    CHECK(s.offset(y) == before + frame_overhead + 1);
    s.appended("b");
    s.expect_log("log1", {"y", "b"});
  }
  s.expect_replicas_equal();
}

TEST_CASE(
    "story: a run that is nowhere, of a producer that is gone, ends with a new term for its log "
    "(§5, T1)") {
  Story s({.producers = 2});
  s.create("log2");
  s.appended("a");
  s.appended("n", "log2", 2);
  s.let_pass(500ms);
  SequencerProcess& leader = s.leader();
  const Term term = leader.machine()->leading_term();
  // x is ordered and its order reaches no node.
  s.hold(leader, s.nodes());
  const std::size_t orders = s.sent<Order>("seq", "node");
  const Entry x = s.append("x");
  s.until("x is ordered", [&] { return s.sent<Order>("seq", "node") > orders; });
  // The staged run was in memory alone, and its producer never comes back.
  s.kill(s.producer());
  for (int i = 1; i <= 3; ++i) s.kill(s.node(i));
  s.heal();
  for (int i = 1; i <= 3; ++i) s.restart(s.node(i));
  // b is ordered behind x, which nobody can bring. The leader must drop x by a new term for this
  // log.
  const Entry b = s.append("b", "log1", 2);
  s.until("a node misses the payload", [&] { return s.sent<Missing>("node", "seq") > 0; });
  // 5 s lies below the deadlines of S8, so the rule of spec/05 "When a payload is missing" must
  // have ended x.
  s.until("b ends", [&] { return !s.pending(b); }, 5s);
  CHECK(s.outcome(b) == "committed");
  CHECK(s.pending(x));
  CHECK(s.term_of(b) > term);
  CHECK(&s.leader() == &leader);
  CHECK(s.log("log1").last_term == s.term_of(b));
  // T1: the new term is of log1 alone.
  const Entry m = s.appended("m", "log2", 2);
  CHECK(s.term_of(m) == term);
  CHECK(s.log("log2").last_term == Term{});
  s.expect_log("log1", {"a", "b"});
  s.expect_log("log2", {"n", "m"});
  s.expect_replicas_equal("log1");
  s.expect_replicas_equal("log2");
}

TEST_CASE(
    "story: nodes lose what was staged and the producer lives: it uploads again, in the same term "
    "(§5)") {
  Story s;
  s.appended("a");
  s.let_pass(500ms);
  SequencerProcess& leader = s.leader();
  const Term term = leader.machine()->leading_term();
  // x is ordered, its order reaches no node, and all nodes lose the staged run.
  s.hold(leader, s.nodes());
  const std::size_t orders = s.sent<Order>("seq", "node");
  const Entry x = s.append("x");
  s.until("x is ordered", [&] { return s.sent<Order>("seq", "node") > orders; });
  for (int i = 1; i <= 3; ++i) s.kill(s.node(i));
  s.heal();
  for (int i = 1; i <= 3; ++i) s.restart(s.node(i));
  // The nodes report Missing, the leader sends UploadAgain, and the living producer uploads x again
  // in the same term.
  s.until("x ends", [&] { return !s.pending(x); });
  CHECK(s.outcome(x) == "committed");
  CHECK(s.term_of(x) == term);
  CHECK(s.sent<UploadAgain>("seq", "client1") > 0);
  s.expect_log("log1", {"a", "x"});
  s.expect_replicas_equal();
}

TEST_CASE("story: one log lacks replicas, the others go on (S2, S8)") {
  Story s({.storage = 5});
  s.create("log2");
  s.create("log3");
  // log2 has a replica on node 1 and its others on nodes 4 and 5.
  REQUIRE(s.log("log1").members[0].node == NodeId{1});
  REQUIRE(s.log("log2").members[1].node == NodeId{4});
  REQUIRE(s.log("log2").members[2].node == NodeId{5});
  s.appended("a");
  s.appended("k", "log2");
  // log2 has lost two of three replicas: neither W nor a seal quorum is there.
  s.kill(s.node(4));
  s.kill(s.node(5));
  const Entry stuck = s.append("l", "log2");
  s.appended("b");
  // A new leader opens log1, although log2 cannot be recovered.
  SequencerProcess& old = s.leader();
  s.kill(old);
  s.leader_after(old);
  s.appended("c");
  s.let_pass(15s);
  s.appended("d");
  CHECK(s.pending(stuck));
  s.expect_log("log1", {"a", "b", "c", "d"});
  // Node 5 makes a seal quorum and a write quorum again.
  s.restart(s.node(5));
  s.until("the log that was stuck goes on", [&] { return !s.pending(stuck); });
  CHECK(s.outcome(stuck) == "committed");
  s.restart(s.node(4));
  s.expect_log("log2", {"k", "l"});
  s.expect_replicas_equal("log1");
  s.expect_replicas_equal("log2");
}

TEST_CASE("story: a log is deleted and one of the same name made while a node is down (T5)") {
  Story s({.storage = 4});
  s.appended("of the old log");
  const LogInfo old = s.log("log1");
  REQUIRE(old.members.back().node == NodeId{3});
  // The log is deleted and its name used again while node 3 is down and still holds the old log.
  s.kill(s.node(3));
  s.remove("log1");
  s.create("log1");
  const LogInfo fresh = s.log("log1");
  CHECK(fresh.id != old.id);
  s.appended("of the new log");
  SUBCASE("the same leader sees the node again") {}
  SUBCASE("another leader does") {
    SequencerProcess& leader = s.leader();
    s.kill(leader);
    s.leader_after(leader);
  }
  // Node 3 comes back with the old log: the leader sends it Drop, by id.
  s.restart(s.node(3));
  REQUIRE(s.node(3).machine()->log(old.id) != nullptr);
  s.until("node 3 has dropped the old log",
          [&] { return !s.node(3).disk.content().contains(old.id); });
  CHECK(s.node(3).machine()->log(fresh.id) == nullptr);
  // The metadata forget the old log once every member has dropped it.
  s.until("the old log is forgotten", [&] {
    for (const LogInfo& l : s.leader().machine()->metadata().logs)
      if (l.id == old.id) return false;
    return true;
  });
  s.appended("more");
  s.expect_log("log1", {"of the new log", "more"});
  s.expect_replicas_equal("log1");
}

// Stories of a leader's death: which of its orders survive into the next term (S3, S4, S6), and how
// the client finds out (A3, A4).
// Each story drives the cluster of story.h: it holds messages back until the leader stands at the
// wanted point, and kills it.
#include <doctest/doctest.h>

#include "proto-spec/disk/frame.h"
#include "tests/scenarios/story.h"
#include "tests/scenarios/stranger.h"

using namespace loglog;
using namespace loglog::scenarios;

namespace {

/// Commits "a" and waits until every node knows that it is committed.
void begin(Story& s) {
  s.appended("a");
  s.let_pass(500ms);
}

/// Has x uploaded everywhere, ordered, and durable at node 1 alone; then the leader dies. Returns
/// x.
Entry ordered_at_one_replica(Story& s) {
  SequencerProcess& leader = s.leader();
  s.hold(leader, s.node(2));
  s.hold(leader, s.node(3));
  const Offset before = s.replica(s.node(1)).durable.end;
  const Entry x = s.append("x");
  s.until("node 1 holds x", [&] { return s.replica(s.node(1)).durable.end > before; });
  REQUIRE(s.replica(s.node(2)).durable.end == before);
  REQUIRE(s.replica(s.node(3)).durable.end == before);
  s.kill(leader);
  s.heal();
  return x;
}

/// Has x durable at all replicas. The leader has sent its answer and dies before the answer
/// arrives. Returns x.
Entry committed_untold(Story& s) {
  SequencerProcess& leader = s.leader();
  s.hold(leader, s.producer());
  const std::size_t told = s.sent<Committed>("seq", "client1");
  const Entry x = s.append("x");
  s.until("the leader has committed x", [&] { return s.sent<Committed>("seq", "client1") > told; });
  s.until("all hold x", [&] {
    const Offset end = s.replica(s.node(1)).durable.end;
    return s.replica(s.node(2)).durable.end == end && s.replica(s.node(3)).durable.end == end;
  });
  s.kill(leader);
  s.heal();
  return x;
}

/// Has x uploaded everywhere and ordered, but no order reaches a node; then the leader dies.
/// Returns x.
Entry ordered_nowhere(Story& s) {
  SequencerProcess& leader = s.leader();
  s.hold(leader, s.nodes());
  const std::size_t orders = s.sent<Order>("seq", "node");
  const Entry x = s.append("x");
  s.until("x is ordered", [&] { return s.sent<Order>("seq", "node") > orders; });
  s.kill(leader);
  s.heal();
  return x;
}

/// True if the node's replica of log1 is matched in term `t`.
bool matched(Story& s, int node, Term t) {
  return s.replica(s.node(node)).is_matched() && s.replica(s.node(node)).matched == t;
}

}  // namespace

TEST_CASE(
    "story: an order that reached one replica is kept by the next term, or dropped, never both "
    "(S3, S4, A4)") {
  Story s;
  begin(s);
  const Offset place = s.replica(s.node(1)).durable.end;
  const Term first = s.leader().machine()->leading_term();
  const Entry x = ordered_at_one_replica(s);
  SUBCASE("the replica answers the next leader: kept") {
    // Nodes 1 and 2 answer; node 1 has the longer log and is the base (S3), so x stays at its
    // place.
    s.part(s.node(3), s.world().sequencers_as_processes());
    s.until("x ends", [&] { return !s.pending(x); });
    CHECK(s.outcome(x) == "committed");
    CHECK(s.offset(x) == place);
    CHECK(s.term_of(x) == first);
    s.heal();
  }
  SUBCASE("the replica is away: dropped, and appended again") {
    // Nodes 2 and 3 answer, so the new term begins without x and the SDK appends x again (A4).
    s.kill(s.node(1));
    s.until("x ends", [&] { return !s.pending(x); });
    CHECK(s.outcome(x) == "committed");
    CHECK(s.offset(x) > place);  // the term start took the first place of x
    CHECK(s.term_of(x) > first);
    s.restart(s.node(1));
  }
  s.restart(s.sequencer(1));
  s.restart(s.sequencer(2));
  s.restart(s.sequencer(3));
  s.appended("b");
  const auto entries = s.expect_log("log1", {"a", "x", "b"});
  // In both cases x is in the log once, under its old number.
  CHECK(entries[1].sequence == Sequence{2});
  s.expect_replicas_equal();
}

TEST_CASE(
    "story: durable on W, and the leader dies before the client is told: resolved as committed "
    "where it stands, not twice (A3, A4)") {
  Story s;
  begin(s);
  const Offset place = s.replica(s.node(1)).durable.end;
  const Term first = s.leader().machine()->leading_term();
  const Entry x = committed_untold(s);
  // The client resolves in the new term: it finds x and must not append it again.
  REQUIRE(s.pending(x));
  s.until("x ends", [&] { return !s.pending(x); });
  CHECK(s.outcome(x) == "committed");
  CHECK(s.offset(x) == place);
  CHECK(s.term_of(x) == first);
  s.appended("b");
  s.expect_log("log1", {"a", "x", "b"});
  s.expect_replicas_equal();
}

TEST_CASE("story: an upload that is answered late does not move where the resolution begins (A3)") {
  Story s;
  begin(s);
  const Offset place = s.replica(s.node(1)).durable.end;
  SequencerProcess& leader = s.leader();
  // The leader's answer and the upload to node 3 are held back, so node 3 gets x from a peer.
  s.hold(leader, s.producer());
  s.hold(s.producer(), s.node(3));
  const Entry x = s.append("x");
  s.until("node 3 has x from a peer, and knows it as committed",
          [&] { return s.replica(s.node(3)).committed > place; });
  REQUIRE(s.pending(x));
  s.kill(leader);
  const std::size_t answered = s.sent<Uploaded>("node3", "client1");
  // The late upload arrives in the new term. Its answer names a committed offset beyond x.
  s.heal();
  s.until("node 3 takes the upload",
          [&] { return s.sent<Uploaded>("node3", "client1") > answered; });
  // The offset that the answer to the upload names.
  REQUIRE(s.replica(s.node(3)).told_committed() > place);
  // A3: the range begins at the offset that was known before the first commit, so x is found.
  s.until("x ends", [&] { return !s.pending(x); });
  CHECK(s.outcome(x) == "committed");
  CHECK(s.offset(x) == place);
  s.appended("b");
  s.expect_log("log1", {"a", "x", "b"});
  s.expect_replicas_equal();
}

TEST_CASE(
    "story: half a run survives: what is found is committed where it stands, the rest is appended "
    "again (A4)") {
  Story s;
  begin(s);
  const Offset place = s.replica(s.node(1)).durable.end;
  const Term first = s.leader().machine()->leading_term();
  SequencerProcess& leader = s.leader();
  s.hold(leader, s.node(2));
  s.hold(leader, s.node(3));
  // A run of two entries becomes durable at node 1 alone.
  const Entry x = s.append_together({"x", "y"});
  const Entry y = x + 1;
  s.until("node 1 holds the run", [&] { return s.replica(s.node(1)).durable.end > place; });
  REQUIRE(s.replica(s.node(1)).durable.end ==
          place + 2 * (frame_overhead + 1));  // both entries came as a single run
  s.kill(leader);
  s.kill(s.node(1));
  // No mark covers the run yet, so damage to y looks like a torn write (K3).
  s.rot(s.node(1), "log1", place + frame_overhead + 1 + frame_prefix_size);
  s.heal();
  // Nodes 1 and 2 answer the next leader; node 1 reports the log up to x.
  s.part(s.node(3), s.world().sequencers_as_processes());
  s.restart(s.node(1));
  REQUIRE(s.replica(s.node(1)).durable.end == place + frame_overhead + 1);
  REQUIRE_FALSE(s.replica(s.node(1)).suspect);
  s.until("both end", [&] { return !s.pending(x) && !s.pending(y); });
  // Each entry is judged alone: x is found where it stands, y is absent and appended again.
  CHECK(s.outcome(x) == "committed");
  CHECK(s.offset(x) == place);
  CHECK(s.term_of(x) == first);
  CHECK(s.outcome(y) == "committed");
  CHECK(s.term_of(y) > first);
  s.heal();
  s.expect_log("log1", {"a", "x", "y"});
  s.expect_replicas_equal();
}

TEST_CASE(
    "story: nothing of it is durable when the leader dies: appended again, once, under its old "
    "number (A4)") {
  Story s;
  begin(s);
  const Term first = s.leader().machine()->leading_term();
  const Entry x = ordered_nowhere(s);
  // No node holds x; the resolution's range is empty of it.
  s.until("x ends", [&] { return !s.pending(x); });
  CHECK(s.outcome(x) == "committed");
  CHECK(s.term_of(x) > first);
  s.appended("b");
  const auto entries = s.expect_log("log1", {"a", "x", "b"});
  CHECK(entries[1].sequence == Sequence{2});
  s.expect_replicas_equal();
}

TEST_CASE("story: two leaders die in a row while the client resolves (A3, A4)") {
  Story s;
  begin(s);
  SequencerProcess& first = s.leader();
  Entry x = 0;
  Offset place = s.replica(s.node(1)).durable.end;
  // True if x survives both terms. Then the client has a range to read; otherwise the range is
  // empty and x waits for the answers to its uploads.
  bool stays = false;
  SUBCASE("x is durable everywhere") {
    x = committed_untold(s);
    stays = true;
  }
  SUBCASE("x is durable nowhere") { x = ordered_nowhere(s); }
  SUBCASE("x is durable at one replica, which the second leader does not see and the third does") {
    x = ordered_at_one_replica(s);
    s.kill(s.node(1));
  }
  // The client hears of the second term, but no node's answer reaches it, so the resolution cannot
  // end.
  for (Process* n : s.nodes()) s.hold(*n, s.producer());
  const std::size_t reads = s.sent<Read>("client1", "node");
  SequencerProcess& second = s.leader_after(first);
  s.until("the client hears of the second term",
          [&] { return s.sent<TermIs>(second.name(), "client1") > 0; });
  s.let_pass(100ms);
  CHECK((s.sent<Read>("client1", "node") > reads) == stays);
  CHECK(s.pending(x));
  // y joins while the resolution is under way; the second leader dies as well.
  const Entry y = s.append("y");
  s.restart(first);
  s.restart(s.node(1));
  s.let_pass(300ms);
  s.kill(second);
  SequencerProcess& third = s.leader_after(second);
  // The resolution begins again in the third term.
  s.until("the client hears of the third term",
          [&] { return s.sent<TermIs>(third.name(), "client1") > 0; });
  s.let_pass(200ms);
  CHECK(s.pending(x));
  // Now the nodes' answers arrive, and both appends end.
  s.heal();
  s.until("both end", [&] { return !s.pending(x) && !s.pending(y); });
  CHECK(s.outcome(x) == "committed");
  CHECK(s.outcome(y) == "committed");
  CHECK((s.offset(x) == place) == stays);
  s.expect_log("log1", {"a", "x", "y"});
  s.expect_replicas_equal();
}

TEST_CASE(
    "story: an old leader that keeps its replicas' connections is fenced, and acknowledges nothing "
    "(T3)") {
  Story s;
  begin(s);
  SequencerProcess& old = s.leader();
  // The old leader is cut off from the other sequencers alone and still believes that it leads.
  s.sever(old, s.sequencers_but(old));
  SequencerProcess& next = s.leader_after(old);
  const Term term = next.machine()->leading_term();
  s.until("all nodes stand in the new term",
          [&] { return matched(s, 1, term) && matched(s, 2, term) && matched(s, 3, term); });
  REQUIRE(old.machine()->role() == RaftRole::leader);  // it has not heard of the new term yet
  const std::size_t acknowledged = s.sent<Durable>("node", old.name());
  const std::size_t told = s.sent<Committed>(old.name(), "client1");
  // The producer's commit may reach the old leader, whose order meets nodes that have sealed a
  // higher term (T3).
  const Entry x = s.append("x");
  s.until("a node fences the old leader's order",
          [&] { return s.sent<Fenced>("node", old.name()) > 0; });
  CHECK(s.sent<Order>(old.name(), "node") > 0);
  s.until("x ends", [&] { return !s.pending(x); });
  // The entry is committed in the new term; the old leader got no acknowledgement and gave no
  // answer.
  CHECK(s.outcome(x) == "committed");
  CHECK(s.term_of(x) == term);
  CHECK(s.sent<Durable>("node", old.name()) == acknowledged);
  CHECK(s.sent<Committed>(old.name(), "client1") == told);
  s.heal();
  s.appended("b");
  s.expect_log("log1", {"a", "x", "b"});
  s.expect_replicas_equal();
  CHECK(old.machine()->role() == RaftRole::follower);
}

TEST_CASE("story: an old leader does not say that there is no log which its successor made (R2)") {
  Story s;
  begin(s);
  SequencerProcess& old = s.leader();
  // A client stays connected to the old leader, which is cut off from the other sequencers.
  Stranger asks(s.world());
  asks.dial(old.address());
  s.until("it hears the old leader", [&] { return asks.connected(); });
  s.sever(old, s.sequencers_but(old));
  SequencerProcess& next = s.leader_after(old);
  const Term term = next.machine()->leading_term();
  s.until("all nodes stand in the new term",
          [&] { return matched(s, 1, term) && matched(s, 2, term) && matched(s, 3, term); });
  // The new leader creates a log that the old leader has not heard of.
  Stranger makes(s.world());
  makes.dial(next.address());
  s.until("it hears the new one", [&] { return makes.connected(); });
  makes.send(CreateLog{"log2", {}});
  s.until("there is a log more", [&] { return makes.got<LogIs>() != nullptr; });
  const LogId log2 = makes.got<LogIs>()->info.id;
  REQUIRE(old.machine()->role() == RaftRole::leader);  // it has not heard of the new term yet

  SUBCASE("to open it") { asks.send(OpenLog{log2}); }
  SUBCASE("its tail") { asks.send(GetTail{log2}); }
  SUBCASE("to delete it") { asks.send(DeleteLog{log2}); }
  SUBCASE("where it is") { asks.send(GetMetadata{{"log2"}, false}); }
  SUBCASE("a commit") {
    asks.send(Commit{log2,
                     old.machine()->leading_term(),
                     {},
                     {ProducerId{5}, Sequence{1}, 1, 100, RunDigest{6}}});
  }
  SUBCASE("a log of that name, once it is gone") {
    makes.send(DeleteLog{next.machine()->metadata().logs.at(0).id});
    s.until("log1 is deleted", [&] { return makes.got<Done>() != nullptr; });
    REQUIRE(old.machine()->role() == RaftRole::leader);
    asks.send(CreateLog{"log1", {}});
  }
  // R2: "no such log" needs a majority that confirms the lead, so the old leader must say
  // not_leader.
  s.until("it is answered", [&] {
    return asks.got<Failed>() != nullptr || asks.got<Refused>() != nullptr ||
           asks.got<loglog::Metadata>() != nullptr;
  });
  if (const auto* f = asks.got<Failed>()) CHECK(f->error == Errc::not_leader);
  if (const auto* r = asks.got<Refused>()) CHECK(r->error == Errc::not_leader);
  if (const auto* m = asks.got<loglog::Metadata>()) CHECK(m->leader.value != old.hello().id);
}

TEST_CASE(
    "story: a node sealed while a write is under way finishes it and acknowledges nothing of the "
    "old term (S1)") {
  Story s;
  begin(s);
  SequencerProcess& old = s.leader();
  // All nodes are in the middle of writing x when the next leader seals them.
  for (int i = 1; i <= 3; ++i) s.node(i).log_disk_slower_by = 400ms;
  const std::size_t acknowledged = s.sent<Durable>("node", old.name());
  const Entry x = s.append("x");
  s.until("every node writes x", [&] {
    for (int i = 1; i <= 3; ++i)
      if (s.replica(s.node(i)).written.end == s.replica(s.node(i)).durable.end) return false;
    return true;
  });
  const Offset place = s.replica(s.node(1)).durable.end;
  s.sever(old, s.sequencers_but(old));
  SequencerProcess& next = s.leader_after(old);
  s.until("all have answered the seal", [&] { return s.sent<Sealed>("node", next.name()) >= 3; });
  // The write is still under way.
  REQUIRE(s.replica(s.node(1)).written.end > s.replica(s.node(1)).durable.end);
  // S1: GetState is the barrier; the state is reported after the write in flight has ended.
  REQUIRE(s.sent<StateIs>("node", next.name()) == 0);
  s.until("x ends", [&] { return !s.pending(x); });
  CHECK(s.sent<Durable>("node", old.name()) == acknowledged);
  CHECK(s.sent<Committed>(old.name(), "client1") == 1);  // the answer for "a"
  CHECK(s.offset(x) == place);  // the write is part of the state that was reported
  s.heal();
  s.expect_log("log1", {"a", "x"});
  s.expect_replicas_equal();
}

TEST_CASE("story: a commit of the old term comes again at the new leader and is refused (A1)") {
  Story s;
  begin(s);
  // Records the producer's last Commit, to send it again in the next term.
  Commit commit;
  s.on_message = [&](const Process& from, const Process&, const Message& m) {
    if (const auto* c = std::get_if<Commit>(&m); c && from.name() == "client1") commit = *c;
  };
  const Entry x = committed_untold(s);
  REQUIRE(commit.run.first == Sequence{2});
  const Commit again = commit;
  s.until("x ends", [&] { return !s.pending(x); });
  REQUIRE(s.leader().machine()->leading_term() > again.term);
  // A copy of the old term's Commit reaches the new leader over another connection.
  Stranger stranger(s.world());
  stranger.dial(s.leader().address());
  s.until("the connection stands", [&] { return stranger.connected(); });
  stranger.send(again);
  s.until("it is answered", [&] {
    return stranger.got<Refused>() != nullptr || stranger.got<Committed>() != nullptr;
  });
  REQUIRE(stranger.got<Refused>() != nullptr);
  CHECK(stranger.got<Refused>()->error == Errc::stale_term);
  s.appended("b");
  s.expect_log("log1", {"a", "x", "b"});
  s.expect_replicas_equal();
}

// An entry that a later leader may drop must not have been acknowledged: frames of an older term
// count only with the term start that follows them.
TEST_CASE(
    "story: frames of an older term are committed only with the term start that follows them (S6, "
    "S7)") {
  Story s;
  begin(s);
  SequencerProcess& one = s.leader();
  const auto& everybody = s.world().sequencers_as_processes();
  // First term: x stands at node 1 alone.
  const Entry x = ordered_at_one_replica(s);
  // Second term: its leader sees nodes 2 and 3, and its term start reaches node 2 alone.
  s.part(s.node(1), everybody);
  SequencerProcess& two = s.leader_after(one);
  const Term second = two.machine()->leading_term();
  s.until("2 and 3 are matched", [&] { return matched(s, 2, second) && matched(s, 3, second); });
  s.hold(two, s.node(3));
  s.until("its term start is durable at node 2",
          [&] { return s.replica(s.node(2)).durable.last_term == second; });
  REQUIRE(s.replica(s.node(3)).durable.last_term < second);
  s.kill(two);
  s.restart(one);
  s.heal();
  // Third term: its leader sees nodes 1 and 3. x is copied to node 3, so W nodes hold it, but the
  // term start reaches node 1 alone.
  s.part(s.node(2), everybody);
  SequencerProcess& three = s.leader_after(two);
  const Term third = three.machine()->leading_term();
  s.until("1 and 3 are matched", [&] { return matched(s, 1, third) && matched(s, 3, third); });
  s.hold(three, s.node(3));
  s.until("its term start is durable at node 1",
          [&] { return s.replica(s.node(1)).durable.last_term == third; });
  s.let_pass(200ms);
  REQUIRE(s.replica(s.node(3)).durable.last_term < third);
  // S7: x is not committed, because the third term's start is not.
  CHECK(s.pending(x));
  CHECK(s.sent<TermIs>(three.name(), "client1") == 0);
  s.kill(three);
  s.kill(s.node(1));
  s.restart(two);
  s.heal();
  // Fourth term: its leader sees nodes 2 and 3. The second term's start outranks x (S3), so x is
  // cut and appended again.
  const Entry y = s.append("y");
  s.until("both end", [&] { return !s.pending(x) && !s.pending(y); });
  s.restart(s.node(1));
  s.expect_log("log1", {"a", "x", "y"});
  CHECK(s.term_of(x) > third);
  s.expect_replicas_equal();
}

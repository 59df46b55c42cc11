// Stories of the sequencers' Raft (C3): which sequencer may lead, which entries are committed, and
// what a crash may lose.
// Each story drives a RaftStory by hand; the promises of raft_story.h are checked at every step.
#include <doctest/doctest.h>

#include "tests/scenarios/raft_story.h"

using namespace loglog;
using scenarios::RaftStory;

namespace {
using Words = std::vector<std::string>;
}

TEST_CASE(
    "story: pre-vote: a sequencer that comes back from a partition does not depose the leader "
    "(C3)") {
  RaftStory s(3);
  s.elect(1);
  s.propose(1, "a");
  s.deliver_all();
  const RaftTerm term = s.raft(1).term();
  // 3 hears nobody and cannot win a pre-vote.
  s.cut_off(3);
  s.pass(30s);
  CHECK(s.raft(3).role() == RaftRole::candidate);
  CHECK(s.raft(3).term() == term);  // 3 asked for many pre-votes, and its term never moved
  // The link is back: 3 must follow the leader of the old term.
  s.heal();
  s.pass(5s);
  CHECK(s.leads(1));
  CHECK(s.raft(1).term() == term);
  CHECK(s.raft(3).leader() == SequencerId{1});
  s.propose(1, "b");
  s.pass(200ms);
  for (std::uint32_t i = 1; i <= 3; ++i) CHECK(s.applied(i) == Words{"a", "b"});
}

TEST_CASE("story: check-quorum: a leader that is cut off steps down and commits nothing (C3)") {
  RaftStory s(3);
  s.elect(1);
  s.propose(1, "a");
  s.deliver_all();
  // The leader hears no majority within an election timeout: it steps down and its entry stays
  // uncommitted.
  s.cut_off(1);
  s.propose(1, "lost");
  s.pass(5s);
  CHECK_FALSE(s.leads(1));
  const std::uint32_t next = s.leader();
  REQUIRE(next != 0);
  CHECK(s.applied(1) == Words{"a"});
  // The successor's entry replaces "lost" when the link is back.
  s.propose(next, "b");
  s.deliver_all();
  s.heal();
  s.pass(5s);
  for (std::uint32_t i = 1; i <= 3; ++i) CHECK(s.applied(i) == Words{"a", "b"});
}

TEST_CASE("story: a stale log is overwritten, committed entries survive (C3)") {
  RaftStory s(3);
  s.elect(1);
  s.propose(1, "a");
  s.deliver_all();
  // x and y are durable at 1 alone; 2 and 3 elect a leader and commit b.
  s.cut_off(1);
  s.propose(1, "x");
  s.propose(1, "y");
  s.deliver_all();
  REQUIRE(s.durable(1) == Words{"a", "x", "y"});
  s.elect(2);
  s.propose(2, "b");
  s.deliver_all();
  REQUIRE(s.applied(3) == Words{"a", "b"});
  SUBCASE("it was only cut off") {}
  SUBCASE("it crashed and came back") {
    s.crash(1);
    s.restart(1);
  }
  // The leader's log overwrites the uncommitted entries.
  s.heal();
  s.pass(500ms);
  for (std::uint32_t i = 1; i <= 3; ++i) {
    CHECK(s.applied(i) == Words{"a", "b"});
    CHECK(s.durable(i) == Words{"a", "b"});
  }
}

TEST_CASE("story: the stale one cannot win against what is committed (C3)") {
  RaftStory s(3);
  s.elect(1);
  // a is committed by 1 and 2; 3 lacks it.
  s.cut_off(3);
  s.propose(1, "a");
  s.deliver_all();
  s.heal();
  s.crash(1);
  // Time passes for 3 alone, so it asks 2 for its vote again and again.
  for (int step = 0; step < 60; ++step) {
    s.wait_alone(3, 100ms);
    s.deliver_all();
    REQUIRE_FALSE(s.leads(3));
  }
  // 2 has the committed entry and can win.
  s.elect(2);
  s.deliver_all();
  CHECK(s.applied(3) == Words{"a"});
}

TEST_CASE("story: a snapshot reaches a follower that was away past truncation (C3)") {
  RaftStory s(3);
  s.elect(1);
  s.propose(1, "a");
  s.deliver_all();
  // While 3 is down, 1 commits 20 entries and drops them for a snapshot: 3 needs more than the log
  // still has.
  s.crash(3);
  Words all{"a"};
  for (int i = 0; i < 20; ++i) {
    all.push_back("b" + std::to_string(i));
    s.propose(1, all.back());
    s.deliver_all();
  }
  s.compact(1);
  s.propose(1, "after");
  all.emplace_back("after");
  s.deliver_all();
  REQUIRE(s.durable(1) == Words{"after"});
  s.restart(3);
  s.pass(500ms);
  CHECK(s.snapshots_sent >= 1);
  CHECK(s.applied(3) == all);
  CHECK(s.durable(3) == Words{"after"});
  // The entries that 3 holds now must count: 3 and 1 commit an entry without 2, and 3 finds it
  // again after a restart.
  s.crash(2);
  s.propose(1, "last");
  all.emplace_back("last");
  s.deliver_all();
  CHECK(s.applied(1) == all);
  s.crash(3);
  s.restart(3);
  s.pass(500ms);
  CHECK(s.applied(3) == all);
}

TEST_CASE("story: entries of an old term are committed only by one of the leader's own (C3)") {
  RaftStory s(5, true);
  s.elect(1);
  s.deliver_all();
  // The first leader's entry "old" reaches 2 alone.
  for (const std::uint32_t other : {3u, 4u, 5u}) s.cut(1, other);
  s.propose(1, "old");
  s.deliver_all();
  REQUIRE(s.durable(2) == Words{"old"});
  s.crash(1);
  // 5 leads by the votes of 3 and 4; its entry "new" reaches its own disk alone.
  s.heal();
  s.cut(5, 2);
  s.elect_unheard(5);
  s.propose(5, "new");
  s.crash(5);
  // 1 leads again and copies "old" to 3. A majority holds "old" now, but no entry of 1's own term,
  // so "old" is not committed.
  s.restart(1);
  s.heal();
  for (const std::uint32_t other : {4u, 5u}) s.cut(1, other);
  s.elect_unheard(1);
  s.deliver(1, 2);
  s.deliver(2, 1);
  s.deliver(1, 3);  // refused: 3 lacks the entry before it
  s.deliver(3, 1);
  s.deliver(1, 3);
  REQUIRE(s.durable(3) == Words{"old"});
  s.deliver(3, 1);
  CHECK(s.applied(1).empty());
  CHECK_FALSE(s.raft(1).own_term_committed());

  SUBCASE("nothing of the own term gets through: 5 wins and overwrites") {
    // 5 has the newer last term, so 3 and 4 vote for it and "old" goes. If 1 had committed "old",
    // it would be lost here.
    s.crash(1);
    s.restart(5);
    s.heal();
    s.cut(5, 2);
    s.elect(5);
    s.heal();
    s.restart(1);
    s.pass(1s);
    for (std::uint32_t i = 1; i <= 5; ++i) CHECK(s.applied(i) == Words{"new"});
  }
  SUBCASE("its own entry reaches 3: all is committed, and 5 cannot win") {
    // The entry of 1's own term reaches 3: a majority holds it, and with it "old" is committed.
    s.deliver(1, 3);
    s.deliver(3, 1);
    CHECK(s.applied(1) == Words{"old"});
    s.crash(1);
    s.restart(5);
    s.heal();
    // Time passes for 5 alone; 3 has a newer last term and refuses.
    for (int step = 0; step < 60; ++step) {
      s.wait_alone(5, 100ms);
      s.deliver_all();
      REQUIRE_FALSE(s.leads(5));
    }
    s.elect(3);
    s.restart(1);
    s.pass(1s);
    for (std::uint32_t i = 1; i <= 5; ++i) CHECK(s.applied(i) == Words{"old"});
  }
}

TEST_CASE("story: a vote is durable before it is answered (C3)") {
  RaftStory s(3);
  s.cut(1, 3);
  // 2's save of its vote does not end.
  s.hold_saves(2);
  for (int step = 0; step < 100 && s.raft(1).term() == RaftTerm{}; ++step) {
    s.wait_alone(1, 50ms);
    s.deliver_all();
  }
  REQUIRE(s.raft(1).role() == RaftRole::candidate);
  s.deliver_all();
  // 2 has decided in memory; its disk does not have the vote yet
  REQUIRE(s.raft(2).term() == s.raft(1).term());
  CHECK_FALSE(s.leads(1));
  SUBCASE("it crashes before it is saved: it may vote for another") {
    // The vote was never answered, so 2 may vote for 3 in the same term.
    const RaftTerm contested = s.raft(1).term();
    s.crash(2);
    s.restart(2);
    s.elect(3);
    CHECK(s.raft(3).term() == contested);
    CHECK_FALSE(s.leads(1));
  }
  SUBCASE("it is saved, then it crashes: the vote stands") {
    const RaftTerm contested = s.raft(1).term();
    // The vote is durable and answered; after a crash 2 must still know it.
    s.save_all(2);
    s.deliver_all();
    REQUIRE(s.leads(1));
    s.crash(2);
    s.restart(2);
    CHECK(s.raft(2).term() == contested);
    s.crash(1);
    // Time passes for 3 alone; it gets no second vote of 2 in the contested term.
    for (int step = 0; step < 60; ++step) {
      s.wait_alone(3, 100ms);
      s.deliver_all();
      REQUIRE_FALSE((s.leads(3) && s.raft(3).term() == contested));
    }
  }
}

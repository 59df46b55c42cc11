// Stories of servers that are asked to stop (spec/04 "Handing over at a stop"): a leader hands over
// first, and a storage node finishes the orders that it has taken.
// Each story stops a process by Story::stop(), as SIGTERM does, and measures the simulated time
// that it takes.
#include <doctest/doctest.h>

#include "tests/scenarios/story.h"

using namespace loglog;
using namespace loglog::scenarios;

namespace {

/// Keeps an append under way until end() is called. Each append must be committed.
class Steady {
 public:
  explicit Steady(Story& s) : story_(s), all_{s.append("0")} {}
  /// Appends for `how_long` and returns the longest time that an append took.
  Duration go_on(Duration how_long) {
    Duration longest{};
    for (const Time end = now() + how_long; now() < end;) {
      const Time begun = now();
      story_.until("an append ends", [&] { return !story_.pending(all_.back()); });
      longest = std::max(longest, now() - begun);
      REQUIRE(story_.outcome(all_.back()) == "committed");
      all_.push_back(story_.append(std::to_string(all_.size())));
    }
    return longest;
  }
  /// Waits for the last append and requires that the log holds all of them, in order.
  void end() {
    story_.until("the last append ends", [&] { return !story_.pending(all_.back()); });
    Words words;
    for (std::size_t i = 0; i < all_.size(); ++i) words.push_back(std::to_string(i));
    story_.expect_log("log1", words);
    story_.expect_all_well();
  }

 private:
  Time now() const { return story_.world().scheduler.now(); }
  Story& story_;
  std::vector<Entry> all_;
};

}  // namespace

TEST_CASE("stop: a leader hands over, every append is committed, and the pause is short") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    Story s({.seed = seed});
    Steady load(s);
    load.go_on(500ms);
    // Three leaders stop in turn under load. Each names a successor with a single Campaign, so that
    // the pause stays below an election timeout.
    for (int i = 0; i < 3; ++i) {
      SequencerProcess& old = s.leader();
      const Term term = old.machine()->leading_term();
      const std::size_t asked = s.sent<Campaign>("seq", "seq");
      bool gone = false;
      old.stop([&gone] { gone = true; });
      CHECK(load.go_on(400ms) < 200ms);
      REQUIRE(gone);
      CHECK(s.sent<Campaign>("seq", "seq") == asked + 1);
      CHECK(s.leader().machine()->leading_term() > term);
      s.restart(old);
      load.go_on(300ms);
    }
    load.end();
  }
}

TEST_CASE(
    "stop: what is ordered is answered before the leader hands over; new commits are refused, and "
    "committed by the next one") {
  Story s;
  s.appended("a");
  SequencerProcess& old = s.leader();
  s.let_pass(500ms);
  s.hold(s.node(1), old);
  s.hold(s.node(2), old);  // node 3's acknowledgement alone is below W
  const Entry b = s.append("b");
  s.let_pass(50ms);
  REQUIRE(s.pending(b));
  // The leader is asked to stop while b is ordered and not committed: it must not hand over yet.
  bool gone = false;
  old.stop([&gone] { gone = true; });
  // A commit that comes now is refused with not_leader.
  const Entry c = s.append("c");
  s.let_pass(20ms);
  CHECK(s.sent<Campaign>("seq", "seq") == 0);
  CHECK(s.sent<Refused>("seq", "client1") > 0);
  // The acknowledgements arrive, so b is committed in the old term; c is committed by the
  // successor.
  s.heal();
  s.until("the leader has stopped", [&gone] { return gone; });
  CHECK(s.outcome(b) == "committed");
  CHECK(s.term_of(b) == Term{1});
  s.until("c is committed", [&] { return s.committed(c); });
  CHECK(s.term_of(c) > Term{1});
  s.expect_log("log1", {"a", "b", "c"});
  s.expect_all_well();
}

TEST_CASE("stop: the one that reaches most takes over") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    Story s({.seed = seed});
    s.appended("a");
    SequencerProcess& old = s.leader();
    const auto others = s.sequencers_but(old);
    // The seed decides whether the sequencer with the lower or the higher id reaches fewer nodes.
    Process& lonely = *others[seed % 2];
    const Process& able = *others[1 - seed % 2];
    s.part(lonely, s.node(1));
    s.part(lonely, s.node(2));
    s.let_pass(8s);  // `lonely` has told the leader more than once which nodes it reaches
    // `lonely` reaches no quorum, so the leader sends Campaign to `able`.
    CHECK(s.stop(old) < 300ms);
    CHECK(&s.leader_after(old) == &able);
    s.heal();
    s.appended("b");
    s.expect_log("log1", {"a", "b"});
    s.expect_all_well();
  }
}

TEST_CASE("stop: followers, and a leader without others, stop at once") {
  Story s;
  s.appended("a");
  SequencerProcess& old = s.leader();
  // A follower leads nothing and a single sequencer has no successor: neither has a reason to wait.
  for (Process* p : s.sequencers_but(old)) CHECK(s.stop(*p) < 1ms);
  CHECK(s.stop(old) < 20ms);
  for (int i = 1; i <= 3; ++i) s.restart(s.sequencer(i));
  s.appended("b");
  s.expect_log("log1", {"a", "b"});
  s.expect_all_well();

  Story alone({.sequencers = 1});
  alone.appended("a");
  CHECK(alone.stop(alone.leader()) < 1ms);
  alone.restart(alone.sequencer(1));
  alone.appended("b");
  alone.expect_log("log1", {"a", "b"});
}

TEST_CASE(
    "stop: who does not take over is followed by another one; where nobody does the leader stops "
    "after two seconds") {
  Story s;
  s.appended("a");
  SequencerProcess& old = s.leader();
  std::vector<const Process*> asked;
  // Records the sequencers to which the leader sends Campaign, in order.
  s.on_message = [&](const Process&, const Process& to, const Message& m) {
    if (std::holds_alternative<Campaign>(m)) asked.push_back(&to);
  };
  const auto others = s.sequencers_but(old);
  SUBCASE("one is deaf") {
    s.hold(old, *others[0]);
    s.let_pass(200ms);  // the deaf sequencer has the whole Raft log and was heard a moment ago
    CHECK(s.stop(old) < 1s);
    // The first candidate does not answer within 300 ms, so the leader asks the next.
    REQUIRE(asked.size() == 2);
    CHECK(asked[0] == others[0]);
    CHECK(asked[1] == others[1]);
  }
  SUBCASE("all are deaf") {
    for (Process* p : others) s.hold(old, *p);
    for (Process* p : others)
      // So the others elect no leader among themselves either.
      s.hold(*p, *others[p == others[0] ? 1 : 0]);
    s.let_pass(100ms);
    // Nobody takes over: the leader stops after the bound of 2 s.
    const Duration took = s.stop(old);
    CHECK(took >= 2s);
    CHECK(took < 2100ms);
    CHECK(asked.size() >= 2);
  }
  s.heal();
  s.restart(old);
  s.appended("b");
  s.expect_log("log1", {"a", "b"});
  s.expect_all_well();
}

TEST_CASE("stop: a storage node finishes what it was ordered and says so, and takes nothing more") {
  Story s;
  s.appended("a");
  s.let_pass(500ms);
  StorageProcess& node = s.node(2);
  node.log_disk_slower_by = 80ms;
  // Node 2 has taken b's order and its disk is still writing.
  const Entry b = s.append("b");
  s.until("node 2 writes",
          [&] { return s.replica(node).written.end > s.replica(node).durable.end; });
  const std::size_t said = s.sent<Durable>("node2", "seq");
  const std::size_t taken = s.sent<Uploaded>("node2", "client1");
  bool gone = false;
  node.stop([&gone] { gone = true; });
  // c comes after the request to stop: node 2 takes no upload and no order of it.
  const Entry c = s.append("c");
  s.until("the node has stopped", [&gone] { return gone; });
  // Node 2 has acknowledged b before it stopped.
  CHECK(s.sent<Durable>("node2", "seq") > said);
  CHECK(s.sent<Uploaded>("node2", "client1") == taken);
  s.until("both are committed", [&] { return s.committed(b) && s.committed(c); });
  node.log_disk_slower_by = {};
  s.restart(node);
  // K3: node 2 brought its marks up to date before it stopped, so they name its whole log.
  s.until("it is back", [&] { return s.replica(node).is_matched(); });
  CHECK_FALSE(s.replica(node).store.has_torn_bytes());
  s.expect_log("log1", {"a", "b", "c"});
  s.let_pass(1s);
  s.expect_replicas_equal();
  s.expect_all_well();
}

TEST_CASE("stop: a storage node that cannot finish stops after two seconds") {
  Story s;
  s.appended("a");
  s.let_pass(500ms);
  StorageProcess& node = s.node(2);
  // The write of b takes far longer than the bound of a stop.
  node.log_disk_slower_by = 60s;
  const Entry b = s.append("b");
  s.until("b is committed", [&] { return s.committed(b); });
  const Duration took = s.stop(node);
  CHECK(took >= 2s);
  CHECK(took < 2100ms);
  node.log_disk_slower_by = {};
  s.restart(node);
  s.appended("c");
  s.expect_log("log1", {"a", "b", "c"});
  s.let_pass(1s);
  s.expect_replicas_equal();
  s.expect_all_well();
}

// Recoveries in which one thing is wrong that nobody but the nodes concerned can see.
#include <doctest/doctest.h>

#include "tests/scenarios/story.h"

namespace loglog::scenarios {
namespace {

/// Node 1 alone holds one entry more than all others, the leader and the producer that know of it are dead.
SequencerProcess& one_node_holds_more(Story& s) {
  s.appended("a");
  s.let_pass(1s);
  SequencerProcess& old = s.leader();
  const Offset place = s.replica(s.node(1)).durable.end;
  s.hold(old, s.node(2));
  s.hold(old, s.node(3));
  s.append("x");
  s.until("node 1 alone holds x", [&] { return s.replica(s.node(1)).durable.end > place; });
  s.kill(s.producer(1));
  s.kill(old);
  return old;
}

}  // namespace

TEST_CASE("story: a base whose peers cannot reach it is given up, the log does not stay down for ever (C-6, S8)") {
  Story s({.producers = 2});
  SequencerProcess& old = one_node_holds_more(s);
  s.sever(s.node(1), {&s.node(2), &s.node(3)});
  SUBCASE("both peers are as fast") {}
  SUBCASE("the peers fail at different times") { s.node(3).slow_down(1000h, 5ms); }
  s.leader_after(old);
  const Entry y = s.append("y", "log1", 2, 1000h);
  const std::size_t before = s.sent<Reconcile>("seq", "node");
  s.until("y is committed", [&] { return s.committed(y); }, 30s);
  // Three replicas that try five times a second, and not as fast as messages cross.
  CHECK(s.sent<Reconcile>("seq", "node") - before < 500);
  s.until("node 1 takes part again, though its peers do not hear it", [&] { return s.replica(s.node(1)).is_matched(); });
  s.heal();
  s.expect_log("log1", {"a", "y"});
  s.expect_replicas_equal();
}

TEST_CASE("story: a base that its peers cannot reach is taken all the same where no seal quorum does without it (C-6, S2)") {
  Story s({.producers = 2});
  SequencerProcess& old = one_node_holds_more(s);
  s.kill(s.node(3));
  s.sever(s.node(1), {&s.node(2), &s.node(3)});
  s.leader_after(old);
  const Entry y = s.append("y", "log1", 2, 1000h);
  s.let_pass(60s);
  CHECK(s.pending(y));  // node 2 alone may lack what is committed
  CHECK(s.replica(s.node(1)).durable.end > s.replica(s.node(2)).durable.end);
  s.heal();
  s.until("y is committed", [&] { return s.committed(y); }, 60s);
  s.restart(s.node(3));
  s.expect_log("log1", {"a", "x", "y"});
  s.expect_replicas_equal();
}

TEST_CASE(
    "story: a replica that was cut while its log rests is not suspect at its next start, so one lost disk more is survived (C-8, K3)") {
  Story s({.producers = 2, .rest = true});
  s.appended("a");
  s.let_pass(1s);
  SequencerProcess& old = s.leader();
  const Offset place = s.replica(s.node(2)).durable.end;
  s.hold(old, s.node(1));
  s.hold(old, s.node(3));
  s.append("x");
  s.until("node 2 alone holds x", [&] { return s.replica(s.node(2)).durable.end > place; });
  s.let_pass(300ms);
  s.kill(s.producer(1));
  s.sever(s.node(2), s.world().sequencers_as_processes());
  s.kill(old);
  s.leader_after(old);
  s.until("nodes 1 and 3 are matched without it", [&] {
    const Term term = s.leader().machine()->leading_term();
    return s.replica(s.node(1)).matched == term && s.replica(s.node(3)).matched == term;
  });
  s.let_pass(4s);
  REQUIRE(s.replica(s.node(1)).durable.end == place);  // the log rests: no term start was written
  s.heal();
  s.until("node 2 is cut", [&] { return s.replica(s.node(2)).is_matched() && s.replica(s.node(2)).durable.end == place; });
  s.let_pass(10s);
  // The one loss that W = 2 of 3 survives, and then the power of everything goes.
  s.kill(s.node(3));
  s.node(3).lose_disk(simulator::Loss::everything);
  s.power_cut(s.node(1));
  s.power_cut(s.node(2));
  for (int i = 1; i <= 3; ++i) s.kill(s.sequencer(i));
  for (int i = 1; i <= 3; ++i) s.restart(s.sequencer(i));
  s.restart(s.node(1));
  s.restart(s.node(2));
  CHECK_FALSE(s.replica(s.node(1)).suspect);
  CHECK_FALSE(s.replica(s.node(2)).suspect);
  const Entry y = s.append("y", "log1", 2, 1000h);
  s.until("y is committed", [&] { return s.committed(y); }, 60s);
  s.expect_log("log1", {"a", "y"});
}

}  // namespace loglog::scenarios

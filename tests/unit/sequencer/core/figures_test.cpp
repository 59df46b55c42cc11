// The figures of a sequencer (metrics and readiness) against the events that cause them. The clock
// stands still until the test moves it, so latencies are exact.
#include "sequencer/core/figures.h"

#include <doctest/doctest.h>

#include "tests/unit/sequencer/core/fake_cluster.h"

using namespace loglog;
using namespace loglog::sequencer;
using namespace loglog::sequencer::testing;

namespace {

/// A commit of a run of `count` entries of 100 bytes each.
Commit run_of(const TermIs& t, std::uint64_t first, std::uint32_t count = 1) {
  return {t.log,
          t.term,
          Sequence{first - 1},
          {ProducerId{77}, Sequence{first}, count, 100 * count, RunDigest{first}}};
}

TermIs made_log(FakeCluster& f, ConnectionId c) {
  f.say(c, CreateLog{"a", {}});
  const auto made = f.heard<LogIs>();
  REQUIRE(made.size() == 1);
  f.say(c, OpenLog{made[0].info.id});
  f.pass(200ms);
  REQUIRE(!f.heard<TermIs>().empty());
  return f.heard<TermIs>().back();
}

/// The report of a node's replica of the only log.
ReplicaReport replica(const FakeCluster& f, std::uint32_t node) {
  const Report r = f.machine->report(f.now);
  REQUIRE(r.logs.size() == 1);
  for (const ReplicaReport& x : r.logs[0].replicas)
    if (x.node == NodeId{node}) return x;
  FAIL("no such replica");
  return {};
}

}  // namespace

TEST_CASE("figures of a sequencer: commits, their latency, and what is refused") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const TermIs t = made_log(f, c);
  Report r = f.machine->report(f.now);
  CHECK(r.elections_won == 1);
  CHECK(r.elections_stood >= 1);
  CHECK(r.term == Term{1});
  CHECK(r.leader == SequencerId{1});
  CHECK(r.clients == 1);
  CHECK(r.storage == 3);
  CHECK(r.nodes.at(NodeCondition::up) == 3);
  CHECK(r.logs_in_all == 1);
  CHECK(r.logs_open == 1);
  CHECK(r.counted.log_terms == 1);
  CHECK(r.counted.commits == 0);

  f.say(c, run_of(t, 1, 5));  // committed at once, because the clock stands still
  // The second run is ordered, and a single node acknowledges it.
  f.node(2).durable = f.node(3).durable = false;
  f.say(c, run_of(t, 6));
  r = f.machine->report(f.now);
  CHECK(r.counted.commits == 2);
  CHECK(r.counted.committed_runs == 1);
  CHECK(r.counted.committed_entries == 5);
  CHECK(r.counted.committed_bytes == 500);
  CHECK(r.counted.commit_latency.sum() == 0);
  CHECK(r.logs[0].ordered == r.logs[0].committed + 100);

  f.pass(300ms);
  f.node(2).durable = true;
  f.say(c, run_of(t, 7));  // its Order brings node 2's acknowledgement of both runs
  r = f.machine->report(f.now);
  CHECK(r.counted.committed_entries == 7);
  CHECK(r.counted.commit_latency.sum() == 300'000);
  CHECK(r.counted.commit_latency.counts()[0] == 2);

  f.say(c, run_of(t, 7));  // a repeat is no append
  CHECK(f.machine->report(f.now).counted.committed_runs == 3);
  Commit gap = run_of(t, 70);
  gap.settled = Sequence{7};
  f.say(c, gap);
  f.say(c, CreateLog{"a", {}});
  r = f.machine->report(f.now);
  CHECK(r.counted.refused.of(Errc::wrong_sequence) == 1);
  CHECK(r.counted.refused.of(Errc::log_exists) == 1);
  CHECK(r.counted.refused.of(Errc::busy) == 0);
}

TEST_CASE("figures of a sequencer: a replica's lag is what it lacks, for how long") {
  FakeCluster f(3);
  f.options.reference_window = 8;
  f.start_all();
  const ConnectionId c = f.connect_client();
  const TermIs t = made_log(f, c);
  f.say(c, run_of(t, 1));
  for (std::uint32_t n : {1u, 2u, 3u}) CHECK(replica(f, n).lag_bytes == 0);

  f.disconnect(3);
  f.pass(1s);
  CHECK(replica(f, 3).lag_bytes == 0);  // down, but without lag
  CHECK(replica(f, 3).lag == Duration{});
  f.say(c, run_of(t, 2));
  f.pass(2s);
  f.say(c, run_of(t, 3));
  f.pass(1s);
  CHECK(replica(f, 3).lag_bytes == 200);
  CHECK(replica(f, 3).lag == 3s);  // the age of the older run
  CHECK(replica(f, 3).state == ReplicaState::unreachable);
  CHECK(replica(f, 1).lag_bytes == 0);
  CHECK(replica(f, 1).lag == Duration{});

  f.connect(3);
  f.pass(500ms);
  CHECK(replica(f, 3).lag_bytes == 0);
  CHECK(replica(f, 3).lag == Duration{});
  // The leader's window had the runs, so orders were enough and no repair was begun.
  CHECK(f.machine->report(f.now).counted.repairs == 0);

  f.disconnect(3);
  for (std::uint64_t i = 4; i < 24; ++i) f.say(c, run_of(t, i));  // more runs than the window holds
  f.connect(3);
  f.pass(500ms);
  CHECK(replica(f, 3).lag_bytes == 0);
  CHECK(f.machine->report(f.now).counted.repairs == 1);
}

TEST_CASE("figures of a sequencer: whether it serves its role") {
  FakeCluster f(3);
  f.options.sequencers = {
      {SequencerId{1}, "s1:1"}, {SequencerId{2}, "s2:1"}, {SequencerId{3}, "s3:1"}};
  f.restart();
  CHECK_FALSE(f.machine->readiness());
  f.pass(3s);  // it stands for election, and no peer answers
  CHECK_FALSE(f.machine->readiness());
  CHECK(f.machine->report(f.now).term == Term{});
  CHECK(f.machine->report(f.now).nodes.empty());

  FakeCluster alone(3);
  alone.start_all();
  REQUIRE(alone.machine->readiness());
  CHECK(*alone.machine->readiness() == "leads in term 1");
}

// S8: a leader that is cut off from the storage nodes, and only from them, hands over to a
// sequencer that reaches them.
// Runs a client's workload in the simulated world over five seeds; no story, because timing is left
// to the seed.
#include <doctest/doctest.h>

#include "tests/simulator/checkers.h"
#include "tests/simulator/workload.h"
#include "tests/simulator/world.h"

using namespace loglog;
using namespace loglog::simulator;

TEST_CASE(
    "S8: a leader that reaches no storage node yields to a sequencer that does, and appends go "
    "on") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    WorldOptions o;
    o.seed = seed;
    World world(o);
    Checkers checkers(world);
    WorkloadOptions w;
    w.entries_per_client = 400;
    w.think_max = 400ms;
    ClientWorkload work(world, checkers, *world.clients[0], "log1", w, true);
    world.start_all();
    work.start();
    // After four seconds a leader works and appends are under way.
    world.scheduler.run_until(world.scheduler.now() + 4s, [] { return false; });
    SequencerProcess* leader = nullptr;
    for (auto& s : world.sequencers)
      if (s->machine()->role() == RaftRole::leader) leader = s.get();
    REQUIRE(leader != nullptr);
    REQUIRE_FALSE(work.appends_done());
    // The leader loses all storage nodes, in both directions. Its links to clients and sequencers
    // stay.
    for (auto& n : world.storage) {
      world.network.block(leader->address(), n->address());
      world.network.block(n->address(), leader->address());
    }
    const Time bound = world.scheduler.now() + 120s;
    while (!work.appends_done() && world.scheduler.now() < bound)
      world.scheduler.run_until(world.scheduler.now() + 100ms, [&] { return world.violated(); });
    // Another sequencer leads now, and no append was lost.
    CHECK(work.appends_done());
    CHECK(leader->machine()->role() != RaftRole::leader);
    CHECK(checkers.acknowledged() == 400);
    CHECK_FALSE(world.violated());
  }
}

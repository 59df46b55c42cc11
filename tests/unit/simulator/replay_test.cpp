// A simulator run is a function of its seed: the same messages with the same bytes, at the same
// times and in the same order. Without this a failing seed could not be replayed.
#include <doctest/doctest.h>

#include "tests/simulator/plan.h"

using namespace loglog;
using namespace loglog::simulator;

namespace {

/// A plan with many kinds of faults, because each must draw its chance from the seed alone.
Plan stormy() {
  Plan p;
  p.name = "replay";
  for (const char* line :
       {"clients 3", "entries 60", "logs 2", "think_max_ms 200", "faults_for_ms 4000",
        "kill_storage 700", "kill_client 1500", "power_all 3000", "break_connection 300",
        "late_connection 600", "corrupt_message 200", "rot_below 1000", "eio_sync 1500",
        "clock_drift_ppm 50000", "slow_node 900", "trim_every_ms 500", "churn_ms 100"})
    REQUIRE(read_line(p, line));
  return p;
}

}  // namespace

TEST_CASE("simulator: a seed replays its run exactly, another one gives another run") {
  const Plan p = stormy();
  const RunResult once = run(p, 7, false);
  const RunResult again = run(p, 7, false);
  CHECK(once.violation == "");
  CHECK(once.messages > 1000);
  CHECK(again.fingerprint == once.fingerprint);
  CHECK(again.messages == once.messages);
  CHECK(again.simulated == once.simulated);
  CHECK(again.faults.by_kind == once.faults.by_kind);
  CHECK(run(p, 8, false).fingerprint != once.fingerprint);
}

TEST_CASE("simulator: a plan refuses words that it does not know") {
  Plan p;
  CHECK(read_line(p, "  # a comment"));
  CHECK(read_line(p, "kill_leader 900 # a comment"));
  CHECK(p.faults.at("kill_leader") == 900ms);
  CHECK_FALSE(read_line(p, "kill_laeder 900"));
  CHECK_FALSE(read_line(p, "entries"));
}

// Checks the promise `memory`: it polls how many bytes storage nodes hold for each other and for
// readers. Peers are watched in plans whose links have a rate, because elsewhere nothing gathers.
// Readers are watched in plans with stalled readers. The bounds must hold at every poll, not on
// average (P1, P2, spec/09).
#pragma once
#include "tests/simulator/world.h"

namespace loglog::simulator {

/// Sets limits that a short run can reach, for storage nodes whose links have a rate. `greedy`: the
/// node asks for everything that it lacks, so its own P1 limits are off and its peers' P2 limits
/// are small.
void set_reachable_limits(storage::Options& o, bool greedy);

/// The world must outlive it. It polls every 10 ms of simulated time until the run ends.
class MemoryWatch {
 public:
  explicit MemoryWatch(World& world) : world_(world) {}
  void start();

 private:
  void look();
  void look_at_peers();
  void look_at_readers();

  World& world_;
};

}  // namespace loglog::simulator

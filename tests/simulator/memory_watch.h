// Looks again and again at what storage nodes hold for each other (asked, fetched, given and
// queued) in plans whose links have a rate, since nothing gathers on others, and at what they hold
// for readers in plans with readers that take nothing. A bound that only holds on the average is
// none.
#pragma once
#include "tests/simulator/world.h"

namespace loglog::simulator {

/// Limits that a short run reaches: those of storage nodes whose links have a rate. A `greedy` node
/// asks for whatever it lacks.
void set_reachable_limits(storage::Options& o, bool greedy);

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

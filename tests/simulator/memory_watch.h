// Looks again and again at what storage nodes hold for each other: asked, fetched, given and queued. A bound that only holds on the
// average is none. Runs in plans whose links have a rate, since nothing gathers on others.
#pragma once
#include "tests/simulator/world.h"

namespace loglog::simulator {

/// Limits that a short run reaches: those of storage nodes whose links have a rate.
void set_reachable_limits(storage::Options& o);

class MemoryWatch {
 public:
  explicit MemoryWatch(World& world) : world_(world) {}
  void start();

 private:
  void look();

  World& world_;
};

}  // namespace loglog::simulator

// Disks that are lost for good, and the operator who has the cluster take the empty ones in their
// place (C1).
#pragma once
#include <memory>

#include "tests/simulator/world.h"

namespace loglog::simulator {

/// The node's disk is the registered one, and all logs that name the node hold everything there.
bool is_taken_in_whole(const World& world, const StorageProcess& p);

/// The cluster has found that the node's disk lost what was acknowledged (T4).
bool is_marked_lost(const World& world, NodeId node);
/// The cluster knows the node by another disk than this one.
bool was_replaced(const World& world, NodeId node, SimulatedDisk disk);

class Operator {
 public:
  explicit Operator(World& world) : world_(world) {}
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;

  /// The node's disk is gone; it comes back with an empty one or, by mistake, with one that was
  /// replaced before.
  void lose_disk(StorageProcess& p, Random& random);
  /// Asks the leader to take the disk that the node has by then, until that is whole, whatever
  /// becomes of either meanwhile.
  void replace(StorageProcess& p);

 private:
  void ask(StorageProcess& p, int times);

  World& world_;
  std::unique_ptr<ClientProcess> client_;
  std::uint64_t tokens_ = 0;
  std::map<const StorageProcess*, SimulatedDisk> old_disks_;
};

}  // namespace loglog::simulator

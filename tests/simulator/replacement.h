// Disks that are lost for good, and the operator who has the cluster take empty disks in their
// place (C1). weather.cpp decides when a disk is lost; other faults use the predicates to see
// whether a node is whole again.
#pragma once
#include <memory>

#include "tests/simulator/world.h"

namespace loglog::simulator {

/// True if the node's disk is the registered disk, and every open log that names the node is
/// matched and whole there.
bool is_taken_in_whole(const World& world, const StorageProcess& p);

/// The cluster has committed that the node's disk lost acknowledged bytes (MarkLost, T4).
bool is_marked_lost(const World& world, NodeId node);
/// The cluster knows the node by another disk than `disk`.
bool was_replaced(const World& world, NodeId node, SimulatedDisk disk);

/// A single operator per run. It has a client of its own, and repeats a request until the disk is
/// whole.
class Operator {
 public:
  explicit Operator(World& world) : world_(world) {}
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;

  /// The node's disk is gone. The node gets an empty disk or, by the operator's mistake, a disk
  /// that was replaced before. Only while the process is down.
  void lose_disk(StorageProcess& p, Random& random);
  /// Asks the leader to take the node's present disk, again and again until that disk is whole. The
  /// request survives deaths of the node and of the leader.
  void replace(StorageProcess& p);

 private:
  void ask(StorageProcess& p, int times);

  World& world_;
  std::unique_ptr<ClientProcess> client_;
  std::uint64_t tokens_ = 0;
  std::map<const StorageProcess*, SimulatedDisk> old_disks_;
};

}  // namespace loglog::simulator

// Which storage nodes answer this node's pings. Appends need no connection between storage nodes,
// so without pings a firewall between them would show only in the failover that has to copy.
// StorageMachine calls tick() and sends the result to the leader in SpaceIs.
#pragma once
#include <map>
#include <vector>

#include "storage-node/core/node.h"

namespace loglog::storage {

class PeerReach {
 public:
  explicit PeerReach(Node& node) : node_(node) {}
  PeerReach(const PeerReach&) = delete;
  PeerReach& operator=(const PeerReach&) = delete;

  /// Pings each node that shares a log with this node, every Options::peer_ping_every.
  void tick();
  Time next_tick() const { return due_; }
  /// Peers that did not answer two pings in a row, in ascending order. A single failure may be a
  /// restart.
  std::vector<NodeId> unreachable() const;

 private:
  /// The other members of all logs that the metadata names, in ascending order.
  std::vector<NodeId> peers() const;
  void ask(NodeId peer);

  Node& node_;
  Time due_{};
  /// Number of consecutive pings without an answer.
  std::map<NodeId, unsigned> unanswered_;
};

}  // namespace loglog::storage

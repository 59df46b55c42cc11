// Which storage nodes answer this one. Appends need no connection between storage nodes, so without
// a question now and then a firewall between them would show only in the failover that has to copy.
// The machine calls tick(); what is found goes to the leader with SpaceIs.
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

  /// Asks each node that shares a log with this one, when that is due.
  void tick();
  Time next_tick() const { return due_; }
  /// Ascending. A node counts as such after two questions in a row without an answer: one may meet
  /// a restart.
  std::vector<NodeId> unreachable() const;

 private:
  std::vector<NodeId> peers() const;
  void ask(NodeId peer);

  Node& node_;
  Time due_{};
  std::map<NodeId, unsigned> unanswered_;  // in a row
};

}  // namespace loglog::storage

// Chooses the replica to read from: the preferred node first, then the others in rotation, nodes
// that failed lately last (spec/06). ReplicaChoice is shared by all readers of a client; each
// reader has a ReplicaRound of its own.
#pragma once
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"

namespace loglog::client {

/// Pause of a reader after all replicas have refused.
inline constexpr Duration all_refused_pause = 30ms;
/// Pause of a reader while no connection to a replica is up.
inline constexpr Duration connect_pause = 10ms;

class ReplicaChoice {
 public:
  /// `preferred`: 0 prefers no node.
  explicit ReplicaChoice(NodeId preferred) : preferred_(preferred) {}

  /// Returns a member that is not in `tried`, or 0 if all are. If every candidate failed lately,
  /// the first of them is returned all the same.
  NodeId pick(Time now, const std::vector<Member>& members, const std::set<NodeId>& tried) {
    NodeId best{}, second_best{};
    const std::size_t begin = rotation_++;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const NodeId n = members[(begin + i) % members.size()].node;
      if (tried.contains(n)) continue;
      const bool healthy = is_healthy(now, n);
      if (n == preferred_ && healthy) return n;
      if (best == NodeId{} && healthy) best = n;
      if (second_best == NodeId{}) second_best = n;
    }
    return best != NodeId{} ? best : second_best;
  }
  /// Avoids the node for a while.
  void failed(Time now, NodeId n) { avoid_until_[n] = now + avoid_for; }
  void succeeded(NodeId n) { avoid_until_.erase(n); }

 private:
  static constexpr Duration avoid_for = 2s;
  bool is_healthy(Time now, NodeId n) const {
    const auto i = avoid_until_.find(n);
    return i == avoid_until_.end() || i->second <= now;
  }

  NodeId preferred_;
  std::size_t rotation_ = 0;
  std::map<NodeId, Time> avoid_until_;
};

/// The replicas that a reader has asked: each is asked before any is asked again.
class ReplicaRound {
 public:
  explicit ReplicaRound(ReplicaChoice& choice) : choice_(choice) {}
  /// Marks `n` as failed. Returns true if every replica has failed, or the log is unknown (`info`
  /// nullptr); the round then starts over.
  bool failed(Time now, NodeId n, const LogInfo* info) {
    choice_.failed(now, n);
    tried_.insert(n);
    const bool all = info == nullptr || std::ranges::all_of(info->members, [this](const Member& m) {
                       return tried_.contains(m.node);
                     });
    if (all) tried_.clear();
    return all;
  }
  /// Starts over, after a replica has answered.
  void begin_anew() { tried_.clear(); }
  const std::set<NodeId>& tried() const { return tried_; }

 private:
  ReplicaChoice& choice_;
  std::set<NodeId> tried_;
};

}  // namespace loglog::client

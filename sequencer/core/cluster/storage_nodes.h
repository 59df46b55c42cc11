// The storage nodes as this sequencer knows them: their connections, their conditions, and the
// facts that they tell. Answers which nodes are ready, heard and reached, and how a node looks to
// people. A part of SequencerState; LeaderNodes judges identities (T4) and sends.
#pragma once
#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"
#include "sequencer/core/metadata.h"
#include "sequencer/core/output.h"

namespace loglog::sequencer {

/// down() is the state without a connection.
struct StorageNode {
  ConnectionId connection{};  ///< 0: down
  DiskId disk{};              ///< that the node came with over this connection
  BootId boot{};
  bool accepted = false;                       ///< its identity is the registered identity (T4)
  bool sealed = false;                         ///< it has promised the term of this reign
  bool refused = false;                        ///< DATA LOSS or another disk; the alarm was raised
  std::uint8_t record_version = 0;             ///< highest that it reads (T7); 0: it was not sealed
  Time seal_due = never;                       ///< when to send the seal again
  Time heard{};                                ///< when anything came from it
  Time joined_at{};                            ///< when it last made a log
  RaftIndex told_version{};                    ///< metadata version pushed to it
  SpaceIs space{};                             ///< as it told last, without the logs
  std::map<LogId, std::uint64_t> log_bytes{};  ///< by log, on its disk
  // For people, over all connections:
  std::optional<Time> last_heard{};
  struct Foreign {
    Time at;  // the last time
    DiskId disk;
  };
  /// T4: it came with another disk than the registered disk; each alarm is raised once.
  std::optional<Foreign> foreign_disk{};
  /// T2: when it last refused this leader, because the leader's metadata went back.
  std::optional<Time> refused_leader{};
  /// T7: the alarm was raised that its program does not read the cluster's records.
  bool told_too_old = false;

  /// The state that remains when its connection goes.
  StorageNode down() const {
    StorageNode n;
    n.last_heard = last_heard;
    n.foreign_disk = foreign_disk;
    n.refused_leader = refused_leader;
    n.told_too_old = told_too_old;
    return n;
  }
};

/// `options` must outlive it.
class StorageNodes {
 public:
  explicit StorageNodes(const Options& options) : options_(options) {}

  /// nullptr: the node never came.
  StorageNode* find(NodeId id) {
    const auto n = nodes_.find(id);
    return n == nodes_.end() ? nullptr : &n->second;
  }
  const StorageNode* find(NodeId id) const {
    const auto n = nodes_.find(id);
    return n == nodes_.end() ? nullptr : &n->second;
  }
  /// The node; a node that never came is down.
  StorageNode& at(NodeId id) { return nodes_[id]; }
  std::map<NodeId, StorageNode>& all() { return nodes_; }
  const std::map<NodeId, StorageNode>& all() const { return nodes_; }
  /// The operator's entry for the node; nullptr: it is not configured here.
  const StorageInfo* configured(NodeId id) const;

  // Connections and messages

  /// 0: the node is down.
  ConnectionId connection(NodeId id) const {
    const StorageNode* n = find(id);
    return n == nullptr ? ConnectionId{} : n->connection;
  }
  /// D2: orders come over a single connection, so the newer connection replaces the older.
  /// Everything known of the older connection goes, but not the facts for people.
  void connected(NodeId id, const Connected& c);
  /// True if that was the node's connection; a displaced connection has been replaced already.
  bool disconnected(Time now, NodeId id, const Disconnected& d);
  /// A message has come. False: the node speaks over a newer connection now.
  bool heard(Time now, NodeId id, ConnectionId c);
  /// The node tells its space. Only bytes of logs that exist are kept.
  void told(StorageNode& n, SpaceIs&& s, const MetadataState& metadata);
  void forget_log(LogId log);

  // The reign

  /// The lead is lost: no node is ready any more, and nothing is pushed.
  void reign_ends();
  bool ready(NodeId id) const {
    const StorageNode* n = find(id);
    return n != nullptr && n->sealed;
  }
  /// When a seal has to be sent again, or metadata are to be pushed.
  Time wake() const {
    Time out = push_due_;
    for (const auto& [id, n] : nodes_)
      if (n.accepted && !n.sealed) out = std::min(out, n.seal_due);
    return out;
  }
  /// Metadata go to the nodes at this time; pushes are gathered.
  void push_at(Time t) { push_due_ = t; }
  void push_by(Time t) { push_due_ = std::min(push_due_, t); }
  Time push_due() const { return push_due_; }

  // Answers

  bool heard_lately(Time now, const StorageNode& n) const {
    return n.connection != ConnectionId{} && now - n.heard <= 3 * options_.reach_every;
  }
  bool heard_lately(Time now, NodeId id) const;
  /// Nodes heard lately. A node with another disk than the registered disk counts as down (T4).
  std::vector<NodeId> reached(Time now, const MetadataState& metadata) const;
  /// A silent node takes no new log, because its machine may take connections for a process that is
  /// stopped.
  bool takes_logs(Time now, NodeId id) const;
  Time last_joined(NodeId id) const;
  /// For people: false while the node reports that its disk has no space for the log (K5).
  bool has_space(NodeId id, LogId log) const;
  std::uint64_t disk_bytes(NodeId id, LogId log) const;
  /// A node that is heard refused a second process under this sequencer's id (D2).
  bool refused_twin(Time now, SequencerId id) const;
  /// The condition of a node, the worst cause first. `leads`: this sequencer seals nodes.
  NodeSeen seen(Time now, const StorageInfo& info, bool leads) const;

 private:
  const Options& options_;
  std::map<NodeId, StorageNode> nodes_;
  Time push_due_ = never;
};

}  // namespace loglog::sequencer

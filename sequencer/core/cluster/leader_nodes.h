// Storage nodes as the leader of a term treats them: their identity (T4), the metadata that they
// are told, their seal (T2), and the way of each message to its log. A node passes connected ->
// accepted -> sealed, and only a sealed node is ready for logs. Owned by SequencerMachine;
// StorageNodes keeps the facts about each node.
#pragma once
#include <string>

#include "sequencer/core/cluster/leader_logs.h"
#include "sequencer/core/cluster/log_making.h"
#include "sequencer/core/sequencer_state.h"

namespace loglog::sequencer {

/// All arguments must outlive it.
class LeaderNodes {
 public:
  LeaderNodes(SequencerState& state, LeaderLogs& logs, LogMaking& making)
      : state_(state), logs_(logs), making_(making) {}

  /// D2: orders of a sequencer come over a single connection, so a node's newer connection replaces
  /// the older. Everything known of the older connection goes, but not the facts for people. A node
  /// that is neither configured nor registered is closed.
  void connected(const Connected& c);
  /// Registers, accepts or refuses a connected node. An accepted node gets the metadata first and
  /// then the seal, so that it can compare both with its own copy (T2, T4).
  void check(NodeId id);
  /// T4: counts the node as down in all logs, raises the alarm, and pushes the metadata. The node
  /// keeps a copy of them, so it refuses by itself from then on.
  void refuse_lost(NodeId id);
  /// T7: a node has closed its connection because it does not read the cluster's version.
  void refused_version(NodeId id);
  /// T7: the cluster's version has risen. All nodes are told at once, before anything is ordered in
  /// the new version; a node whose program does not read it is not used any more.
  void version_raised();
  /// Messages of a node count only while this sequencer leads and the node is accepted. Messages
  /// about a log go to that log's term.
  void received(NodeId id, RequestId request, Message& m);
  /// Sends the seals that are due, and the metadata if their time has come.
  void tick();
  /// Each push carries all logs of a node, so changes of many logs are gathered for longer: no more
  /// than a few megabytes a second.
  Duration push_pause() const;

 private:
  void push(NodeId id, StorageNode& n);
  void push_to_all();
  void seal(NodeId id, StorageNode& n);
  bool is_older_copy(NodeId id, const StorageNode& n, const Sealed& m) const;
  void sealed(NodeId id, StorageNode& n, const Sealed& m);
  void failed(NodeId id, const Failed& m);
  bool reads_records(NodeId id, StorageNode& n);
  void disbelieve(NodeId id, StorageNode& n, const std::string& why);

  SequencerState& state_;
  LeaderLogs& logs_;
  LogMaking& making_;
};

}  // namespace loglog::sequencer

// The node's copy of the cluster's metadata, and the judgement on sequencers that say something
// else: numbers that cannot be, and metadata that has gone back (T1, T2). Owns the version of the
// newest seal and the pauses between alarms; the metadata itself lies in Node, because logs and
// peers read it. StorageMachine asks, and refuses the sequencer.
#pragma once
#include <optional>
#include <string>

#include "storage-node/core/log_table.h"
#include "storage-node/core/node_identity.h"

namespace loglog::storage {

class ClusterCopy {
 public:
  /// `node` must outlive the copy.
  explicit ClusterCopy(Node& node) : node_(node) {}
  ClusterCopy(const ClusterCopy&) = delete;
  ClusterCopy& operator=(const ClusterCopy&) = delete;

  /// Reads the metadata that the last process saved. Fails with the disk's error (K7).
  Result<void> start(StartupDisk& disk);
  /// Writes the metadata to its file, as a record of the version that the identity names.
  void save();

  /// T1: says why a leader cannot be so far above everything that this node has heard of; empty: it
  /// may be. `promised` is the term that binds the node or the log.
  std::string implausible(Term term, Term promised, RaftIndex version) const;
  /// T2: says why the metadata is no part of this cluster's history; nullopt: it may be.
  std::optional<std::string> goes_back(const ClusterMetadata& told, const LogTable& logs,
                                       const NodeIdentity& identity) const;
  /// T2: takes the metadata version of a Seal in a newer term. Returns false if a newer version was
  /// sealed before; sequencers with an older version cannot lead a newer term.
  bool takes_seal(RaftIndex version);

  /// True if an alarm is due, which then counts as raised: about a message that no correct leader
  /// sends, and about sequencers whose metadata cannot be taken.
  bool number_alarm_due();
  bool refusal_alarm_due();

 private:
  Node& node_;
  /// Metadata version of the newest seal (T2).
  RaftIndex seal_version_{};
  /// Alarms about numbers are not raised before this time.
  Time number_alarm_after_{};
  /// When the alarm about a refused leader was last raised.
  Time refusal_said_at_ = never;
};

}  // namespace loglog::storage

// The node's identity and its node-wide promise, from the start on: whose disk this is (T4), which
// cluster it belongs to, and whether the disk has lost or forgotten state that it answered for.
// Owns the promise and the process's ids; the identity itself and the verdict "data loss" lie in
// Node, because logs read them. StorageMachine calls, and writes the identity's file.
#pragma once
#include <string>
#include <utility>

#include "storage-node/core/promise.h"
#include "storage-node/core/startup_disk.h"

namespace loglog::storage {

class NodeIdentity {
 public:
  /// `node` must outlive the identity. Takes a random id for this process.
  explicit NodeIdentity(Node& node)
      : promise(node, LogId{}), node_(node), boot_(node.random.next_id()) {}
  NodeIdentity(const NodeIdentity&) = delete;
  NodeIdentity& operator=(const NodeIdentity&) = delete;

  /// The promise for all logs (T3).
  PromiseKeeper promise;

  /// Reads both files. Returns true if the disk is new: the caller then makes the promise durable,
  /// then writes the identity. Fails with wrong_identity, newer_format, or the disk's error (K7).
  Result<bool> start(StartupDisk& disk);
  /// True once the identity is durable. Before that the node must not be shown to others.
  bool durable() const { return durable_; }
  /// The identity is durable, with the record version that it named when its write was asked for.
  void saved(std::uint8_t record_version);
  /// T7: the cluster's records are of this version. Returns true if the identity has changed, and
  /// the caller then writes it.
  bool name_version(std::uint8_t version);
  /// T7: true once the record version that the identity names is durable. Before that no command is
  /// obeyed.
  bool version_is_durable() const { return version_saved_ >= node_.identity.record_version; }

  /// The hello that the driver sends on each new connection.
  Hello hello() const;
  /// A node without a cluster joins the cluster of the first sequencer that names it. From then on
  /// it refuses every other cluster (T4). Returns true if it joins; the identity has then changed.
  bool adopt(ClusterId cluster, const std::string& name);

  /// T4: true if the sequencers have registered more promise writes than this process found. False
  /// once the start is counted.
  bool is_older_copy(const ClusterMetadata& told) const;
  /// T4: each start raises the promise's count, so that a copy of the directory that was made
  /// before has a lower count than the leader has registered. Returns true the first time.
  bool count_start() { return !std::exchange(start_counted_, true); }
  /// T4: the cluster found that this disk lacks bytes that it had acknowledged. Call it whenever
  /// the metadata may be new. The loss is final, so the node's copy of the metadata says so at each
  /// start.
  void heed_loss();

 private:
  Identity fresh(DiskId disk) const;

  Node& node_;
  BootId boot_;
  bool durable_ = false;
  /// T7: the record version that the durable identity names.
  std::uint8_t version_saved_ = record_version_first;
  /// T4: this process has raised the promise's count.
  bool start_counted_ = false;
};

}  // namespace loglog::storage

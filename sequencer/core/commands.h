// Commands of the metadata log: what the sequencers' Raft replicates. Encoded as a kind byte and
// the fields as on the wire; applied in order by metadata.h. Small and rare: kilobytes for a whole
// cluster.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

/// Mints a term (T1). The number is given where it is applied: max(last term, floor) + 1.
struct BeginTerm {
  Term floor{};           ///< highest promise that any node has reported
  InstanceId instance{};  ///< random, of the proposing leader's reign
  RaftTerm raft_term{};   ///< the proposer must still lead in it to use the term
  LogId log{};            ///< 0: for all logs; else for this log alone
  bool operator==(const BeginTerm&) const = default;
};
/// Names the cluster, once; later ones only refresh the sequencers' addresses.
struct InitCluster {
  ClusterId cluster{};
  std::string cluster_name;
  std::vector<SequencerInfo> sequencers;
  bool operator==(const InitCluster&) const = default;
};
/// Binds a node id to a disk identity (T4); for a registered node with the same disk it refreshes
/// the address, and the count of its promise's writes, which never falls.
struct RegisterStorage {
  StorageInfo node;
  bool operator==(const RegisterStorage&) const = default;
};
/// A log in state `creating` (T5). Its id is the index of this command, so that ids are never
/// reused.
struct MakeLog {
  std::string name;
  LogOptions options;  ///< as in force, nothing 0
  std::vector<Member> members;
  Basis basis{};
  bool operator==(const MakeLog&) const = default;
};
/// All members have joined durably (T5).
struct MarkOpen {
  LogId log{};
  bool operator==(const MarkOpen&) const = default;
};
struct MarkDeleting {
  LogId log{};
  bool operator==(const MarkDeleting&) const = default;
};
/// All members have dropped it.
struct FinishDelete {
  LogId log{};
  bool operator==(const FinishDelete&) const = default;
};
/// R3: never moves back; the leader has clamped it to the committed offset.
struct Trim {
  LogId log{};
  Offset offset{};
  bool operator==(const Trim&) const = default;
};

/// F2: never lower; 0 takes the one after the log's, for one request once (T6).
struct RaiseFence {
  LogId log{};
  FenceToken token{};
  Basis basis{};
  bool operator==(const RaiseFence&) const = default;
};
struct ChangeRetention {
  LogId log{};
  Retention retention;
  Basis basis{};
  bool operator==(const ChangeRetention&) const = default;
};
/// C1: `disk` takes the place of `old` under the node's id, and all logs begin a new term, in which
/// `old` has no part. Logs go on naming it as their member until SetMembers. Refused where one
/// still names `disk`: it was replaced before.
struct AdmitDisk {
  NodeId node{};
  DiskId old{};
  DiskId disk{};
  InstanceId instance{};  ///< of the proposing leader's reign, as in BeginTerm
  RaftTerm raft_term{};
  bool operator==(const AdmitDisk&) const = default;
};
/// C1: the log has been begun without the disks that were replaced, and has joined those that stand
/// here in their place.
struct SetMembers {
  LogId log{};
  std::vector<Member> members;  ///< the same nodes in the same order
  bool operator==(const SetMembers&) const = default;
};

/// T4: the node's disk lacks bytes that it had acknowledged. It counts as down, for every leader,
/// until another disk takes its place.
struct MarkLost {
  NodeId node{};
  DiskId disk{};
  bool operator==(const MarkLost&) const = default;
};

using Command =
    std::variant<BeginTerm, InitCluster, RegisterStorage, MakeLog, MarkOpen, MarkDeleting,
                 FinishDelete, Trim, RaiseFence, ChangeRetention, AdmitDisk, SetMembers, MarkLost>;

Bytes encode(const Command& c);
/// nullopt when the bytes are no command. Total.
std::optional<Command> decode_command(const Bytes& bytes);

}  // namespace loglog::sequencer

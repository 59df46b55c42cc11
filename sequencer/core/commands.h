// Commands of the metadata log, which Raft replicates among the sequencers. metadata.h applies them
// in order; SequencerState proposes them. Encoded as a kind byte and the fields as on the wire,
// behind the mark of their record version (T7, wire/field_codec.h). They are small and rare:
// kilobytes for a whole cluster, and no append is among them.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

/// Mints a term (T1). The number is given when the command is applied: max(last term, floor) + 1.
struct BeginTerm {
  Term floor{};           ///< highest promise that any node has reported
  InstanceId instance{};  ///< random id of the proposing leader's reign
  RaftTerm raft_term{};   ///< the proposer must still lead in it to use the minted term
  LogId log{};            ///< 0: the term is for all logs; otherwise for this log alone
  bool operator==(const BeginTerm&) const = default;
};
/// Names the cluster, once. A later command of the same cluster refreshes only the sequencers'
/// addresses.
struct InitCluster {
  ClusterId cluster{};
  std::string cluster_name;
  std::vector<SequencerInfo> sequencers;
  bool operator==(const InitCluster&) const = default;
};
/// Binds a node id to a disk identity (T4). For a registered node with the same disk it refreshes
/// the address, and raises the count of its promise's writes, which never falls.
struct RegisterStorage {
  StorageInfo node;
  bool operator==(const RegisterStorage&) const = default;
};
/// Makes a log in state `creating` (T5). The log's id is the index of this command, so an id is
/// never used twice.
struct MakeLog {
  std::string name;
  LogOptions options;  ///< effective options: every default is filled in
  std::vector<Member> members;
  Basis basis{};
  bool operator==(const MakeLog&) const = default;
};
/// Opens a log that all its members have joined durably (T5).
struct MarkOpen {
  LogId log{};
  bool operator==(const MarkOpen&) const = default;
};
/// Begins to delete a log; its name is free from here on.
struct MarkDeleting {
  LogId log{};
  bool operator==(const MarkDeleting&) const = default;
};
/// Ends a deletion: all members have dropped the log (T5).
struct FinishDelete {
  LogId log{};
  bool operator==(const FinishDelete&) const = default;
};
/// R3: the trim point never moves back. The leader has clamped it to the committed offset.
struct Trim {
  LogId log{};
  Offset offset{};
  bool operator==(const Trim&) const = default;
};

/// F2: raises a log's fencing token, never lowers it. Token 0 takes the next number, once for each
/// request (T6).
struct RaiseFence {
  LogId log{};
  FenceToken token{};
  Basis basis{};
  bool operator==(const RaiseFence&) const = default;
};
/// R5: sets how much of a log is kept, once for each request (T6).
struct ChangeRetention {
  LogId log{};
  Retention retention;
  Basis basis{};
  bool operator==(const ChangeRetention&) const = default;
};
/// C1 step 1: `disk` takes the place of `old` under the node's id. All logs begin a new term, in
/// which `old` has no part; logs go on naming it as their member until SetMembers. Refused if a log
/// still names `disk` as its member, because that disk was replaced before.
struct AdmitDisk {
  NodeId node{};
  DiskId old{};
  DiskId disk{};
  InstanceId instance{};  ///< random id of the proposing leader's reign, as in BeginTerm
  RaftTerm raft_term{};
  bool operator==(const AdmitDisk&) const = default;
};
/// C1 step 3: the log has begun a term without the disks that were replaced. `members` names the
/// disks that have joined it in their place.
struct SetMembers {
  LogId log{};
  std::vector<Member> members;  ///< the same nodes in the same order as before
  bool operator==(const SetMembers&) const = default;
};

/// T4: the node's disk lacks bytes that the node had acknowledged. For every leader the node counts
/// as down until another disk takes its place.
struct MarkLost {
  NodeId node{};
  DiskId disk{};
  bool operator==(const MarkLost&) const = default;
};

/// T7: raises the cluster's version; a lower or equal version changes nothing. It is written in the
/// version before.
struct RaiseVersion {
  std::uint8_t version = 0;
  bool operator==(const RaiseVersion&) const = default;
};

/// The place of a type in this list is its kind on disk, so new commands go to the end.
using Command = std::variant<BeginTerm, InitCluster, RegisterStorage, MakeLog, MarkOpen,
                             MarkDeleting, FinishDelete, Trim, RaiseFence, ChangeRetention,
                             AdmitDisk, SetMembers, MarkLost, RaiseVersion>;

/// The bytes of a Raft entry, as a record of that version: mark, kind byte, fields.
Bytes encode(const Command& c, std::uint8_t record_version = record_version_first);
/// Decodes a Raft entry. nullopt if the bytes hold no command that this version knows, or a record
/// of a version above `highest`. Total: any input is allowed.
std::optional<Command> decode_command(const Bytes& bytes,
                                      std::uint8_t highest = record_version_highest);

}  // namespace loglog::sequencer

// The cluster's metadata as a deterministic state machine: the same commands in the same order give
// the same bytes on every sequencer. It uses no clock and no randomness. machine_raft.cpp applies
// committed entries to it; the machine and LogTerm only read it.
#pragma once
#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "proto-spec/vocabulary/result.h"
#include "sequencer/core/commands.h"

namespace loglog::sequencer {

/// T6: entries in which the metadata remember the versions of deletions, by the hash of the name.
/// Names that share an entry cost their client a second question. Part of the replicated state.
inline constexpr std::size_t deletion_entries = 64;

/// The result of a command.
struct Applied {
  Error error;    ///< ok, or the reason why the command changed nothing
  LogId log{};    ///< the log of the command; for MakeLog the new id, for log_exists the existing
                  ///< log's id
  Term minted{};  ///< BeginTerm, AdmitDisk: the term's number
};

/// ClusterMetadata with its indexes and the rule of each command.
class MetadataState {
 public:
  /// `highest`: the highest version of records that this program reads (T7).
  explicit MetadataState(std::uint8_t highest = record_version_highest) : highest_(highest) {}

  /// Applies the command at Raft index `index`, which becomes the version. Indexes ascend. A
  /// refused command moves the version too, so the version is always the newest applied index.
  Applied apply(RaftIndex index, const Command& command);
  /// Applies an entry that holds no command: only the version moves.
  void skip(RaftIndex index) { state_.version = index; }

  const ClusterMetadata& state() const { return state_; }
  RaftIndex version() const { return state_.version; }
  /// T7: the cluster's version.
  std::uint8_t record_version() const {
    return std::max(record_version_first, state_.record_version);
  }
  /// nullptr: no such log. The pointer is valid until the next apply() or restore().
  const LogInfo* log(LogId id) const;
  /// The log of this name that is not being deleted; nullptr: none.
  const LogInfo* log(std::string_view name) const;
  /// nullptr: the node is not registered.
  const StorageInfo* node(NodeId id) const;
  /// The disk that the node is registered with; 0: not registered.
  DiskId disk_of(NodeId id) const;
  /// Bytes that all logs take in the metadata; at most metadata_bytes_max.
  std::size_t logs_bytes() const { return logs_bytes_; }
  /// Number of logs that the node is a member of.
  std::size_t logs_on(NodeId id) const;

  /// The encoded state, for a Raft snapshot; a record of the cluster's version.
  Bytes snapshot() const;
  /// Replaces the state. False, and unchanged, if this version does not understand the bytes.
  bool restore(const Bytes& snapshot);

 private:
  Applied on(RaftIndex, const BeginTerm&);
  Applied on(RaftIndex, const InitCluster&);
  Applied on(RaftIndex, const RegisterStorage&);
  Applied on(RaftIndex, const MakeLog&);
  Applied on(RaftIndex, const MarkOpen&);
  Applied on(RaftIndex, const MarkDeleting&);
  Applied on(RaftIndex, const FinishDelete&);
  Applied on(RaftIndex, const Trim&);
  Applied on(RaftIndex, const RaiseFence&);
  Applied on(RaftIndex, const ChangeRetention&);
  Applied on(RaftIndex, const AdmitDisk&);
  Applied on(RaftIndex, const SetMembers&);
  Applied on(RaftIndex, const MarkLost&);
  Applied on(RaftIndex, const RaiseVersion&);
  RaftIndex& deletion_of(const std::string& name);
  Result<Term> mint(Term floor);
  std::size_t bytes_of(const LogInfo& l) const;
  LogInfo* find(LogId id);
  void index_logs();
  void index_log(const LogInfo& l, std::size_t at);

  std::uint8_t highest_;
  ClusterMetadata state_;
  // For lookups only, never iterated, because their order differs between processes. Rebuilt from
  // state_.
  std::unordered_map<LogId, std::size_t> by_id_;
  std::unordered_map<std::string, LogId> by_name_;
  std::map<NodeId, std::size_t> logs_on_;
  std::size_t logs_bytes_ = 0;
};

/// C2: checks the options that a client asks for and replaces zeros by defaults: N = min(3,
/// `nodes`), W = majority, default segment size. `nodes`: the cluster's storage nodes, also those
/// that have not come yet. Fails with invalid_argument; the text names the value and the limit.
Result<LogOptions> effective_options(const std::string& name, LogOptions asked, std::size_t nodes);
/// R5: checks a retention. Whole segments are trimmed, so a retention below the segment size cannot
/// be kept. Fails with invalid_argument; the text names the value and the limit.
Result<void> check_retention(const Retention& asked, std::uint64_t segment_size);

}  // namespace loglog::sequencer

// The cluster's metadata as a deterministic state machine: the same commands in the same order give
// the same bytes on every sequencer. Clock-free, chance-free.
#pragma once
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "proto-spec/vocabulary/result.h"
#include "sequencer/core/commands.h"

namespace loglog::sequencer {

/// T6: versions of deletions that the metadata remember, by the hash of the name. Names that share
/// one cost their client a question.
inline constexpr std::size_t deletion_entries = 64;

/// What became of one command.
struct Applied {
  Error error;    ///< ok, or why it changed nothing
  LogId log{};    ///< the log it was about (the new one's id for MakeLog)
  Term minted{};  ///< BeginTerm, AdmitDisk: the number given
};

class MetadataState {
 public:
  /// Applies the command at `index`, which becomes the version. Indexes ascend. Every command moves
  /// the version, refused ones too.
  Applied apply(RaftIndex index, const Command& command);
  /// An entry that holds no command (an empty one): only the version moves.
  void skip(RaftIndex index) { state_.version = index; }

  const ClusterMetadata& state() const { return state_; }
  RaftIndex version() const { return state_.version; }
  /// nullptr: no such log. Valid until the next apply() or restore().
  const LogInfo* log(LogId id) const;
  /// By name among logs that are not being deleted; nullptr: none.
  const LogInfo* log(std::string_view name) const;
  /// nullptr: not registered.
  const StorageInfo* node(NodeId id) const;
  /// 0: not registered.
  DiskId disk_of(NodeId id) const;
  /// What its logs take, bytes; at most metadata_bytes_max.
  std::size_t logs_bytes() const { return logs_bytes_; }
  /// How many logs it is a member of.
  std::size_t logs_on(NodeId id) const;

  Bytes snapshot() const;
  /// False (and unchanged) when the bytes are no snapshot.
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
  RaftIndex& deletion_of(const std::string& name);
  Result<Term> mint(Term floor);
  LogInfo* find(LogId id);
  void index_logs();
  void index_log(const LogInfo& l, std::size_t at);

  ClusterMetadata state_;
  // Lookups only; never iterated. Rebuilt from state_.
  std::unordered_map<LogId, std::size_t> by_id_;
  std::unordered_map<std::string, LogId> by_name_;
  std::map<NodeId, std::size_t> logs_on_;
  std::size_t logs_bytes_ = 0;
};

/// T6: the request that this basis names was done before: it is what `last` was.
bool repeats(const Basis& basis, ChangeId last);

/// Checks what a client asks for and fills in what it left 0 (C2): N = min(3, registered), W =
/// majority, default segment size. invalid_argument or not_enough_nodes with the value and the
/// limit.
Result<LogOptions> effective_options(const std::string& name, LogOptions asked,
                                     std::size_t registered_nodes);
/// R5: whole segments go, so that fewer bytes than one segment holds cannot be promised.
/// invalid_argument with the value and the limit.
Result<void> check_retention(const Retention& asked, std::uint64_t segment_size);

}  // namespace loglog::sequencer

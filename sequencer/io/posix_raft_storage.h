// A sequencer's state directory on a POSIX file system: lock, identity, raft.log, snapshot, and a
// spare file of each of the last two.
#pragma once
#include <memory>
#include <string>

#include "proto-spec/disk/raft_log.h"
#include "proto-spec/disk/segment.h"
#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/output.h"
#include "sequencer/io/posix_replaced_file.h"

namespace loglog::sequencer {

/// Opened and loaded on one thread, then used by one thread at a time.
class RaftStorage {
 public:
  /// Takes the lock, makes a fresh directory, or loads. directory_in_use, directory_unreadable,
  /// newer_format, wrong_identity (another sequencer's or cluster's), raft_damaged (T4) otherwise.
  static Result<std::unique_ptr<RaftStorage>> open(const std::string& path, SequencerId id,
                                                   const std::string& cluster_name);
  ~RaftStorage();
  const RaftDisk& disk() const { return disk_; }
  /// What disk().lost_records means, for people; empty if nothing was lost.
  const std::string& loss() const { return loss_; }

  /// Blocks until durable. no_space: nothing has changed, and the same save may be tried again. Any
  /// other error is final: the process ends.
  Result<void> save(const SaveRaft& s);
  /// Brings the mark up to the log's end, when the log falls idle (spec/02 R2).
  Result<void> write_mark();
  bool mark_is_behind() const { return mark_.durable < end_ && !disk_.lost_records; }
  /// Asks the disk for the reserve that is lacking.
  void reserve_ahead();
  /// The disk gave less than the reserve when it was asked last.
  bool lacks_space() const { return refused_; }
  /// And less than half of the reserve is left.
  bool space_is_low() const { return refused_ && size_ - end_ < raft_reserve_bytes / 2; }

 private:
  explicit RaftStorage(const std::string& path)
      : path_(path), log_file_(path, "raft.log"), snapshot_file_(path, "snapshot") {}
  Result<void> check_identity(SequencerId id, const std::string& cluster_name);
  Result<void> load();
  Result<void> load_snapshot();
  Result<void> settle(const RaftLogEnd& end);
  Result<void> open_log();
  Result<void> rewrite(const RaftDisk& disk);
  Result<void> append(const std::string& records);
  Result<void> save_whole(const SaveRaft& s);

  std::string path_;
  ReplacedFile log_file_;
  ReplacedFile snapshot_file_;
  int lock_ = -1;
  int log_ = -1;
  std::uint64_t end_ = 0;   // of the records in raft.log
  std::uint64_t size_ = 0;  // of the file: what lies behind the records is reserved
  RaftMark mark_;
  bool refused_ = false;  // the disk gave no more space when it was asked last
  RaftDisk disk_;         // what is durable; needed when the log is written anew
  std::string loss_;
};

}  // namespace loglog::sequencer

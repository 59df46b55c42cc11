// A sequencer's state directory on a POSIX file system (spec/02 R1-R3): lock, identity, raft.log,
// snapshot, and a spare file of each of the last three. It stores and loads; the meaning of a save
// is in core/raft/raft_log.h. Used by the driver's saver thread.
#pragma once
#include <memory>
#include <string>

#include "proto-spec/disk/raft_log.h"
#include "proto-spec/disk/segment.h"
#include "proto-spec/files/posix_replaced_file.h"
#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/output.h"

namespace loglog::sequencer {

/// Opened and loaded by a thread, then used by a single thread at a time.
class RaftStorage {
 public:
  /// Takes the lock, and makes a fresh directory or loads an existing directory. Errors:
  /// directory_in_use, directory_unreadable, newer_format (T7 too), wrong_identity (another
  /// sequencer's), wrong_cluster, raft_damaged (T4).
  static Result<std::unique_ptr<RaftStorage>> open(const std::string& path, SequencerId id,
                                                   const std::string& cluster_name);
  ~RaftStorage();
  /// The durable state. Changes with each save.
  const RaftDisk& disk() const { return disk_; }
  /// The damage behind disk().lost_records, in a sentence for people; empty if nothing was lost.
  const std::string& loss() const { return loss_; }

  /// Performs the save and blocks until it is durable. no_space and too_many: nothing has changed,
  /// and the same save may be tried again. Every other error is final: the process ends (K2).
  Result<void> save(const SaveRaft& s);
  /// Moves the mark up to the log's end when the log falls idle (spec/02 R2).
  Result<void> write_mark();
  /// True if write_mark() would move the mark.
  bool mark_is_behind() const { return mark_.durable < end_ && !disk_.lost_records; }
  /// Asks the disk for the part of the reserve that is missing (spec/02 R3).
  void reserve_ahead();
  /// True if the disk gave less than the reserve when it was asked last.
  bool lacks_space() const { return refused_; }
  /// True if the disk gives no more and less than half of the reserve is left.
  bool space_is_low() const { return refused_ && size_ - end_ < raft_reserve_bytes / 2; }

 private:
  explicit RaftStorage(const std::string& path)
      : path_(path),
        identity_file_(path, "identity"),
        log_file_(path, "raft.log"),
        snapshot_file_(path, "snapshot") {}
  Result<void> check_identity(SequencerId id, const std::string& cluster_name);
  Result<void> name_version(std::uint8_t version);
  Result<void> load();
  Result<void> load_snapshot();
  Result<void> settle(const RaftLogEnd& end);
  Result<void> open_log();
  Result<void> rewrite(const RaftDisk& disk);
  Result<void> append(const std::string& records);
  Result<void> save_whole(const SaveRaft& s);

  std::string path_;
  files::ReplacedFile identity_file_;
  files::ReplacedFile log_file_;
  files::ReplacedFile snapshot_file_;
  int lock_ = -1;
  int log_ = -1;
  std::uint64_t end_ = 0;   // end of the records in raft.log; end_ <= size_
  std::uint64_t size_ = 0;  // size of the file: the bytes behind the records are reserved
  RaftMark mark_;
  bool refused_ = false;  // the disk refused space when it was asked last
  RaftDisk disk_;         // the durable state; needed when the log is written anew
  std::string loss_;
  Identity identity_;  // as it stands in the file
};

}  // namespace loglog::sequencer

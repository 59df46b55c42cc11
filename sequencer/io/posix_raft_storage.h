// A sequencer's state directory on a POSIX file system: lock, identity, raft.log, snapshot.
#pragma once
#include <memory>
#include <string>

#include "proto-spec/disk/segment.h"
#include "sequencer/core/output.h"

namespace loglog::sequencer {

/// Opened and loaded on one thread, then save() on one thread at a time.
class RaftStorage {
 public:
  /// Takes the lock, makes a fresh directory, or loads. directory_in_use, directory_unreadable, newer_format, wrong_identity
  /// (another sequencer's or cluster's), data_loss (T4) otherwise.
  static Result<std::unique_ptr<RaftStorage>> open(const std::string& path, SequencerId id, const std::string& cluster_name);
  ~RaftStorage();
  const RaftDisk& disk() const { return disk_; }
  /// Blocks until durable. An error is final: the process ends.
  Result<void> save(const SaveRaft& s);

 private:
  explicit RaftStorage(std::string path) : path_(std::move(path)) {}
  Result<void> check_identity(SequencerId id, const std::string& cluster_name);
  Result<void> load();
  Result<void> rewrite();
  Result<void> append(const std::string& records);

  std::string path_;
  int lock_ = -1;
  int log_ = -1;
  RaftDisk disk_;  // what is durable; needed when the log is written anew
};

}  // namespace loglog::sequencer

// A storage node's data directory on a POSIX file system: every disk operation, blocking; and what
// start() reads.
//
//   <data>/lock  identity  promise  metadata  tombstones  spare/<number>
//   <data>/logs/<log id>/info  promise  next  <first offset>.seg.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "storage-node/core/output.h"
#include "storage-node/core/startup_disk.h"
#include "storage-node/io/file_engine.h"
#include "storage-node/io/posix_direct_groups.h"
#include "storage-node/io/posix_spare_files.h"
#include "storage-node/io/recently_used.h"

namespace loglog::storage {

/// Thread-safe: strands of different logs and reads may run at once.
class SegmentDirectory final : public StartupDisk {
 public:
  /// Takes the lock. directory_in_use, directory_unreadable otherwise. `direct_io`: past the page
  /// cache where the file system can. `spare_bytes`: of files kept to be written again (K6).
  static Result<std::unique_ptr<SegmentDirectory>> open(const std::string& path,
                                                        bool direct_io = true,
                                                        std::uint64_t spare_bytes = 0);
  ~SegmentDirectory() override;

  /// K1: makes durable whatever a killed process left in the page cache, then lets go of the cached
  /// pages.
  Result<void> make_durable();

  /// Blocks until done.
  FileEngine::Outcome perform(const DiskOperation& op);

  /// A descriptor of a segment for an engine of its own; kept open. −1: there is none.
  std::shared_ptr<const int> descriptor(LogId log, Offset first);
  /// The group for an engine to write past the page cache; nullopt: through `descriptor`.
  std::optional<DirectGroup> direct(const WriteGroup& group);
  bool is_direct() const { return is_direct_; }
  /// As the file system says it now; size 0: it does not.
  DiskSpace space() const;

  /// StartupDisk.
  Result<std::vector<LogId>> logs() override;
  Result<LogFiles> files_of(LogId log) override;
  Result<std::vector<Offset>> segments_of(LogId log) override;
  Result<Bytes> read(LogId log, Offset first, std::uint64_t position,
                     std::uint32_t length) override;
  Result<std::uint64_t> file_size(LogId log, Offset first) override;
  Result<Bytes> file(const std::string& name) override;

 private:
  explicit SegmentDirectory(std::string path);
  Result<void> reserve_tombstones();
  std::string log_path(LogId log) const;
  std::string segment_path(LogId log, Offset first) const;
  void forget(LogId log, Offset first);
  void forget(LogId log);
  int direct_flag() const;
  struct Doer;

  std::string path_;
  std::map<LogId, std::vector<Offset>>
      listed_;  // what make_durable() saw, for the start that follows it
  int lock_ = -1;
  std::mutex mutex_;
  RecentlyUsed<std::pair<LogId, Offset>, std::shared_ptr<const int>> descriptors_;
  bool is_direct_ = false;
  DirectGroups direct_;
  std::unique_ptr<SpareFiles> spare_;
};

}  // namespace loglog::storage

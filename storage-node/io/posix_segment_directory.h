// A storage node's data directory on a POSIX file system. Performs every disk operation of
// output.h, blocking, and answers the questions of a start (StartupDisk). Engines call it, from
// threads or beside a ring. Knows formats only as far as file names and slots.
//
//   <data>/lock  identity  identity.spare  promise  metadata  tombstones  spare/<number>
//   <data>/logs/<log id>/info  promise  preparing  next  <first offset>.seg
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "proto-spec/files/posix_replaced_file.h"
#include "storage-node/core/output.h"
#include "storage-node/core/startup_disk.h"
#include "storage-node/io/file_engine.h"
#include "storage-node/io/posix_direct_groups.h"
#include "storage-node/io/posix_spare_files.h"
#include "storage-node/io/recently_used.h"

namespace loglog::storage {

/// Thread-safe: operations of different logs, and reads, may run at once. The driver runs
/// operations on the same strand one after the other.
class SegmentDirectory final : public StartupDisk {
 public:
  /// Creates the folders and takes the lock. Fails with directory_in_use or directory_unreadable.
  /// `direct_io`: write groups past the page cache if the file system allows it. `spare_bytes`:
  /// limit on files that are kept to be written again (K6).
  static Result<std::unique_ptr<SegmentDirectory>> open(const std::string& path,
                                                        bool direct_io = true,
                                                        std::uint64_t spare_bytes = 0);
  ~SegmentDirectory() override;

  /// K1: makes durable everything that a killed process may have left in the page cache, then drops
  /// those pages, so that the start reads the medium.
  Result<void> make_durable();

  /// Performs an operation, blocking. If space is short, gives up the spare files and tries once
  /// more (K5, K6).
  FileEngine::Outcome perform(const DiskOperation& op);

  /// A descriptor of a segment file, for an engine that writes by itself. The cache keeps it open.
  /// It is -1 if the file cannot be opened.
  std::shared_ptr<const int> descriptor(LogId log, Offset first);
  /// The group as whole blocks, for an engine to write past the page cache; nullopt: use
  /// `descriptor`.
  std::optional<DirectGroup> direct(const WriteGroup& group);
  /// True if groups are written past the page cache.
  bool is_direct() const { return is_direct_; }
  /// Free and total space of the file system; a size of 0: unknown.
  DiskSpace space() const;

  // StartupDisk.
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
  /// Closes descriptors, because the file or log is removed, renamed or cut.
  void forget(LogId log, Offset first);
  void forget(LogId log);
  int direct_flag() const;
  /// The disk operations, a function for each (in the .cpp file).
  struct Doer;

  std::string path_;
  /// Keeps the space for its next content, because commands wait for it when the cluster is raised
  /// (T7).
  files::ReplacedFile identity_;
  /// Segment lists that make_durable() has read, for the start that follows.
  std::map<LogId, std::vector<Offset>> listed_;
  /// Holds the flock; closed in the destructor.
  int lock_ = -1;
  /// Guards descriptors_.
  std::mutex mutex_;
  RecentlyUsed<std::pair<LogId, Offset>, std::shared_ptr<const int>> descriptors_;
  bool is_direct_ = false;
  DirectGroups direct_;
  std::unique_ptr<SpareFiles> spare_;
};

}  // namespace loglog::storage

// A storage node's disk in two layers: the page cache, which the process sees, and the medium,
// which survives a power cut. World's StorageProcess drives it like the production driver;
// weather.cpp damages it. Damage and loss never tell the process anything.
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto-spec/vocabulary/random.h"
#include "storage-node/core/output.h"
#include "storage-node/core/startup_disk.h"

namespace loglog::simulator {

/// A file in two layers. Writes change `seen`; `sync` makes them durable; `power_cut` keeps, loses
/// or tears each unsynced 512-byte sector by chance.
class SimulatedFile {
 public:
  std::vector<std::byte> seen;

  /// A changed size becomes durable with the next sync.
  void resize(std::size_t size) {
    seen.resize(size);
    resized_ = true;
  }
  void write(std::uint64_t at, ByteSpan data);
  void sync();
  /// fdatasync answers EIO: some sectors have reached the medium, and the kernel takes all pages
  /// for clean.
  void failed_sync(Random& random);
  /// Empties the page cache, so that `seen` is the content of the medium.
  void drop_cache() { seen = durable_; }
  ByteSpan medium() const { return durable_; }
  /// Loses the page cache. Returns how many sectors were lost.
  std::size_t power_cut(Random& random);
  /// A power cut inside a write: a few first bytes of each unsynced write reach the medium, the
  /// rest is lost.
  void tear(Random& random);

  /// Overwrites bytes in both layers, without a sync.
  void damage(std::uint64_t at, ByteSpan bytes);
  /// Reading that range fails until it is written again.
  void make_unreadable(std::uint64_t at, std::uint64_t length) {
    unreadable_.emplace_back(at, at + length);
  }
  bool readable(std::uint64_t at, std::uint64_t length) const;

 private:
  std::size_t keep_sectors(Random& random);
  std::vector<std::byte> durable_;
  /// Position, length of unsynced writes.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> dirty_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> unreadable_;  // from, to
  bool resized_ = false;
};

/// Silent damage to a segment file.
enum class Damage : std::uint8_t {
  bit_rot,      ///< a bit turns
  stale,        ///< sectors hold zeros, their content before the last write
  misdirected,  ///< the write of this range went elsewhere in the file
  truncated,    ///< the file ends early
  unreadable    ///< reads answer EIO
};

/// The part of its directory that a node has lost when it comes back.
enum class Loss : std::uint8_t {
  everything,
  identity,
  promise,
  files,  ///< the identity and the promise
  logs    ///< all logs' directories
};

/// A range of a segment file; `from` and `to` are file positions, header included.
struct Place {
  LogId log;
  Offset file;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

/// Implements the interface by which a node reads its directory at a start.
class SimulatedDisk final : public storage::StartupDisk {
 public:
  /// The files of a log.
  struct Log {
    Bytes info;
    SimulatedFile promise;
    std::vector<std::byte> next;  ///< the prepared next segment file; empty if there is none
    std::map<Offset, SimulatedFile> segments;
    /// Unlinked but the directory is not synced yet, so a power cut may bring them back.
    std::map<Offset, SimulatedFile> unlinked;
  };

  /// The driver's side of an operation, in two steps. `begin` puts it into the page cache; `finish`
  /// makes it durable and returns the answer.
  void begin(const storage::DiskOperation& op);
  storage::DiskDone finish(const storage::DiskRequest& request);
  /// The process died while this operation was under way; it may or may not have taken effect.
  void interrupted(const storage::DiskOperation& op, Random& random);

  /// Loses the page cache of all files. Returns the number of lost sectors.
  std::size_t power_cut(Random& random);
  /// The slot of the promise that was being written is torn.
  void tear_promise(Random& random) { promise_.tear(random); }
  /// A bit turns in the newest slot of the node's promise, if the other slot is good. Only while
  /// the process is down.
  void rot_promise(Random& random);
  /// K1, as the driver does it before a start: makes everything in the page cache durable and drops
  /// the cache. With `from_medium` false the cache stays (Bug::trusts_page_cache).
  void reopen(bool from_medium = true);
  /// While true, every operation that asks for space is refused.
  bool full = false;
  /// The full disk grants space that it does not have (Bug::promises_space).
  bool lies_about_space = false;
  /// fdatasync of a group does nothing (Bug::skips_sync).
  bool skips_sync = false;
  /// The next write or sync fails, unless that operation may fail anyway.
  enum class Failing : std::uint8_t { nothing, write, sync } fails_next = Failing::nothing;
  /// Leaves the files as a failed operation would leave them.
  void fail(const storage::DiskOperation& op, Random& random);
  /// Removes or spoils a part of the directory, or all of it.
  void lose(Loss what);
  /// Restores the identity and the promise from `before`.
  void put_back_files(const SimulatedDisk& before);
  /// True if the operation writes beyond the end of its file, where no space is reserved (K5).
  bool needs_space(const storage::DiskOperation& op) const;

  /// `place` must lie within an existing segment file.
  void damage(Damage kind, const Place& place, Random& random);
  /// Removes the log's segment files that begin below `first`.
  void lose_below(LogId log, Offset first);
  /// Removes the log's segment files that begin at `first` or above.
  void lose_from(LogId log, Offset first);

  const std::map<LogId, Log>& content() const { return logs_; }
  /// T7: the version of records that the identity names, and the highest version of a record here.
  std::uint8_t named_version() const;
  std::uint8_t highest_record() const;

  /// Counts down over the reads of the next start; the read that reaches 0 fails. 0: no read fails.
  int start_error_at = 0;
  /// That error looks like an absent file (Bug::hides_start_errors).
  bool hides_start_errors = false;

  // StartupDisk
  Result<std::vector<LogId>> logs() override;
  Result<LogFiles> files_of(LogId log) override;
  Result<std::vector<Offset>> segments_of(LogId log) override;
  Result<Bytes> read(LogId log, Offset first, std::uint64_t position,
                     std::uint32_t length) override;
  Result<std::uint64_t> file_size(LogId log, Offset first) override;
  Result<Bytes> file(const std::string& name) override;

 private:
  void apply_metadata(const storage::DiskOperation& op);
  void keep_spare(const SimulatedFile& file);
  template <class T>
  std::optional<Result<T>> start_error();

  std::map<LogId, Log> logs_;
  /// Files of trimmed segments, to be reused as next files (K6).
  std::deque<std::vector<std::byte>> spare_;
  SimulatedFile promise_;
  SimulatedFile tombstones_;
  std::map<std::string, Bytes> files_;
};

}  // namespace loglog::simulator

// A storage node's disk: what the process sees (page cache) and what survives a power cut are two
// layers.
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

/// One file in two layers. Writes change `seen`; sync() makes them durable; power_cut() keeps,
/// loses or tears each unsynced 512-byte sector by chance.
class SimulatedFile {
 public:
  std::vector<std::byte> seen;

  void resize(std::size_t size) {
    seen.resize(size);
    resized_ = true;
  }
  void write(std::uint64_t at, ByteSpan data);
  void sync();
  /// fdatasync answers EIO: some sectors reached the medium, and the kernel takes all for clean.
  void failed_sync(Random& random);
  /// The page cache is emptied: what is seen is what the medium holds.
  void drop_cache() { seen = durable_; }
  ByteSpan medium() const { return durable_; }
  /// Returns how many sectors were lost.
  std::size_t power_cut(Random& random);
  /// Of what is not synced, a few first bytes reach the medium; the rest of it is lost.
  void tear(Random& random);

  /// The medium has other bytes there from now on.
  void damage(std::uint64_t at, ByteSpan bytes);
  /// Reading there fails until it is written again.
  void make_unreadable(std::uint64_t at, std::uint64_t length) {
    unreadable_.emplace_back(at, at + length);
  }
  bool readable(std::uint64_t at, std::uint64_t length) const;

 private:
  std::size_t keep_sectors(Random& random);
  std::vector<std::byte> durable_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> dirty_;       // position, length
  std::vector<std::pair<std::uint64_t, std::uint64_t>> unreadable_;  // from, to
  bool resized_ = false;
};

/// Damage to one file of frames, as a disk does it without a word.
enum class Damage : std::uint8_t {
  bit_rot,      ///< a bit turns
  stale,        ///< sectors hold again what they held before the last write: zeros
  misdirected,  ///< what was written there went elsewhere in the file
  truncated,    ///< the file ends early
  unreadable    ///< EIO
};

/// What a node lost when it comes back.
enum class Loss : std::uint8_t {
  everything,
  identity,
  promise,
  files,  ///< the identity and the promise
  logs    ///< all logs' directories
};

/// A range of one segment file, in file positions.
struct Place {
  LogId log;
  Offset file;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

class SimulatedDisk final : public storage::StartupDisk {
 public:
  struct Log {
    Bytes info;
    SimulatedFile promise;
    std::vector<std::byte> next;  ///< the prepared file; empty: none
    std::map<Offset, SimulatedFile> segments;
    std::map<Offset, SimulatedFile> unlinked;  ///< gone, but the directory was not synced since: a
                                               ///< power cut may bring them back
  };

  // What the driver does. begin(): what reaches the page cache at once; finish(): durable, and the
  // answer.
  void begin(const storage::DiskOperation& op);
  storage::DiskDone finish(const storage::DiskRequest& request);
  /// The process died with this operation under way: it may or may not have taken effect.
  void interrupted(const storage::DiskOperation& op, Random& random);

  /// Page cache lost. Returns lost sectors.
  std::size_t power_cut(Random& random);
  /// The promise's slot that was being written is torn.
  void tear_promise(Random& random) { promise_.tear(random); }
  /// A bit turns in what was written last of the node's promise, if the other slot is good. Only
  /// while the process is down.
  void rot_promise(Random& random);
  /// K1 as the driver does it before start(): everything that is seen is made durable, and then
  /// read from the medium.
  void reopen(bool from_medium = true);
  /// While full, what asks for space gets none.
  bool full = false;
  /// A full disk that gives what it has not (Bug::promises_space).
  bool lies_about_space = false;
  /// fdatasync of a group does nothing (Bug::skips_sync).
  bool skips_sync = false;
  /// The next write or sync that may not fail does.
  enum class Failing : std::uint8_t { nothing, write, sync } fails_next = Failing::nothing;
  /// What an operation leaves behind that failed so.
  void fail(const storage::DiskOperation& op, Random& random);
  /// A file of its own gone or unreadable, or all of them.
  void lose(Loss what);
  /// The identity and the promise as `before` has them.
  void put_back_files(const SimulatedDisk& before);
  /// It writes past the end of its file.
  bool needs_space(const storage::DiskOperation& op) const;

  void damage(Damage kind, const Place& place, Random& random);
  /// The log's segment files that begin below are gone.
  void lose_below(LogId log, Offset first);
  /// And those that begin there or above.
  void lose_from(LogId log, Offset first);

  const std::map<LogId, Log>& content() const { return logs_; }

  /// Of the questions of the next start, this one ends with an error of the system; 0: none does.
  int start_error_at = 0;
  /// That error looks like a file that is not there (Bug::hides_start_errors).
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
  std::deque<std::vector<std::byte>>
      spare_;  ///< files of trimmed segments: the next ones are made of them (K6)
  SimulatedFile promise_;
  SimulatedFile tombstones_;
  std::map<std::string, Bytes> files_;
};

}  // namespace loglog::simulator

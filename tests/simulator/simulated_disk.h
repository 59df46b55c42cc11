// A storage node's disk: what the process sees (page cache) and what survives a power cut are two layers.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proto-spec/vocabulary/random.h"
#include "storage-node/core/output.h"

namespace loglog::simulator {

/// One file in two layers. Writes change `seen`; sync() makes them durable; power_cut() keeps, loses or tears
/// each unsynced 512-byte sector by chance.
class SimulatedFile {
 public:
  std::vector<std::byte> seen;

  void resize(std::size_t size) {
    seen.resize(size);
    resized_ = true;
  }
  void write(std::uint64_t at, ByteSpan data);
  void sync();
  /// Returns how many sectors were lost.
  std::size_t power_cut(Random& random);

 private:
  std::vector<std::byte> durable_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> dirty_;  // position, length
  bool resized_ = false;
};

class SimulatedDisk final : public storage::StartupDisk {
 public:
  struct Log {
    bool tombstone = false;
    Bytes info;
    SimulatedFile promise;
    std::uint64_t next_size = 0;  ///< the prepared file; 0: none
    std::map<Offset, SimulatedFile> segments;
  };

  // What the driver does. begin(): what reaches the page cache at once; finish(): durable, and the answer.
  void begin(const storage::DiskOperation& op);
  storage::DiskDone finish(const storage::DiskRequest& request);
  /// The process died with this operation under way: it may or may not have taken effect.
  void interrupted(const storage::DiskOperation& op, Random& random);

  /// Page cache lost. Returns lost sectors.
  std::size_t power_cut(Random& random);
  /// K1 as the driver does it before start(): everything that is seen is made durable.
  void sync_all();
  /// While full, what asks for space gets none.
  bool full = false;
  /// Everything gone: another disk in its place.
  void wipe();
  /// Flips a bit in a frame area below `limit` of some segment; false when there is nothing to rot.
  bool rot(Random& random);

  const std::map<LogId, Log>& content() const { return logs_; }

  // StartupDisk
  std::vector<LogFiles> logs() override;
  Result<Bytes> read(LogId log, Offset first, std::uint64_t position, std::uint32_t length) override;
  std::uint64_t file_size(LogId log, Offset first) override;
  Bytes file(const std::string& name) override;

 private:
  void apply_metadata(const storage::DiskOperation& op);

  std::map<LogId, Log> logs_;
  SimulatedFile promise_;
  std::map<std::string, Bytes> files_;
};

/// The log a disk operation belongs to (0: node-wide); operations of one log run one after the other.
LogId strand_of(const storage::DiskOperation& op);

}  // namespace loglog::simulator

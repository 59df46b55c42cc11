// Uploaded runs in memory, from their upload until they are durable in the log or expire (D6).
// Enforces the limits on staging memory; the caller has checked the frame images and the reference.
// Used by LogReplica for uploads and by OrderQueue for ordered runs.
#pragma once
#include <cstdint>
#include <list>
#include <map>
#include <tuple>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"
#include "storage-node/core/options.h"

namespace loglog::storage {

/// Memory that a staged run takes beside its block, in bytes, estimated: its reference, its age and
/// its entries in the maps. It counts against the limits, so that many tiny runs are limited too.
inline constexpr std::uint64_t staged_run_overhead = 448;

// A run that waits for its order, or for its group to become durable.
struct StagedRun {
  Reference run;
  /// Frame images. The node stamps them in place when it writes the run.
  Bytes frames;
  /// The run is ordered: it neither expires nor gives way (D6).
  bool pinned = false;
};

class Staging {
 public:
  /// The reason for which a run asks for memory; it selects the limits.
  enum class Claim : std::uint8_t {
    /// Ordered and missing here: no limit applies, so that a full memory cannot stop the log (D6).
    ordered,
    /// Limited by staging.bytes_per_producer_max and staging.bytes_max.
    upload,
    /// Limited by staging.bytes_unmatched_max and staging.bytes_max. The log may have to be copied,
    /// and then the run comes with the copy as well.
    upload_unmatched,
  };

  explicit Staging(const Options& o) : options_(o) {}

  /// Stages a run that find() does not know yet. Returns ok, or busy if a limit is reached. Copies
  /// bytes that are a small part of their block, otherwise keeps the block.
  Errc add(Time now, LogId log, const Reference& run, Bytes frames, Claim claim);
  /// The staged run, or null. The pointer is valid until the next change.
  StagedRun* find(LogId log, ProducerId producer, Sequence first);
  /// Removes a run or all runs of a log; unknown runs are ignored.
  void remove(LogId log, ProducerId producer, Sequence first);
  void remove_log(LogId log);
  /// Drops runs that nobody ordered within staging.run_expires, and returns their number.
  std::size_t expire(Time now);
  /// Earliest time at which expire() has something to do; never: nothing is staged.
  Time next_expiry() const { return ages_.empty() ? never : ages_.front().expires; }
  /// Memory that the runs keep: whole blocks, and staged_run_overhead for each run.
  std::uint64_t bytes() const { return bytes_; }
  std::size_t runs() const { return runs_.size(); }
  /// Number of runs that expired or gave way since the start.
  std::uint64_t dropped() const { return dropped_; }

 private:
  using Key = std::tuple<LogId, ProducerId, Sequence>;
  using ProducerKey = std::pair<LogId, ProducerId>;
  /// A run's place in the queue of expiry times.
  struct Age {
    Time expires;
    Key key;
  };
  struct Entry {
    StagedRun staged;
    std::list<Age>::iterator age;
    /// Bytes that the run counts with: its block and staged_run_overhead.
    std::uint64_t held = 0;
  };
  void give_way(Time now);
  /// Drops runs that are older than `age` and not pinned. A pinned run starts its time again.
  std::size_t drop_waiting_for(Duration age, Time now);
  void erase(std::map<Key, Entry>::iterator it);

  const Options& options_;
  std::map<Key, Entry> runs_;
  std::map<ProducerKey, std::uint64_t> per_producer_;
  /// One entry for each run, in order of expiry.
  std::list<Age> ages_;
  std::uint64_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
  /// give_way() does nothing before this time.
  Time gives_way_again_{};
};

}  // namespace loglog::storage

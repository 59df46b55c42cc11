// Uploaded runs in memory, until they are durable in the log or expire (D6).
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

/// What a staged run takes in memory beside its block, bytes, about: its reference, its age and its
/// place in the maps.
inline constexpr std::uint64_t staged_run_overhead = 448;

struct StagedRun {
  Reference run;
  Bytes frames;         ///< images; stamped in place when the run is written
  bool pinned = false;  ///< ordered: neither expires nor counts as evictable
};

class Staging {
 public:
  enum class Claim : std::uint8_t {
    ordered,           ///< and missing here: always taken
    upload,            ///< up to staging_bytes_per_producer_max
    upload_unmatched,  ///< up to staging_bytes_unmatched_max: the log may have to be copied, and
                       ///< the run would come with the copy as well
  };

  explicit Staging(const Options& o) : options_(o) {}

  /// The bytes are copied where they are a small part of their block. busy when a bound is reached.
  Errc add(Time now, LogId log, const Reference& run, Bytes frames, Claim claim);
  /// Null when there is none. Valid until the next change.
  StagedRun* find(LogId log, ProducerId producer, Sequence first);
  void remove(LogId log, ProducerId producer, Sequence first);
  void remove_log(LogId log);
  /// Drops runs that nobody ordered in time; returns how many.
  std::size_t expire(Time now);
  /// When expire() has something to do; never: nothing staged.
  Time next_expiry() const { return ages_.empty() ? never : ages_.front().expires; }
  /// Memory that the runs keep: whole blocks and staged_run_overhead each.
  std::uint64_t bytes() const { return bytes_; }
  std::size_t runs() const { return runs_.size(); }
  /// Runs that expired or gave way, since the start.
  std::uint64_t dropped() const { return dropped_; }

 private:
  using Key = std::tuple<LogId, ProducerId, Sequence>;
  using ProducerKey = std::pair<LogId, ProducerId>;
  struct Age {
    Time expires;
    Key key;
  };
  struct Entry {
    StagedRun staged;
    std::list<Age>::iterator age;
    std::uint64_t held = 0;
  };
  void give_way(Time now);
  /// Drops what has been here for `age` and is not pinned; what is pinned counts as new again.
  std::size_t drop_waiting_for(Duration age, Time now);
  void erase(std::map<Key, Entry>::iterator it);

  const Options& options_;
  std::map<Key, Entry> runs_;
  std::map<ProducerKey, std::uint64_t> per_producer_;
  std::list<Age> ages_;  // one for each run, by the time at which they expire
  std::uint64_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
  Time gives_way_again_{};
};

}  // namespace loglog::storage

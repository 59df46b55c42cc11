// Throughput and commit latency of the last five minutes, for the status page. Each sequencer takes
// readings of the counts that the leader tells, so a change of leader is a gap in the history, not
// its end. Pure; used by a single thread.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <span>

#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

/// The `q`-quantile (0 to 1), in microseconds, of the durations counted between two readings,
/// interpolated within a bucket. nullopt if nothing was counted. In the bucket without an upper
/// bound it is the bucket's lower bound.
std::optional<std::uint32_t> quantile_us(std::span<const LatencyBucket> before,
                                         std::span<const LatencyBucket> after, double q);

/// Keeps the newest `samples_max` samples.
class History {
 public:
  static constexpr Duration every = 2s;
  static constexpr std::size_t samples_max = 150;  // five minutes

  /// Rates from the reading before to the reading at `at_ms`. `known` is false if no leader
  /// answered, or if a different process answered: the counts of another process begin anew.
  struct Sample {
    std::uint64_t at_ms = 0;  ///< Unix time, milliseconds
    bool known = false;
    double appends_per_s = 0;
    double bytes_per_s = 0;
    std::optional<std::uint32_t> p50_us;  ///< nullopt: nothing was committed
    std::optional<std::uint32_t> p99_us;
  };

  /// Takes a reading at `now`; nullptr: no leader answered. Readings come in the order of time,
  /// each `every`.
  void add(Time now, std::uint64_t wall_ms, const Overview* leaders);
  const std::deque<Sample>& samples() const { return samples_; }

 private:
  // Counts of a process (`boot`) of sequencer `id`. Counts of different processes are not
  // comparable.
  struct Reading {
    Time at;
    SequencerId id;
    BootId boot;
    std::uint64_t appends;
    std::uint64_t bytes;
    std::vector<LatencyBucket> latency;
  };
  std::optional<Reading> last_;
  std::deque<Sample> samples_;
};

}  // namespace loglog::sequencer

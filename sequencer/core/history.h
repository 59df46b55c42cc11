// Throughput and commit latency over the last minutes, from the counts that the leader tells. Pure;
// one thread.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <span>

#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

/// The time in microseconds that a share `q` (0 to 1) of what was counted between two readings took
/// at most, interpolated inside a bucket; nullopt: nothing was counted. In the bucket without an
/// upper bound: its lower one.
std::optional<std::uint32_t> quantile_us(std::span<const LatencyBucket> before,
                                         std::span<const LatencyBucket> after, double q);

class History {
 public:
  static constexpr Duration every = 2s;
  static constexpr std::size_t samples_max = 150;  // five minutes

  /// From the reading before to the one at `at_ms`. Without `known` nothing was told, or who tells
  /// has changed: its counts begin anew.
  struct Sample {
    std::uint64_t at_ms = 0;  ///< Unix time, milliseconds
    bool known = false;
    double appends_per_s = 0;
    double bytes_per_s = 0;
    std::optional<std::uint32_t> p50_us;  ///< nullopt: nothing was committed
    std::optional<std::uint32_t> p99_us;
  };

  /// A reading at `now`; nullptr: the leader told nothing. Readings come in the order of time.
  void add(Time now, std::uint64_t wall_ms, const Overview* leaders);
  const std::deque<Sample>& samples() const { return samples_; }

 private:
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

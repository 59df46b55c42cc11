// Counts only grow within a process, so differences of two readings of the same process are rates.
#include "sequencer/core/history.h"

#include <utility>

namespace loglog::sequencer {

std::optional<std::uint32_t> quantile_us(std::span<const LatencyBucket> before,
                                         std::span<const LatencyBucket> after, double q) {
  if (before.size() != after.size()) return std::nullopt;  // the two readings use different buckets
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < after.size(); ++i) total += after[i].count - before[i].count;
  if (total == 0) return std::nullopt;
  const double wanted = q * static_cast<double>(total);
  double below = 0;
  std::uint32_t lower = 0;
  for (std::size_t i = 0; i < after.size(); ++i) {
    const auto here = static_cast<double>(after[i].count - before[i].count);
    const std::uint32_t upper = after[i].up_to_us;
    if (here > 0 && below + here >= wanted) {
      if (upper == 0xFFFF'FFFF) return lower;
      return lower + static_cast<std::uint32_t>((upper - lower) * (wanted - below) / here);
    }
    below += here;
    lower = upper;
  }
  return lower;
}

void History::add(Time now, std::uint64_t wall_ms, const Overview* leaders) {
  std::optional<Reading> reading;
  Sample s;
  s.at_ms = wall_ms;
  if (leaders != nullptr)
    reading = Reading{now,
                      leaders->id,
                      leaders->boot,
                      leaders->appends,
                      leaders->append_bytes,
                      leaders->commit_latency};
  // Another leader, or the same sequencer after a restart, counts from 0: no rate can be told.
  if (reading && last_ && reading->id == last_->id && reading->boot == last_->boot &&
      now > last_->at) {
    const double seconds = std::chrono::duration<double>(now - last_->at).count();
    s.known = true;
    s.appends_per_s = static_cast<double>(reading->appends - last_->appends) / seconds;
    s.bytes_per_s = static_cast<double>(reading->bytes - last_->bytes) / seconds;
    s.p50_us = quantile_us(last_->latency, reading->latency, 0.5);
    s.p99_us = quantile_us(last_->latency, reading->latency, 0.99);
  }
  last_ = std::move(reading);
  samples_.push_back(s);
  if (samples_.size() > samples_max) samples_.pop_front();
}

}  // namespace loglog::sequencer

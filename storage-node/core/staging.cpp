// Limits and ages of staged runs. ages_ is ordered by expiry because all runs live equally long and
// a pinned run goes to the end.
#include "storage-node/core/staging.h"

#include <algorithm>

#include "proto-spec/vocabulary/check.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {
namespace {
/// Runs give way at most this often, because each attempt looks at the oldest runs.
constexpr Duration give_way_pause = 100ms;
}  // namespace

Errc Staging::add(Time now, LogId log, const Reference& run, Bytes frames, Claim claim) {
  frames = frames.to_keep();
  const std::uint64_t size = frames.held() + staged_run_overhead;
  const auto of_producer = per_producer_.find({log, run.producer});
  const std::uint64_t producer_bytes = of_producer == per_producer_.end() ? 0 : of_producer->second;
  // Ordered runs are exempt from all limits (D6).
  if (claim != Claim::ordered) {
    const bool unmatched = claim == Claim::upload_unmatched;
    if (producer_bytes + size > (unmatched ? options_.staging.bytes_unmatched_max
                                           : options_.staging.bytes_per_producer_max))
      return Errc::busy;
    if (bytes_ + size > options_.staging.bytes_max) give_way(now);
    if (bytes_ + size > options_.staging.bytes_max) return Errc::busy;
  }
  const Key key{log, run.producer, run.first};
  const auto age = ages_.insert(ages_.end(), {now + options_.staging.run_expires, key});
  const bool added =
      runs_.try_emplace(key, Entry{{run, std::move(frames), claim == Claim::ordered}, age, size})
          .second;
  check(added, "a run is staged twice");
  bytes_ += size;
  per_producer_[{log, run.producer}] += size;
  return Errc::ok;
}

StagedRun* Staging::find(LogId log, ProducerId producer, Sequence first) {
  const auto it = runs_.find({log, producer, first});
  return it == runs_.end() ? nullptr : &it->second.staged;
}

void Staging::remove(LogId log, ProducerId producer, Sequence first) {
  if (const auto it = runs_.find({log, producer, first}); it != runs_.end()) erase(it);
}

void Staging::remove_log(LogId log) {
  for (auto it = runs_.lower_bound({log, ProducerId{}, Sequence{}});
       it != runs_.end() && std::get<0>(it->first) == log;)
    erase(it++);
}

/// Runs that only some replicas have accepted can wait for room on the other replicas, whose memory
/// is full of runs that wait for room here. Without give_way() all of them would wait until they
/// expire. A run that has waited for staging.run_gives_way is dropped. If it is ordered after all,
/// its client uploads it again.
void Staging::give_way(Time now) {
  if (now < gives_way_again_) return;
  gives_way_again_ = now + give_way_pause;
  drop_waiting_for(options_.staging.run_gives_way, now);
}

std::size_t Staging::expire(Time now) {
  return drop_waiting_for(options_.staging.run_expires, now);
}

std::size_t Staging::drop_waiting_for(Duration age, Time now) {
  // Each age has the full lifetime in it, so a run is older than `age` if it expires by this time.
  const Time expires = now - age + options_.staging.run_expires;
  std::size_t dropped = 0;
  while (!ages_.empty() && ages_.front().expires <= expires) {
    const auto it = runs_.find(ages_.front().key);
    check(it != runs_.end(), "a run that is not staged has an age");
    if (!rules::may_expire(it->second.staged.pinned)) {
      ages_.front().expires = now + options_.staging.run_expires;
      ages_.splice(ages_.end(), ages_, ages_.begin());
      continue;
    }
    erase(it);
    ++dropped;
  }
  dropped_ += dropped;
  return dropped;
}

void Staging::erase(std::map<Key, Entry>::iterator it) {
  const std::uint64_t size = it->second.held;
  const auto producer = per_producer_.find({std::get<0>(it->first), std::get<1>(it->first)});
  check(producer != per_producer_.end() && producer->second >= size && bytes_ >= size,
        "staging bytes are miscounted");
  producer->second -= size;
  if (producer->second == 0) per_producer_.erase(producer);
  bytes_ -= size;
  ages_.erase(it->second.age);
  runs_.erase(it);
}

}  // namespace loglog::storage

// A rate comes from two windows, the running window and the window before, so a producer takes
// constant memory.
#include "sequencer/core/writers.h"

#include <algorithm>
#include <tuple>

namespace loglog::sequencer {
namespace {

/// Span that a rate covers.
constexpr Duration window = 8s;
constexpr std::uint64_t window_ms = window / 1ms;

}  // namespace

/// Moves the windows on. After a pause of two windows, nothing of the window before counts.
void Writers::Known::turn(Time t) {
  if (t < since + window) return;
  before = t < since + 2 * window ? now : Count{};
  now = {};
  since = t < since + 2 * window ? since + window : t;
}

void Writers::committed(Time now, ProducerId producer, LogId log, ConnectionId connection,
                        std::uint64_t entries, std::uint64_t bytes) {
  auto k = known_.find(producer);
  if (k == known_.end()) {
    // The table is full: producers that were idle for two windows make room, at most once a window,
    // so that a flood of producers does not sweep the table each time.
    if (known_.size() >= writers_max && now >= swept_ + window) {
      swept_ = now;
      std::erase_if(known_,
                    [now](const auto& other) { return now >= other.second.since + 2 * window; });
    }
    if (known_.size() >= writers_max) return;
    k = known_.emplace(producer, Known{log, connection, {}, now, {}, {}}).first;
  }
  Known& w = k->second;
  w.connection = connection;
  w.turn(now);
  for (Count* c : {&w.all, &w.now}) {
    c->entries += entries;
    c->bytes += bytes;
  }
}

void Writers::disconnected(ConnectionId connection) {
  std::erase_if(known_, [connection](const auto& k) { return k.second.connection == connection; });
}

/// Counts of the last `window`. Of the window before, the share counts that is still covered, as if
/// its entries had come evenly.
Writers::Count Writers::last_window(const Known& k, Time now) {
  Known w = k;
  w.turn(now);
  const auto covered =
      window_ms -
      std::min<std::uint64_t>(window_ms, static_cast<std::uint64_t>((now - w.since) / 1ms));
  return {w.now.entries + w.before.entries * covered / window_ms,
          w.now.bytes + w.before.bytes * covered / window_ms};
}

std::vector<Writers::Writer> Writers::busiest(Time now, std::size_t most) const {
  std::vector<Writer> out;
  out.reserve(known_.size());
  for (const auto& [producer, k] : known_) {
    const Count c = last_window(k, now);
    out.push_back({producer, k.log, k.connection, k.all.entries, k.all.bytes,
                   c.entries * 1'000'000 / window_ms, c.bytes * 1000 / window_ms});
  }
  const auto order = [](const Writer& w) {
    return std::tuple(~w.bytes_per_s, ~w.bytes, w.producer);
  };
  const auto shown = static_cast<std::ptrdiff_t>(std::min(most, out.size()));
  std::ranges::partial_sort(out, out.begin() + shown, {}, order);
  out.resize(static_cast<std::size_t>(shown));
  return out;
}

}  // namespace loglog::sequencer

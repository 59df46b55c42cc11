// Producers that write: committed entries and bytes of each, and its connection. The leader fills
// it in LogHost::written(); the status page shows it. No rule reads it.
#pragma once
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/vocabulary/time.h"

namespace loglog::sequencer {

/// Not thread-safe. Keeps at most writers_max producers, so a larger cluster is shown in part.
class Writers {
 public:
  struct Writer {
    ProducerId producer;
    LogId log;
    ConnectionId connection;
    std::uint64_t entries = 0, bytes = 0;  ///< since this leader knows the producer
    // Rates over the last eight seconds; entries in thousandths, so that slow producers do not show
    // 0.
    std::uint64_t milli_entries_per_s = 0, bytes_per_s = 0;
  };

  /// Counts a committed run of `entries` entries and `bytes` bytes of frames.
  void committed(Time now, ProducerId producer, LogId log, ConnectionId connection,
                 std::uint64_t entries, std::uint64_t bytes);
  /// The connection is closed: its producers are shown no more.
  void disconnected(ConnectionId connection);
  void clear() { known_.clear(); }
  std::size_t size() const { return known_.size(); }
  /// At most `most` producers, in descending order of bytes a second.
  std::vector<Writer> busiest(Time now, std::size_t most) const;

 private:
  struct Count {
    std::uint64_t entries = 0, bytes = 0;
  };
  struct Known {
    LogId log;
    ConnectionId connection;
    Count all;
    // `now` counts the window that began at `since`; `before` counts the window ahead of it.
    Time since{};
    Count now, before;
    // Moves on to the window that holds `t`.
    void turn(Time t);
  };
  static Count last_window(const Known& k, Time now);

  std::unordered_map<ProducerId, Known> known_;
  Time swept_{};  // when idle producers last made room
};

}  // namespace loglog::sequencer

// Who writes: what was committed of each producer, and over which connection. For people; nothing
// is decided by it.
#pragma once
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/vocabulary/time.h"

namespace loglog::sequencer {

/// Not thread-safe. Keeps at most writers_max producers, so a cluster with more shows some of them.
class Writers {
 public:
  struct Writer {
    ProducerId producer;
    LogId log;
    ConnectionId connection;
    std::uint64_t entries = 0, bytes = 0;  ///< since it is known here
    std::uint64_t milli_entries_per_s = 0, bytes_per_s = 0;
  };

  /// A run of `entries` entries and `bytes` bytes of frames is committed.
  void committed(Time now, ProducerId producer, LogId log, ConnectionId connection,
                 std::uint64_t entries, std::uint64_t bytes);
  void disconnected(ConnectionId connection);
  void clear() { known_.clear(); }
  std::size_t size() const { return known_.size(); }
  /// At most `most`, those with the most bytes a second first.
  std::vector<Writer> busiest(Time now, std::size_t most) const;

 private:
  struct Count {
    std::uint64_t entries = 0, bytes = 0;
  };
  struct Known {
    LogId log;
    ConnectionId connection;
    Count all;
    // Of the window that runs, and of the one before it.
    Time since{};
    Count now, before;
    void turn(Time t);
  };
  static Count last_window(const Known& k, Time now);

  std::unordered_map<ProducerId, Known> known_;
  Time swept_{};  // those that are idle made room
};

}  // namespace loglog::sequencer

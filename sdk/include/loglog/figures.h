// A client's counts of its work. Part of <loglog/client.h>.
#pragma once
#include <chrono>
#include <cstdint>
#include <vector>

namespace loglog {

/// Counts of a client since it was made. Counts only grow. Bytes are bytes of payloads, except for
/// bytes_in_flight.
struct ClientFigures {
  /// Histogram of the durations of calls.
  struct Latency {
    /// The calls whose duration lies between two bounds.
    struct Bucket {
      /// Upper bound, inclusive; the previous bucket's bound is the lower bound. The last bucket
      /// has max().
      std::chrono::microseconds at_most{};
      std::uint64_t count = 0;  ///< calls
    };
    std::vector<Bucket> buckets;      ///< by ascending bounds
    std::chrono::microseconds sum{};  ///< of the durations of all calls
    std::uint64_t count() const;      ///< calls in all buckets
    /// The bound of the bucket that holds the quantile: `share` of the calls (0.99: 99 of 100) took
    /// at most this long; max() if that is the last bucket. `share` is cut to 0 to 1. 0: there were
    /// no calls.
    std::chrono::microseconds quantile(double share) const;
  };

  std::uint64_t appends_committed = 0;  ///< appends that ended as AppendResult::Outcome::committed
  std::uint64_t appends_refused = 0;    ///< appends that ended as refused
  std::uint64_t appends_unknown = 0;    ///< appends that ended as unknown
  std::uint64_t appended_bytes = 0;     ///< of committed appends
  /// Of committed appends, from the call to the outcome. Each entry of a run counts as long as the
  /// oldest entry of that run.
  Latency append_latency;
  /// Current, not a count: bytes of frames of unfinished appends, and of committed runs that are
  /// kept for slow replicas.
  std::uint64_t bytes_in_flight = 0;
  std::uint64_t uploads = 0;           ///< runs sent, counted once for each replica
  std::uint64_t uploads_refused = 0;   ///< by replicas that were busy or full; sent again later
  std::uint64_t commits = 0;           ///< references of runs sent to a leader
  std::uint64_t commits_repeated = 0;  ///< because no answer came, or the leader changed
  std::uint64_t resolutions = 0;   ///< reads of a log for unfinished appends of an old term (A3)
  std::uint64_t reads = 0;         ///< calls of read(), and reads inside other calls
  std::uint64_t read_entries = 0;  ///< entries that reads returned
  std::uint64_t read_bytes = 0;    ///< bytes that reads returned
  std::uint64_t followed_entries = 0;  ///< entries that arrived for followers
  std::uint64_t followed_bytes = 0;    ///< bytes that arrived for followers
  /// Pages with a checksum mismatch. Each was reported to its node and read from another replica.
  std::uint64_t corrupt_pages = 0;
  std::uint64_t connections = 0;         ///< established, including reconnections
  std::uint64_t reconnections = 0;       ///< established to a node that was connected before
  std::uint64_t connections_failed = 0;  ///< attempts that failed
};

}  // namespace loglog

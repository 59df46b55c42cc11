// Effective configuration of a storage node's core, with defaults. The core takes it as given: app/
// parses and validates the options of the command line, and README.md explains those that an
// operator may set. Sizes are in bytes. Limits of the whole system are in vocabulary/limits.h;
// spec/09 lists both.
#pragma once
#include <cstdint>
#include <string>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"

namespace loglog::storage {

/// Limits on uploaded runs that are not durable yet, and their ages (Staging). A run that the
/// leader has ordered and that is missing here is accepted beyond every limit (D6).
struct StagingLimits {
  /// For the node, and for one producer of one log. Both must exceed run_size_max, otherwise the
  /// largest run is never accepted.
  std::uint64_t bytes_max = 256u << 20;
  std::uint64_t bytes_per_producer_max = 64u << 20;
  /// The limit for one producer of one log while the log is not matched. It is lower because the
  /// log may have to be copied from a peer, and its runs come with the copy.
  std::uint64_t bytes_unmatched_max = 16u << 20;
  /// Age at which a staged run that nobody ordered is dropped.
  Duration run_expires = 30s;
  /// Age at which a staged run that nobody ordered is dropped when another upload finds no room
  /// (D6).
  Duration run_gives_way = 1s;
};

/// Limits on bytes asked of peers and not received, and how long a peer may be silent (P1;
/// Transfers).
struct AskedLimits {
  /// Of one peer, and of all peers. `bulk` is the part for bytes that are committed already. A run
  /// above a limit is asked for alone. Copies start with the small limit, because acknowledgements
  /// of appends wait behind copied bytes on the peer's link: 256 KiB take 2 ms at 1 Gbit/s. The
  /// limit rises up to the large value as long as answers do not get slower (Transfers::adapt), so
  /// that a link of high delay is filled too.
  std::uint64_t bytes_per_peer_max = 8u << 20;
  std::uint64_t bulk_bytes_per_peer_min = 256u << 10;
  std::uint64_t bulk_bytes_per_peer_max = 1u << 20;
  std::uint64_t bytes_max = 16u << 20;
  std::uint64_t bulk_bytes_max = 4u << 20;
  /// How long a peer may send nothing before it counts as silent and another peer is asked. Bytes
  /// that are in flight extend the time in proportion. The shorter value is for runs that an append
  /// may wait for, the longer value for everything that is committed already.
  Duration silence_append = 500ms;
  Duration silence_bulk = 2s;
};

/// Limits on runs that peers are asked for or gave and that are not written yet, over all logs.
struct FetchedLimits {
  /// For runs behind a missing run, and for a log's first missing run.
  std::uint64_t ahead_bytes_max = 8u << 20;
  std::uint64_t bytes_max = 32u << 20;
};

/// Limits on bytes that peers have asked of this node and have not received (P2; Giving). A
/// question beyond a limit is refused with too_many, and the peer repeats it.
struct GivenLimits {
  /// For one peer, and for all. A peer has at most its limit of asked bytes plus one largest run
  /// under way, and the first limit lies above that sum.
  std::uint64_t bytes_per_peer_max = 40u << 20;
  std::uint64_t bytes_max = 64u << 20;
};

/// Memory for recently written bytes that are kept for tailing readers.
struct TailCacheLimits {
  /// For one log, and for all logs of the node.
  std::uint64_t bytes_per_log_max = 8u << 20;
  std::uint64_t bytes_max = 64u << 20;
  /// How long the bytes of a log stay to which nothing is written.
  Duration unused_max = 30s;
};

struct Options {
  NodeId id{};
  std::string cluster_name;
  StagingLimits staging;
  AskedLimits asked;
  FetchedLimits fetched;
  GivenLimits given;
  TailCacheLimits tail_cache;
  /// Check payload checksums of uploads on arrival. Readers check them in any case.
  bool verify_uploads = true;
  /// How long an ordered run that is missing may still arrive from the client before a peer is
  /// asked.
  Duration fetch_wait = 3ms;
  /// Interval between pings to each storage node that shares a log with this node (peer_reach.h).
  Duration peer_ping_every = 5s;
  /// Pause after a round of peers without the run: the node reports Missing and starts over.
  Duration missing_repeat = 1s;
  /// Pause after a round of peers of which none gave bytes to copy.
  Duration copy_repeat = 200ms;
  /// Pause between the last group and the write that brings the marks up to date (K3).
  Duration idle_marks_after = 20ms;
  /// Limit on pages that are read for readers or queued to them, over all connections (W8).
  std::uint64_t pages_in_flight_max = 128u << 20;
  /// A group that has reached this size takes no further run.
  std::uint64_t group_bytes_max = 2u << 20;
  /// Initial space of a log's file while nothing says that the log will be written soon.
  std::uint64_t idle_file_bytes = 16u << 10;
  /// Pause that a Busy answer asks the client for.
  std::uint32_t busy_retry_after_ms = 20;
  /// Bytes that one Copy asks for.
  std::uint32_t copy_bytes = 128u << 10;
  /// After begin_stop(): how long the node may take to write the runs that it was ordered.
  Duration stop_max = 2s;
  /// Limit on ordered items that wait in one log. The leader's window stays well below it.
  std::size_t orders_waiting_max = 1u << 17;
  /// T7: records of later versions are not read. Programs differ in it, so it is no option of a
  /// user.
  std::uint8_t record_version_highest = loglog::record_version_highest;
};

}  // namespace loglog::storage

// The counts of a client. The parts of the core collect them in ClusterView::figures();
// sdk/api/figures.cpp shows them to the application.
#pragma once
#include <cstdint>

#include "proto-spec/observe/histogram.h"

namespace loglog::client {

/// Counts since the client was made. Bytes are bytes of payloads.
struct Figures {
  std::uint64_t appends_committed = 0, appends_refused = 0, appends_unknown = 0;
  std::uint64_t appended_bytes = 0;  ///< of committed appends
  /// Of committed appends, microseconds. Each entry of a run counts as long as its oldest entry.
  observe::LatencyHistogram append_latency;
  /// Runs, counted once for each replica that they were sent to; uploads answered with Busy.
  std::uint64_t uploads = 0, uploads_refused = 0;
  std::uint64_t commits = 0, commits_repeated = 0;
  std::uint64_t resolutions = 0;  ///< times that a log was read to resolve appends (A3)
  std::uint64_t reads = 0, read_entries = 0, read_bytes = 0;
  std::uint64_t followed_entries = 0, followed_bytes = 0;
  std::uint64_t corrupt_pages = 0;  ///< reports of bytes that do not verify, sent to their nodes
  std::uint64_t connections = 0, reconnections = 0, connections_failed = 0;
};

}  // namespace loglog::client

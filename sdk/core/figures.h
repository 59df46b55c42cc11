// What a client counts.
#pragma once
#include <cstdint>

#include "proto-spec/observe/histogram.h"

namespace loglog::client {

/// Since the client was made. Bytes are those of payloads.
struct Figures {
  std::uint64_t appends_committed = 0, appends_refused = 0, appends_unknown = 0;
  std::uint64_t appended_bytes = 0;  ///< committed
  observe::LatencyHistogram
      append_latency;  ///< of committed appends; each counts as long as the oldest one of its run
  std::uint64_t uploads = 0,
                uploads_refused = 0;  ///< runs sent to one replica each; answered with Busy
  std::uint64_t commits = 0, commits_repeated = 0;
  std::uint64_t resolutions = 0;  ///< A3: the log was read to find out what became of appends
  std::uint64_t reads = 0, read_entries = 0, read_bytes = 0;
  std::uint64_t followed_entries = 0, followed_bytes = 0;
  std::uint64_t corrupt_pages = 0;  ///< found out by their checksums, and told to the node
  std::uint64_t connections = 0, reconnections = 0, connections_failed = 0;
};

}  // namespace loglog::client

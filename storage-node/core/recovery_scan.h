// What a log's segment files say at start (K1, K3): only the last segment is read, and the starts
// of terms.
#pragma once
#include <vector>

#include "storage-node/core/log_tail.h"
#include "storage-node/core/segment_map.h"
#include "storage-node/core/startup_disk.h"

namespace loglog::storage {

struct RecoveredLog {
  SegmentMap segments;
  Tail tail;
  std::vector<TermStart> terms;
  Offset committed{};
  std::uint64_t marks_counter = 0;
  Offset remains = no_offset;        ///< the lowest file, where none has a frame
  std::uint64_t open_file_size = 0;  ///< of the last segment's file
  Offset mark_durable{};             ///< the newest mark: what was surely durable here
  bool suspect = false;              ///< K3: bad bytes below the mark
  bool dirty_tail =
      false;  ///< torn bytes or files lie past the tail; the leader's cut removes them
};

/// Blocking reads from the medium. Never shortens anything (K3). An error that is no damage to the
/// medium is returned (K7).
Result<RecoveredLog> recover_log(StartupDisk& disk, LogId log, std::vector<Offset> segments);

}  // namespace loglog::storage

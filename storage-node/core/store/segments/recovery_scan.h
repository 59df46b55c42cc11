// Reads the state of a log from its segment files at a start (K1, K3): the tail, the marks, and the
// list of terms. Only the last file with frames is read in full; of older files only the first
// frames of terms are read. Called by LogTable::start().
#pragma once
#include <vector>

#include "storage-node/core/log_tail.h"
#include "storage-node/core/startup_disk.h"
#include "storage-node/core/store/segments/segment_map.h"

namespace loglog::storage {

// The result, which LogReplica::recovered() takes.
struct RecoveredLog {
  SegmentMap segments;
  Tail tail;
  std::vector<TermStart> terms;
  /// The committed offset in the newest marks. It may lie above the tail.
  Offset committed{};
  /// The counter of the newest marks slot, so that the next write takes the other slot.
  std::uint64_t marks_counter = 0;
  /// The lowest file, if no file has a good frame. It is kept for its marks (K3).
  Offset remains = no_offset;
  /// Size in bytes of the last segment's file.
  std::uint64_t open_file_size = 0;
  /// The newest durable mark: bytes below it were durable here and may have been acknowledged.
  Offset mark_durable{};
  /// K3: bytes below the mark are bad or missing.
  bool suspect = false;
  /// Bytes or files that are no part of the log lie after the tail. The leader's cut removes them.
  bool dirty_tail = false;
};

/// Scans a log's files, with blocking reads from the medium. Changes nothing on disk, because only
/// a reconcile shortens a log (K3). Returns an error only if the start must end (K7); damage is a
/// result.
Result<RecoveredLog> recover_log(StartupDisk& disk, LogId log, std::vector<Offset> segments);

}  // namespace loglog::storage

// A sequencer's state directory as the simulator keeps it: only what is durable.
#pragma once
#include "sequencer/core/output.h"
#include "sequencer/core/raft/raft_log.h"

namespace loglog::simulator {

/// What a completed save leaves on the disk.
inline void apply(sequencer::RaftDisk& disk, const sequencer::SaveRaft& save) {
  if (save.has_snapshot) {
    disk.snapshot = save.snapshot;
    disk.snapshot_index = save.snapshot_index;
    disk.snapshot_term = save.snapshot_term;
    sequencer::raft::follow_snapshot(disk);
  }
  if (save.hard_state) disk.hard_state = *save.hard_state;
  if (save.truncate_from != RaftIndex{}) std::erase_if(disk.entries, [&](const RaftEntry& e) { return e.index >= save.truncate_from; });
  disk.entries.insert(disk.entries.end(), save.entries.begin(), save.entries.end());
}

}  // namespace loglog::simulator

// Targeted faults among the sequencers: histories in which a rule of Raft (C3) is what keeps the
// metadata, or the leader.
#pragma once
#include <string>

#include "tests/simulator/world.h"

namespace loglog::simulator {

/// come_back   a follower is cut off from the other sequencers and comes back: the leader that the
/// rest follows still leads.
///             Judges only where nothing else has befallen a sequencer meanwhile
/// old_entry   an entry that only its leader has; a leader of a newer term that dies with one that
/// only it has; then the first
///             one again, which dies while its own term's entry is being saved, and after it the
///             second one
///
/// False: nothing could be done now, or it is none of these.
bool inject_in_raft(World& world, Random& random, const std::string& kind);

}  // namespace loglog::simulator

// Targeted faults among the sequencers: histories in which only a Raft rule (C3) saves the metadata
// or the leader. targeted_faults.cpp calls them by name.
#pragma once
#include <string>

#include "tests/simulator/world.h"

namespace loglog::simulator {

/// `kind` names a history:
/// - `come_back`: a follower is cut off from the other sequencers and comes back. The leader that
/// the rest follows must still lead. This is judged only if no other fault has met a sequencer
/// meanwhile
/// - `old_entry`: the first leader has an entry that no other sequencer has, and dies. A leader of
/// a newer term dies with an entry of its own. The first leads again and dies while it saves its
/// new term's entry; then the second leads again
///
/// Returns false if the history cannot begin now, or if `kind` is another word.
bool inject_in_raft(World& world, Random& random, const std::string& kind);

}  // namespace loglog::simulator

// Targeted faults that react to an action of a storage node or a leader, so that they strike at the
// moment in which a rule counts. targeted_faults.cpp calls them by name.
#pragma once
#include <string>

#include "tests/simulator/world.h"

namespace loglog::simulator {

/// `kind` names a history:
/// - `torn_promise`: the leader dies, and a node loses power while it saves the promise to the next
/// leader, so the slot is torn
/// - `lost_tail`: the leader's orders reach a single replica, which acknowledges them, loses them
/// and says so. Then another replica gets them and is late for the next seal
/// - `found_loss`: the leader's orders reach two replicas. The leader hears that either has lost
/// them and dies, and the other is late for the next seal (T4: the loss lasts)
/// - `base_dies`: the leader's orders reach a single replica. The next leader chooses it as the
/// base, and then it dies, for good if the plan leaves a node down
/// - `lost_witness`: of the two replicas that have the leader's orders, the first loses its logs
/// and the second is late for the next seal
///
/// Returns false if the history cannot begin now, or if `kind` is another word.
bool inject_reacting(World& world, Random& random, const std::string& kind);

}  // namespace loglog::simulator

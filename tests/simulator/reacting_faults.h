// Targeted faults that react to what a storage node or a leader does: they strike in the very
// moment in which a rule counts.
#pragma once
#include <string>

#include "tests/simulator/world.h"

namespace loglog::simulator {

/// torn_promise  the leader goes, and a node loses its power while it saves the promise to the next
/// one: the slot is torn lost_tail     what the leader orders reaches one replica, which loses it
/// again after its acknowledgement and says so; then
///               another replica gets it, and it is that one which is late for the next seal
/// found_loss    what the leader orders reaches two replicas; the leader hears that one of them has
/// lost it, and dies, and the other
///               one is late for the next seal (T4: the loss lasts)
/// base_dies     what the leader orders reaches one replica; the next leader chooses it as the
/// base, and then it goes: for good
///               where the plan leaves a node down
/// lost_witness  of the two replicas that have what the leader ordered one loses its logs, and the
/// other is late for the next seal
///
/// False: nothing could be done now, or it is none of these.
bool inject_reacting(World& world, Random& random, const std::string& kind);

}  // namespace loglog::simulator

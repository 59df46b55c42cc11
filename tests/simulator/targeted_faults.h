// The entry to all targeted faults: faults that follow a pattern, so that a rule is all that saves
// the log. weather.cpp calls them at random times. The patterns of a few steps are in the .cpp
// file; longer histories are in message_faults.h, raft_faults.h, reacting_faults.h and
// history_faults.h.
#pragma once
#include <set>
#include <string>

#include "tests/simulator/world.h"

namespace loglog::simulator {

/// Every kind that `inject_targeted` accepts. The kinds of this file are:
/// - `isolate_leader`: the leader is cut off from its peers, and by chance from some nodes and
/// clients, and goes on believing that it leads
/// - `strand`: the leader's orders reach a single replica. Then the leader dies or is cut off, and
/// that replica is late for the next seal
/// - `flap`: the leader dies again and again, each time soon after its election
/// - `kill_then_power`: a storage node dies, comes back at once, and loses power soon after
/// - `lag_node`: nothing reaches a storage node for a short while
/// - `starve_node`: a storage node hears orders, but neither clients nor peers bring it the
/// payloads (P3)
/// - `unheard_node`: no sequencer hears a storage node for a while
/// - `split`: an old leader has half of the replicas and its successor the other half, and a single
/// replica is in both. By chance that replica loses power as soon as the successor leads
/// - `forgetful_split`: as `split`, and the shared replica comes back without identity and promise,
/// until they are put back
/// - `rotten_promise`: as `split`, and the newest slot of the shared replica's promise goes bad
/// (T3: both slots hold it)
/// - `stale_leader`: a client creates a log at a new leader and then asks the old leader, which
/// does not know yet that it is deposed (R2)
/// - `two_leaders`: an old leader has a single replica and half of the clients, its successor has
/// the rest
/// - `amnesia`: all storage nodes forget their staged runs, and a client dies with them, by chance
/// the leader too
/// - `two_strands`: a strand, and the successor dies soon after its election. The third leader
/// finds the first strand
const std::set<std::string>& targeted_fault_kinds();

/// Starts the fault of that kind, which ends by itself. Returns false if it cannot begin now.
bool inject_targeted(World& world, Random& random, const std::string& kind);

}  // namespace loglog::simulator

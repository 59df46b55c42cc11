// Faults that follow a pattern: each sets up the begin of a history in which one of the rules is
// what saves the log.
#pragma once
#include <set>
#include <string>

#include "tests/simulator/world.h"

namespace loglog::simulator {

/// isolate_leader   the leader is cut off from its peers, and by chance from some nodes and
/// clients, and goes on believing it leads strand           what the leader orders reaches one
/// replica only; then the leader goes, and that replica is late for the next seal flap the leader
/// dies again and again, each time soon after it was elected kill_then_power  a storage node dies,
/// comes back at once, and loses its power soon after lag_node         nothing reaches one storage
/// node for a short while starve_node      a storage node hears what is ordered, and neither
/// clients nor its peers bring it the payloads (P3) split            an old leader with one half of
/// the replicas, its successor with the other, one replica in both; by chance that one
///                  loses its power as soon as the successor leads
/// forgetful_split  the same, and that one comes back without its identity and its promise, until
/// they are put back rotten_promise   the same, and what that one wrote last of its promise goes
/// bad (T3: both slots hold it) stale_leader     a client makes a log at a new leader and then asks
/// the old one, which does not know yet that it is deposed (R2) two_leaders      an old leader with
/// one replica and half of the clients, its successor with the rest amnesia          all storage
/// nodes forget what was staged, and with them dies a client, by chance the leader too two_strands
/// a strand, and the successor dies soon after it was elected; what the third leader finds is the
/// first strand and those of message_faults.h, raft_faults.h, reacting_faults.h and
/// history_faults.h
const std::set<std::string>& targeted_fault_kinds();

/// Does what is named; all of it ends by itself. False: nothing could be done now.
bool inject_targeted(World& world, Random& random, const std::string& kind);

}  // namespace loglog::simulator

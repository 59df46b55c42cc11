// Targeted faults that follow the conversation of the cores over several terms. Each brings about
// the history against which a rule exists. targeted_faults.cpp calls them by name.
#pragma once
#include <string>

#include "tests/simulator/world.h"

namespace loglog::simulator {

/// `kind` names a history; leaders are counted from the leader at its begin:
/// - `figure_eight`: the first leader's orders reach a single replica, the second leader's term
/// start another replica, and the third leader's orders the first replica again. The fourth leader
/// asks the others (S6: a copy made by the third did not commit those orders)
/// - `unheard_start`: the first leader's orders reach a single replica, and the second leader's
/// term start reaches none. The third leader finds the first leader's orders (S7: no producer may
/// take the second term as begun)
/// - `late_reconcile`: a Reconcile comes again over a dead connection, after the node has
/// acknowledged bytes that it would cut (S4)
/// - `late_cut_power`: a node that missed a term is cut in the next term, writes bytes that few
/// others have, and loses power. Those few are absent when the third leader asks (S4: the cut is
/// durable)
/// - `mute_holder`: the leader's orders reach a single replica, and its peers cannot hear it when
/// the next leader recovers (S3, S8)
/// - `late_observation`: a replica's group is under way when the next leader asks it, and the only
/// other replica with the run does not answer. The producer must not be told that both have it (V2)
/// - `two_logs`: two leaders order different runs at the same offsets, and then every replica
/// answers the third leader (S5)
/// - `detour`: a client's uploads do not reach a certain node, which must get them from its peers
/// (D6)
/// - `forgotten_order`: no node has an ordered run, and no producer uploads it again (D1)
///
/// Starts the history, which ends by itself. Returns false if `kind` is another word.
bool inject_history(World& world, Random& random, const std::string& kind);

}  // namespace loglog::simulator

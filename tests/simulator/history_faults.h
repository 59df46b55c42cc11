// Faults that follow what the cores say to each other: each brings about the history that one rule
// is there for.
#pragma once
#include <string>

#include "tests/simulator/world.h"

namespace loglog::simulator {

/// figure_eight     what one leader orders reaches one replica, the next one's term start another
/// one, the third one's the first
///                  again; the fourth one asks the others (S6: what the third one copied was not
///                  committed by that)
/// unheard_start    what one leader orders reaches one replica; the next one's term start reaches
/// none; the third one finds the first
///                  one's orders (S7: nobody may take from the second one what stands in the log)
/// late_reconcile   a Reconcile comes once more, from a connection that is gone, after the node has
/// acknowledged what it would cut (S4) late_cut_power   a node that missed a term is cut in the
/// next one, writes what few have, and loses its power; those few are not
///                  there for the third one (S4: the cut is durable)
/// mute_holder      what one leader orders reaches one replica, which its peers cannot hear when
/// the next leader recovers (S3, S8) late_observation one replica's group is under way when the
/// next leader asks it, and the only other one that has the run does not
///                  answer: the producer must not be told that both have it (V2)
/// two_logs         two leaders order different runs at the same offsets, and then everybody
/// answers the third one (S5) detour           what a client uploads does not reach one node, which
/// must get it from its peers (D6) forgotten_order  nobody has what was ordered, and nobody will
/// upload it again (D1) Does what is named; all of it ends by itself. False: it is none of these.
bool inject_history(World& world, Random& random, const std::string& kind);

}  // namespace loglog::simulator

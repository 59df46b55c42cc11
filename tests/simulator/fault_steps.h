// What targeted faults are composed of: who leads, wires that are cut for a while, and waiting for
// what the cores do.
#pragma once
#include <functional>
#include <vector>

#include "tests/simulator/world.h"

namespace loglog::simulator {

Duration between(Random& random, Duration low, Duration high);

/// The one that leads in the highest term; nullptr: none does.
SequencerProcess* leader_of(World& world);

/// Does `what` after `delay`, unless everything has been healed by then.
void later(World& world, Duration delay, std::function<void()> what);

/// Calls `then` once a leader leads above `term`, if one does within three seconds.
void when_succeeded(World& world, Term term, std::function<void(SequencerProcess&)> then,
                    int tries = 600);

/// Calls `then` as soon as `condition` holds, or `otherwise` when it has not for so long.
void when(
    World& world, Duration at_most, std::function<bool()> condition, std::function<void()> then,
    std::function<void()> otherwise = [] {});

/// Both ways, until the network heals.
void cut(World& world, const Process& a, const Process& b);
void heal_later(World& world, Duration after);
void start_later(World& world, Process& p, Duration after);
void kill_for(World& world, Process& p, Duration down);

/// The storage nodes in an order of chance.
std::vector<StorageProcess*> shuffled(World& world, Random& random);
/// From now on sequencers and these storage nodes do not hear each other; everybody else hears
/// everybody.
void leave_out(World& world, const std::vector<StorageProcess*>& nodes);
/// What this leader sends reaches this storage node and no other one.
void heard_by_one(World& world, const Process& leader, const Process& node);

}  // namespace loglog::simulator

// The building blocks of targeted faults: finding the leader, cutting wires for a while, waiting
// for a state of the cores. Every delayed step is dropped once the network is calm, so no fault
// reaches beyond the weather. Delays are in the world's time.
#pragma once
#include <functional>
#include <vector>

#include "tests/simulator/world.h"

namespace loglog::simulator {

/// A random duration in [low, high], microsecond resolution.
Duration between(Random& random, Duration low, Duration high);

/// The living sequencer that leads in the highest term; nullptr if none leads.
SequencerProcess* leader_of(World& world);

/// Does `what` after `delay`, unless the weather has healed by then.
void later(World& world, Duration delay, std::function<void()> what);

/// Calls `then` once a sequencer leads in a term above `term`. Gives up silently after `tries`
/// polls of 5 ms, three seconds by default.
void when_succeeded(World& world, Term term, std::function<void(SequencerProcess&)> then,
                    int tries = 600);

/// Polls every 200 us. Calls `then` as soon as `condition` holds, or `otherwise` if `at_most` has
/// passed.
void when(
    World& world, Duration at_most, std::function<bool()> condition, std::function<void()> then,
    std::function<void()> otherwise = [] {});

/// Blocks messages both ways, until the network heals.
void cut(World& world, const Process& a, const Process& b);
/// Heals the whole network, including cuts of other faults.
void heal_later(World& world, Duration after);
void start_later(World& world, Process& p, Duration after);
/// Kills the process and starts it again after `down`.
void kill_for(World& world, Process& p, Duration down);

/// The storage nodes in random order.
std::vector<StorageProcess*> shuffled(World& world, Random& random);
/// Heals, then cuts these storage nodes off from all sequencers. All other links carry messages.
void leave_out(World& world, const std::vector<StorageProcess*>& nodes);
/// The leader's messages reach this storage node and no other node.
void heard_by_one(World& world, const Process& leader, const Process& node);

}  // namespace loglog::simulator

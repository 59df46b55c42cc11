// What targeted faults are composed of: who leads, wires that are cut for a while, and waiting for what the cores do.
#pragma once
#include <functional>

#include "tests/simulator/world.h"

namespace loglog::simulator {

Duration between(Random& random, Duration low, Duration high);

/// The one that leads in the highest term; nullptr: none does.
SequencerProcess* leader_of(World& world);

/// Does `what` after `delay`, unless everything has been healed by then.
void later(World& world, Duration delay, std::function<void()> what);

/// Calls `then` once a leader leads above `term`, if one does within three seconds.
void when_succeeded(World& world, Term term, std::function<void(SequencerProcess&)> then, int tries = 600);

/// Calls `then` as soon as `condition` holds, or `otherwise` when it has not for so long.
void when(
    World& world, Duration at_most, std::function<bool()> condition, std::function<void()> then, std::function<void()> otherwise = [] {});

/// Both ways, until the network heals.
void cut(World& world, const Process& a, const Process& b);
void heal_later(World& world, Duration after);
void start_later(World& world, Process& p, Duration after);

}  // namespace loglog::simulator

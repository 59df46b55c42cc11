// Faults that wait for one message and strike when it is sent: what a fault by chance would meet
// once in many thousand runs.
#pragma once
#include "tests/simulator/world.h"

namespace loglog::simulator {

/// The answers to the first two Commits of a run are lost, the first with its connection, the
/// second with the leader (A3).
void lose_answers(World& world, Random& random);

/// A Commit stays on its way until the log has begun another term under the same leader, while its
/// producer sends it again on another connection; a replica that hears nothing of the leader keeps
/// what it commits staged (A1).
void delay_commit(World& world, Random& random);

/// A CommitIf stays on its way while its producer sends it again on another connection, and arrives
/// in the moment in which other runs have brought the log's end to the offset that it names (F1).
void late_condition(World& world, Random& random);

/// The answer to a Commit is lost and its producer cut off from the sequencers for so long that
/// trims may pass the entry; then the leader dies (A5).
void cut_off_producer(World& world, Random& random);

/// A client dies when its Commit is on its way, and none of its uploads arrives (V1).
void die_uploading(World& world, Random& random);

/// A client's uploads do not arrive for seconds, while its Commits do (V1).
void stall_uploads(World& world, Random& random);

/// A request to make a log or to change its settings stays on its way for seconds, while the client
/// sends it again on another connection and goes on (T6).
void late_command(World& world, Random& random);

}  // namespace loglog::simulator

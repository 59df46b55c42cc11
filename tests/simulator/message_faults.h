// Faults that wait for a certain message and strike when it is sent. By chance they would meet that
// moment once in many thousand runs. targeted_faults.cpp calls them by name. Each fault gives up if
// the message does not come within three seconds, and ends by itself.
#pragma once
#include "tests/simulator/world.h"

namespace loglog::simulator {

/// A3: loses the answers to the first two Commits of a run, the first with its connection, the
/// second with the leader.
void lose_answers(World& world, Random& random);

/// A1: holds a Commit until the log has begun another term under the same leader, while the
/// producer repeats it over another connection. A replica that hears nothing of the leader keeps
/// the committed run staged.
void delay_commit(World& world, Random& random);

/// F1: holds a CommitIf while the producer repeats it over another connection. It arrives in the
/// moment in which other runs have brought the log's end to the offset that it names.
void late_condition(World& world, Random& random);

/// A5: loses the answer to a Commit and cuts its producer off from the sequencers. Trims may pass
/// the entry meanwhile; then the leader dies.
void cut_off_producer(World& world, Random& random);

/// V1: kills a client whose Commit is on its way and whose uploads have not arrived.
void die_uploading(World& world, Random& random);

/// V1: delays a client's uploads for seconds, but not its Commits.
void stall_uploads(World& world, Random& random);

/// T6: delays a request to create a log or to change its settings for seconds. The client repeats
/// it over another connection and goes on.
void late_command(World& world, Random& random);

}  // namespace loglog::simulator

// A sequencer's state directory as the simulator keeps it: durable contents only, because a save
// has no page cache of its own. world.cpp applies saves with the production function.
#pragma once
#include "sequencer/core/output.h"
#include "sequencer/core/raft/raft_log.h"

namespace loglog::simulator {

using sequencer::raft::apply;

}  // namespace loglog::simulator

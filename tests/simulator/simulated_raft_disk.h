// A sequencer's state directory as the simulator keeps it: only what is durable.
#pragma once
#include "sequencer/core/output.h"
#include "sequencer/core/raft/raft_log.h"

namespace loglog::simulator {

using sequencer::raft::apply;

}  // namespace loglog::simulator

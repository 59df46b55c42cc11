// The report that a sequencer gives to monitors: the core's report with the driver's own counts.
// Made by SequencerDriver::report(), printed by app/sequencer_pages.cpp.
#pragma once
#include "proto-spec/observe/histogram.h"
#include "proto-spec/transport/admissions.h"
#include "proto-spec/transport/uv_loop.h"
#include "sequencer/core/figures.h"

namespace loglog::sequencer {

/// All of it as of the same moment, on the loop's thread.
struct SequencerReport {
  Report core;
  /// Time of a save of Raft state, to its last fdatasync; since the start of the process.
  observe::LatencyHistogram save;
  transport::Traffic traffic;
  transport::Admissions::Figures admissions;
};

}  // namespace loglog::sequencer

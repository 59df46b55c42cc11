// What the driver of a sequencer counts, and all that the sequencer shows to monitors.
#pragma once
#include "proto-spec/observe/histogram.h"
#include "proto-spec/transport/admissions.h"
#include "proto-spec/transport/uv_loop.h"
#include "sequencer/core/figures.h"

namespace loglog::sequencer {

struct SequencerReport {
  Report core;
  observe::LatencyHistogram
      save;  ///< of Raft state, to its last fdatasync; since the start of the process
  transport::Traffic traffic;
  transport::Admissions::Figures admissions;
};

}  // namespace loglog::sequencer

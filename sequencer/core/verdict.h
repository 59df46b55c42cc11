// The health of a cluster in a single sentence: first the consequence for appends and reads, then
// the cause. Status, the page, /status.json and the command line show this verdict, so that they
// cannot contradict each other. Pure; alarms.h lists the causes individually.
#pragma once
#include <string>

#include "sequencer/core/cluster_picture.h"

namespace loglog::sequencer {

struct Verdict {
  Health health{};
  std::string sentence;  ///< without a full stop
};

/// The verdict of the sequencer that answers. Only a leader sees the condition of nodes and logs,
/// so the verdict of another sequencer covers less.
Verdict verdict_of(const ClusterPicture& p);

}  // namespace loglog::sequencer

// The health of a cluster in one sentence: the consequence for appends and reads first, then the
// cause. Status, the page, /status.json and the command line all show this verdict, so that they
// cannot contradict each other. Pure.
#pragma once
#include <string>

#include "sequencer/core/cluster_picture.h"

namespace loglog::sequencer {

struct Verdict {
  Health health{};
  std::string sentence;  ///< without a full stop
};

/// Judged from the picture of the sequencer that answers. Only a leader sees how nodes and logs
/// fare.
Verdict verdict_of(const ClusterPicture& p);

}  // namespace loglog::sequencer

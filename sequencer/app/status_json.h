// The text of /status.json: a picture of the cluster, its alarms and its last minutes. README.md
// describes the fields, which are an interface for other programs.
#pragma once
#include <cstdint>
#include <string>

#include "sequencer/core/cluster_picture.h"
#include "sequencer/core/history.h"

namespace loglog::sequencer {

/// `wall_ms`: Unix time in milliseconds at which the picture was taken.
std::string status_json(const ClusterPicture& p, const History& history, std::uint64_t wall_ms);

}  // namespace loglog::sequencer

// Which logs are served by a set of storage nodes: their write and seal quorums lie within it.
// Pure. LogTable asks before terms begin in the background, SequencerMachine before it hands over.
#pragma once
#include <functional>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "sequencer/core/metadata.h"

namespace loglog::sequencer {

/// True if enough of the log's nodes are there to seal the log (S2) and to commit in it.
bool has_quorums(const MetadataState& metadata, const LogInfo& l,
                 const std::function<bool(NodeId)>& there);
/// Open logs whose write and seal quorums lie within `nodes`.
std::size_t logs_served_by(const MetadataState& metadata, const std::vector<NodeId>& nodes);
std::size_t open_logs(const MetadataState& metadata);

}  // namespace loglog::sequencer

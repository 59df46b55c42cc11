// A member whose disk was replaced counts for writing, but not for sealing, because the new disk
// may lack what the old disk had acknowledged (C1).
#include "sequencer/core/cluster/log_quorums.h"

#include <algorithm>

namespace loglog::sequencer {

bool has_quorums(const MetadataState& metadata, const LogInfo& l,
                 const std::function<bool(NodeId)>& there) {
  std::size_t write = 0, seal = 0;
  for (const Member& m : l.members) {
    if (!there(m.node)) continue;
    ++write;
    if (m.disk == metadata.disk_of(m.node)) ++seal;
  }
  const Quorum q = quorum_of(l);
  return write >= q.write() && seal >= q.seal();
}

std::size_t logs_served_by(const MetadataState& metadata, const std::vector<NodeId>& nodes) {
  return static_cast<std::size_t>(
      std::ranges::count_if(metadata.state().logs, [&](const LogInfo& l) {
        const auto there = [&](NodeId n) {
          return std::find(nodes.begin(), nodes.end(), n) != nodes.end();
        };
        return l.state == LogState::open && has_quorums(metadata, l, there);
      }));
}

std::size_t open_logs(const MetadataState& metadata) {
  return static_cast<std::size_t>(
      std::ranges::count(metadata.state().logs, LogState::open, &LogInfo::state));
}

}  // namespace loglog::sequencer

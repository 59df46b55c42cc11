// Overviews of several sequencers are combined here for display only.
#include "sequencer/core/cluster_picture.h"

#include <algorithm>
#include <utility>

namespace loglog::sequencer {
namespace {

/// Takes offsets as a leader told them last. Which replicas take orders is left out: nobody knows
/// it without a leader.
void take_offsets(Overview& own, const Overview& told) {
  for (LogSeen& l : own.logs) {
    const auto before = std::ranges::find(told.logs, l.id, &LogSeen::id);
    if (before == told.logs.end()) continue;
    l.first = std::max(l.first, before->first);
    l.committed = before->committed;
    l.term = before->term;
    l.halted = before->halted;
    for (ReplicaSeen& r : l.replicas) {
      const auto then = std::ranges::find(before->replicas, r.node, &ReplicaSeen::node);
      if (then != before->replicas.end()) r.durable = then->durable;
    }
  }
}

}  // namespace

ClusterPicture picture_of(Time now, Overview own, const std::optional<Told>& told, bool fresh) {
  using Source = ClusterPicture::Source;
  ClusterPicture p;
  p.served_by = own.id;
  if (own.role == RaftRole::leader) {
    p.source = Source::leads;
    p.logs_age = Duration{0};
  } else if (told && fresh) {
    p.source = Source::leader_told;
    p.overview = told->overview;
    p.logs_age = Duration{0};
    return p;
  } else {
    p.source = own.leader == SequencerId{} ? Source::no_leader : Source::leader_silent;
    if (told) {
      take_offsets(own, told->overview);
      p.logs_age = now - told->at;
    }
  }
  p.overview = std::move(own);
  return p;
}

}  // namespace loglog::sequencer

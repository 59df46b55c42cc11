// Each function reads the replicas anew; nothing is kept.
#include "sequencer/core/log/log_view.h"

#include <algorithm>

#include "sequencer/core/log_condition.h"

namespace loglog::sequencer {
namespace {

Duration lag_of(const Replica& r, Time now) {
  return r.lag.since == never ? Duration{} : now - r.lag.since;
}

}  // namespace

LogStatus LogView::status() const {
  LogStatus s{info.id, info.name, info.state,
              begins,  committed, term,
              serves,  halted,    info.options.write_quorum,
              {}};
  for (const Replica& r : replicas)
    s.replicas.push_back(
        {r.member.node, shown(r), state_of(r), host.disk_bytes(r.member.node, info.id)});
  return s;
}

LogSeen LogView::seen(Time now) const {
  LogSeen s{info.id, info.name, info.state,
            serves,  halted,    term,
            begins,  committed, info.options.write_quorum,
            {}};
  for (const Replica& r : replicas) s.replicas.push_back(seen(r, now));
  return s;
}

ReplicaSeen LogView::seen(const Replica& r, Time now) const {
  const Duration lag = lag_of(r, now);
  return {r.member.node, state_of(r), shown(r),
          lag > Duration{} ? std::max(1U, saturated_ms(lag)) : 0,
          host.disk_bytes(r.member.node, info.id)};
}

LogReport LogView::report(Time now) const {
  LogReport out{info.id, info.name, term, begins, committed, end, {}};
  for (const Replica& r : replicas) {
    const Offset has = std::max(shown(r), begins);
    out.replicas.push_back({r.member.node, state_of(r), shown(r),
                            out.committed > has ? out.committed - has : 0, lag_of(r, now)});
  }
  return out;
}

bool LogView::is_well(Time now) const {
  return std::ranges::all_of(replicas, [&](const Replica& r) {
    const ReplicaSeen s = seen(r, now);
    return s.state == ReplicaState::streaming && !is_behind(s, committed);
  });
}

bool LogView::doubts(NodeId node) const {
  return std::ranges::any_of(replicas, [&](const Replica& r) {
    return r.member.node == node && state_of(r) == ReplicaState::suspect;
  });
}

bool LogView::takes_appends() const {
  const auto taking = std::ranges::count_if(
      replicas, [&](const Replica& r) { return state_of(r) == ReplicaState::streaming; });
  return serves && static_cast<std::size_t>(taking) >= info.options.write_quorum;
}

/// A replica on a full disk streams, but it refuses uploads (K5).
ReplicaState LogView::state_of(const Replica& r) const {
  if (r.is_lost()) return ReplicaState::suspect;
  if (r.phase == ReplicaPhase::absent) return ReplicaState::unreachable;
  if (r.streams())
    return host.has_space(r.member.node, info.id) ? ReplicaState::streaming : ReplicaState::full;
  if (r.newcomer) return ReplicaState::newcomer;
  return r.state && r.state->suspect ? ReplicaState::suspect : ReplicaState::lagging;
}

/// The end of the bytes that the replica holds. It includes bytes that do not count yet because a
/// copy is under way or waits for its turn.
Offset LogView::shown(const Replica& r) const {
  const Offset holds = std::max(rests && r.streams() ? end : r.durable, r.copy.reached);
  const bool counts_not = r.phase == ReplicaPhase::stated || r.phase == ReplicaPhase::reconciling;
  return counts_not && r.state ? std::max(holds, std::min(r.state->tail, committed)) : holds;
}

}  // namespace loglog::sequencer

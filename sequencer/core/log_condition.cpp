// The bounds for is_behind() are chosen for people: a replica that is behind for a moment is
// normal.
#include "sequencer/core/log_condition.h"

#include <algorithm>

namespace loglog::sequencer {
namespace {

constexpr std::uint64_t behind_bytes = 64u << 20;
constexpr std::uint32_t behind_ms = 10'000;

std::size_t count(const LogSeen& l, ReplicaState s) {
  return static_cast<std::size_t>(std::ranges::count(l.replicas, s, &ReplicaSeen::state));
}

}  // namespace

std::size_t streaming(const LogSeen& l) { return count(l, ReplicaState::streaming); }

LogCondition condition_of(const LogSeen& l) {
  if (l.state != LogState::open) return LogCondition::fine;
  if (l.halted) return LogCondition::halted;
  // S: appends need W replicas that stream. A replica with a full disk would count if it had space.
  const std::size_t w = l.write_quorum;
  if (l.open) {
    if (streaming(l) < w)
      return streaming(l) + count(l, ReplicaState::full) >= w ? LogCondition::full
                                                              : LogCondition::below_quorum;
    return streaming(l) == w && w < l.replicas.size() ? LogCondition::no_spare : LogCondition::fine;
  }
  const std::size_t newcomers = count(l, ReplicaState::newcomer);
  if (newcomers >= w) return LogCondition::lost;
  // The log opens once a write quorum is there (S6) and a seal quorum of members that are no
  // newcomers (S2, C1).
  const std::size_t there =
      l.replicas.size() - count(l, ReplicaState::unreachable) - count(l, ReplicaState::suspect);
  const bool opens = there >= w && there - newcomers >= l.replicas.size() - w + 1;
  return opens ? LogCondition::recovering : LogCondition::below_quorum;
}

bool is_behind(const ReplicaSeen& r, Offset committed) {
  const std::uint64_t lacks = committed > r.durable ? committed - r.durable : 0;
  return r.state != ReplicaState::unreachable && r.behind_ms > 0 &&
         (r.behind_ms >= behind_ms || lacks >= behind_bytes);
}

LogsByCondition::LogsByCondition(const std::vector<LogSeen>& logs) {
  for (const LogSeen& l : logs) logs_[static_cast<std::size_t>(condition_of(l))].push_back(&l);
}

}  // namespace loglog::sequencer

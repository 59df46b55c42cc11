// SequencerMachine: handing over the lead. S8: a leader that cannot reach what its logs need hands
// over, but only to a sequencer that says it reaches more, and ever more rarely. One that is to
// stop hands over to whoever reaches most.
#include <fmt/format.h>

#include <algorithm>

#include "sequencer/core/sequencer_machine.h"

namespace loglog::sequencer {
namespace {
constexpr Duration yield_pause_min = 5s;
constexpr Duration yield_pause_max = 300s;
constexpr Duration nobody_pause = 10ms;  // nobody can take over yet: looked at again after this
}  // namespace

bool SequencerMachine::heard_lately(const Node& n) const {
  return n.connection != ConnectionId{} && now_ - n.heard <= 3 * options_.reach_every;
}

/// Nodes heard lately; one with another disk than the registered one counts as down (T4).
std::vector<NodeId> SequencerMachine::reached() const {
  std::vector<NodeId> out;
  for (const auto& [id, n] : nodes_) {
    if (!heard_lately(n)) continue;
    const StorageInfo* known = metadata_.node(id);
    if (known != nullptr && known->disk == connections_.at(n.connection).disk && !has_lost(id))
      out.push_back(id);
  }
  return out;
}

std::size_t SequencerMachine::logs_served_by(const std::vector<NodeId>& nodes) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(metadata_.state().logs, [&](const LogInfo& l) {
        const auto there = [&](NodeId n) {
          return std::find(nodes.begin(), nodes.end(), n) != nodes.end();
        };
        return l.state == LogState::open && has_quorums(l, there);
      }));
}

void SequencerMachine::tick_reach() {
  if (now_ < reach_due_) return;
  reach_due_ = now_ + options_.reach_every;
  for (const auto& [id, n] : nodes_)
    if (n.connection != ConnectionId{}) out_.sends.push_back({n.connection, {}, Ping{}});
  for (const auto& [id, c] : sequencers_) out_.sends.push_back({c, {}, Ping{}});
  if (term_ != Term{}) return yield_when_better(reached());
  if (const auto leader = sequencers_.find(raft_.leader()); leader != sequencers_.end())
    out_.sends.push_back({leader->second, {}, Reaches{reached(), space_is_low_}});
}

void SequencerMachine::yield_when_better(const std::vector<NodeId>& own) {
  const std::size_t served = logs_served_by(own);
  const auto open = std::ranges::count_if(
      metadata_.state().logs, [](const LogInfo& l) { return l.state == LogState::open; });
  if (served == static_cast<std::size_t>(open)) {
    underserved_since_ = never;
    yield_pause_ = {};
    return;
  }
  if (underserved_since_ == never) underserved_since_ = now_;
  if (now_ - underserved_since_ < options_.recovery_step_timeout || now_ < no_yield_before_) return;
  for (const auto& [id, r] : reach_) {
    if (now_ - r.at > 3 * options_.reach_every || logs_served_by(r.storage) <= served ||
        !raft_.hand_over(now_, id))
      continue;
    yield_pause_ = std::clamp(2 * yield_pause_, yield_pause_min, yield_pause_max);
    no_yield_before_ = now_ + yield_pause_;
    return event(
        Event::Level::warning,
        fmt::format(
            "reaches the quorums of {} of {} logs; hands over to sequencer {}, which reaches {}",
            served, open, id.value, logs_served_by(r.storage)));
  }
}

// ---- Stopping

void SequencerMachine::resign(Time now) {
  now_ = now;
  if (resigned()) return;
  resign_by_ = now + options_.resign_max;
  answer_until_ = now + options_.resign_answers_max;
  hand_over_due_ = now;
  led_ = raft_.is_leader();
  raft_.resign(now);
}

bool SequencerMachine::may_stop() const {
  if (!resigned()) return false;
  if (!led_ || now_ >= resign_by_) return true;
  // It goes on voting until another one leads: its vote may be the one that is needed.
  if (!raft_.is_leader()) return raft_.leader() != SequencerId{};
  return sequencers_.empty() && !owes_answers();
}

/// To a client: a run that is ordered and not committed, or a change of the metadata.
bool SequencerMachine::owes_answers() const {
  return now_ < answer_until_ &&
         (!proposals_.empty() ||
          std::ranges::any_of(
              logs_, [](const auto& l) { return l.second.term && l.second.term->owes_answers(); }));
}

/// Logs whose quorums it said lately that it reaches.
std::size_t SequencerMachine::served_by(SequencerId id) const {
  const auto r = reach_.find(id);
  return r == reach_.end() || now_ - r->second.at > 3 * options_.reach_every
             ? 0
             : logs_served_by(r->second.storage);
}

/// Those that were not asked yet first, then by the logs that they serve. Raft refuses one that
/// lacks entries.
void SequencerMachine::hand_over_when_due() {
  if (!resigned() || !raft_.is_leader() || now_ < hand_over_due_ || owes_answers()) return;
  std::vector<SequencerId> best;
  best.reserve(sequencers_.size());
  for (const auto& [id, c] : sequencers_) best.push_back(id);
  const auto rank = [this](SequencerId id) {
    return std::pair(asked_.contains(id) ? 1 : 0, -static_cast<std::int64_t>(served_by(id)));
  };
  std::ranges::stable_sort(best, {}, rank);
  const auto to =
      std::ranges::find_if(best, [this](SequencerId id) { return raft_.hand_over(now_, id); });
  hand_over_due_ = now_ + (to == best.end() ? nobody_pause : options_.hand_over_again);
  if (to == best.end()) return;
  asked_.insert(*to);
  event(Event::Level::info, fmt::format("is to stop; hands over to sequencer {}", to->value));
}

}  // namespace loglog::sequencer

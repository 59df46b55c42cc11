// SequencerMachine: handing over the lead. S8: a leader that cannot reach its logs' quorums hands
// over, but only to a sequencer that reaches more, and with ever longer pauses. A leader that is
// asked to stop hands over to the sequencer that reaches most ("Handing over at a stop").
#include <fmt/format.h>

#include <algorithm>

#include "sequencer/core/sequencer_machine.h"

namespace loglog::sequencer {
namespace {
/// The pause doubles with each hand-over, so that two sequencers with half a network each do not
/// pass the lead back and forth.
constexpr Duration yield_pause_min = 5s;
constexpr Duration yield_pause_max = 300s;
constexpr Duration nobody_pause = 10ms;  // until it is looked at again, if nobody can take over yet
}  // namespace

bool SequencerMachine::heard_lately(const Node& n) const {
  return n.connection != ConnectionId{} && now_ - n.heard <= 3 * options_.reach_every;
}

/// Nodes heard lately. A node with another disk than the registered disk counts as down (T4).
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

/// Open logs whose write and seal quorums lie within `nodes`.
std::size_t SequencerMachine::logs_served_by(const std::vector<NodeId>& nodes) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(metadata_.state().logs, [&](const LogInfo& l) {
        const auto there = [&](NodeId n) {
          return std::find(nodes.begin(), nodes.end(), n) != nodes.end();
        };
        return l.state == LogState::open && has_quorums(l, there);
      }));
}

/// Pings all peers; a follower tells the leader which nodes it reaches, and a leader compares.
void SequencerMachine::tick_reach() {
  if (now_ < reach_due_) return;
  reach_due_ = now_ + options_.reach_every;
  for (const auto& [id, n] : nodes_)
    if (n.connection != ConnectionId{}) out_.sends.push_back({n.connection, {}, Ping{}});
  for (const SequencerId id : peers_.linked()) out_.sends.push_back({peers_.link(id), {}, Ping{}});
  if (term_ != Term{}) return yield_when_better(reached());
  if (const ConnectionId leader = peers_.link(raft_.leader()); leader != ConnectionId{})
    out_.sends.push_back({leader, {}, Reaches{reached(), space_is_low_}});
}

/// S8: hands over if for 2 s some log's quorums are out of reach and a follower reaches more logs.
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
  resign_by_ = now + options_.resigning.in_all_max;
  answer_until_ = now + options_.resigning.answers_max;
  hand_over_due_ = now;
  led_ = raft_.is_leader();
  raft_.resign(now);
}

bool SequencerMachine::may_stop() const {
  if (!resigned()) return false;
  if (!led_ || now_ >= resign_by_) return true;
  // The former leader goes on voting until another sequencer leads, because its vote may be needed.
  if (!raft_.is_leader()) return raft_.leader() != SequencerId{};
  return !peers_.any() && !owes_answers();
}

/// True while clients wait for ordered runs or for changes of the metadata, within the time for
/// that.
bool SequencerMachine::owes_answers() const {
  return now_ < answer_until_ &&
         (proposals_.size() > 0 ||
          std::ranges::any_of(
              logs_, [](const auto& l) { return l.second.term && l.second.term->owes_answers(); }));
}

/// Logs whose quorums sequencer `id` has lately said to reach.
std::size_t SequencerMachine::served_by(SequencerId id) const {
  const auto r = reach_.find(id);
  return r == reach_.end() || now_ - r->second.at > 3 * options_.reach_every
             ? 0
             : logs_served_by(r->second.storage);
}

/// Asks a sequencer to take over: sequencers that were not asked yet come first, then by the logs
/// that they serve. Raft refuses a sequencer that lacks entries.
void SequencerMachine::hand_over_when_due() {
  if (!resigned() || !raft_.is_leader() || now_ < hand_over_due_ || owes_answers()) return;
  std::vector<SequencerId> best = peers_.linked();
  const auto rank = [this](SequencerId id) {
    return std::pair(asked_.contains(id) ? 1 : 0, -static_cast<std::int64_t>(served_by(id)));
  };
  std::ranges::stable_sort(best, {}, rank);
  const auto to =
      std::ranges::find_if(best, [this](SequencerId id) { return raft_.hand_over(now_, id); });
  hand_over_due_ = now_ + (to == best.end() ? nobody_pause : options_.resigning.ask_again);
  if (to == best.end()) return;
  asked_.insert(*to);
  event(Event::Level::info, fmt::format("is to stop; hands over to sequencer {}", to->value));
}

}  // namespace loglog::sequencer

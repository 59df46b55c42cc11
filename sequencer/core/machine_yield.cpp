// SequencerMachine: handing over the lead. S8: a leader that cannot reach its logs' quorums hands
// over, but only to a sequencer that reaches more, and with ever longer pauses. A leader that is
// asked to stop hands over to the sequencer that reaches most ("Handing over at a stop").
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sequencer/core/cluster/log_quorums.h"
#include "sequencer/core/sequencer_machine.h"

namespace loglog::sequencer {

/// Pings all peers; a follower tells the leader which nodes it reaches, and a leader compares.
void SequencerMachine::tick_reach() {
  if (!state_.reach.take_due(state_.now)) return;
  for (const auto& [id, n] : state_.nodes.all())
    if (n.connection != ConnectionId{}) state_.out.sends.push_back({n.connection, {}, Ping{}});
  for (const SequencerId id : state_.peers.linked())
    state_.out.sends.push_back({state_.peers.link(id), {}, Ping{}});
  if (state_.leads()) return yield_when_better(state_.nodes.reached(state_.now, state_.metadata));
  if (const ConnectionId leader = state_.peers.link(state_.raft.leader()); leader != ConnectionId{})
    state_.out.sends.push_back(
        {leader,
         {},
         Reaches{state_.nodes.reached(state_.now, state_.metadata), state_.reach.space_is_low(),
                 state_.options.record_version_highest}});
}

/// S8: hands over if for 2 s some log's quorums are out of reach and a follower reaches more logs.
void SequencerMachine::yield_when_better(const std::vector<NodeId>& own) {
  const std::size_t served = logs_served_by(state_.metadata, own),
                    open = open_logs(state_.metadata);
  if (!state_.hand_over.should_yield(state_.now, served, open)) return;
  for (const SequencerId id : state_.reach.heard_lately(state_.now)) {
    const std::size_t theirs =
        logs_served_by(state_.metadata, *state_.reach.lately(state_.now, id));
    if (theirs <= served || !state_.raft.hand_over(state_.now, id)) continue;
    state_.hand_over.yielded(state_.now);
    return state_.event(
        Event::Level::warning,
        fmt::format(
            "reaches the quorums of {} of {} logs; hands over to sequencer {}, which reaches {}",
            served, open, id.value, theirs));
  }
}

// ---- Stopping

void SequencerMachine::resign(Time now) {
  state_.now = now;
  if (state_.resigned()) return;
  state_.hand_over.resign(now, state_.raft.is_leader());
  state_.raft.resign(now);
}

bool SequencerMachine::may_stop() const {
  if (!state_.resigned()) return false;
  if (state_.hand_over.is_over(state_.now)) return true;
  // The former leader goes on voting until another sequencer leads, because its vote may be needed.
  if (!state_.raft.is_leader()) return state_.raft.leader() != SequencerId{};
  return !state_.peers.any() && !owes_answers();
}

/// True while clients wait for ordered runs or for changes of the metadata, within the time for
/// that.
bool SequencerMachine::owes_answers() const {
  return state_.hand_over.may_wait_for_answers(state_.now) &&
         (state_.proposals.size() > 0 || logs_.table().owes_answers());
}

/// Asks a sequencer to take over. Raft refuses a sequencer that lacks entries.
void SequencerMachine::hand_over_when_due() {
  if (!state_.hand_over.is_due(state_.now) || !state_.raft.is_leader() || owes_answers()) return;
  std::vector<HandOver::Candidate> linked;
  for (const SequencerId id : state_.peers.linked()) {
    const std::vector<NodeId>* reached = state_.reach.lately(state_.now, id);
    linked.push_back({id, reached == nullptr ? 0 : logs_served_by(state_.metadata, *reached)});
  }
  const std::vector<SequencerId> best = state_.hand_over.in_order(std::move(linked));
  const auto to = std::ranges::find_if(
      best, [this](SequencerId id) { return state_.raft.hand_over(state_.now, id); });
  if (to == best.end()) return state_.hand_over.asked(state_.now, std::nullopt);
  state_.hand_over.asked(state_.now, *to);
  state_.event(Event::Level::info,
               fmt::format("is to stop; hands over to sequencer {}", to->value));
}

}  // namespace loglog::sequencer

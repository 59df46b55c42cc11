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
  if (!reach_.take_due(now_)) return;
  for (const auto& [id, n] : nodes_.all())
    if (n.connection != ConnectionId{}) out_.sends.push_back({n.connection, {}, Ping{}});
  for (const SequencerId id : peers_.linked()) out_.sends.push_back({peers_.link(id), {}, Ping{}});
  if (reign_.term != Term{}) return yield_when_better(nodes_.reached(now_, metadata_));
  if (const ConnectionId leader = peers_.link(raft_.leader()); leader != ConnectionId{})
    out_.sends.push_back(
        {leader, {}, Reaches{nodes_.reached(now_, metadata_), reach_.space_is_low()}});
}

/// S8: hands over if for 2 s some log's quorums are out of reach and a follower reaches more logs.
void SequencerMachine::yield_when_better(const std::vector<NodeId>& own) {
  const std::size_t served = logs_served_by(metadata_, own), open = open_logs(metadata_);
  if (!hand_over_.should_yield(now_, served, open)) return;
  for (const SequencerId id : reach_.heard_lately(now_)) {
    const std::size_t theirs = logs_served_by(metadata_, *reach_.lately(now_, id));
    if (theirs <= served || !raft_.hand_over(now_, id)) continue;
    hand_over_.yielded(now_);
    return event(
        Event::Level::warning,
        fmt::format(
            "reaches the quorums of {} of {} logs; hands over to sequencer {}, which reaches {}",
            served, open, id.value, theirs));
  }
}

// ---- Stopping

void SequencerMachine::resign(Time now) {
  now_ = now;
  if (resigned()) return;
  hand_over_.resign(now, raft_.is_leader());
  raft_.resign(now);
}

bool SequencerMachine::may_stop() const {
  if (!resigned()) return false;
  if (hand_over_.is_over(now_)) return true;
  // The former leader goes on voting until another sequencer leads, because its vote may be needed.
  if (!raft_.is_leader()) return raft_.leader() != SequencerId{};
  return !peers_.any() && !owes_answers();
}

/// True while clients wait for ordered runs or for changes of the metadata, within the time for
/// that.
bool SequencerMachine::owes_answers() const {
  return hand_over_.may_wait_for_answers(now_) && (proposals_.size() > 0 || logs_.owes_answers());
}

/// Asks a sequencer to take over. Raft refuses a sequencer that lacks entries.
void SequencerMachine::hand_over_when_due() {
  if (!hand_over_.is_due(now_) || !raft_.is_leader() || owes_answers()) return;
  std::vector<HandOver::Candidate> linked;
  for (const SequencerId id : peers_.linked()) {
    const std::vector<NodeId>* reached = reach_.lately(now_, id);
    linked.push_back({id, reached == nullptr ? 0 : logs_served_by(metadata_, *reached)});
  }
  const std::vector<SequencerId> best = hand_over_.in_order(std::move(linked));
  const auto to =
      std::ranges::find_if(best, [this](SequencerId id) { return raft_.hand_over(now_, id); });
  if (to == best.end()) return hand_over_.asked(now_, std::nullopt);
  hand_over_.asked(now_, *to);
  event(Event::Level::info, fmt::format("is to stop; hands over to sequencer {}", to->value));
}

}  // namespace loglog::sequencer

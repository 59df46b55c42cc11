// A voter whose disk is empty (C3): a new cluster's, or one that forgot its votes and what it had
// acknowledged.
#include <algorithm>

#include "proto-spec/vocabulary/rules.h"
#include "sequencer/core/raft/raft.h"

namespace loglog::sequencer::raft {

/// The snapshot stays, because all of it is committed. Of the entries nobody knows which ones a
/// lost cut had taken back, so none stays; a vote may be lost as well, so the others are asked, as
/// by a voter whose disk is empty. An operator's trust is in empty disks only.
void Raft::lost_records(const RaftDisk& disk) {
  RaftDisk snapshot = disk;
  snapshot.entries.clear();
  log_ = RaftLog(snapshot);
  saved_ = log_.last_index();
  had_log_ = true;
  standing_ = Standing::undecided;
}

std::vector<SequencerId> Raft::unanswered() const {
  std::vector<SequencerId> out;
  for (const SequencerId v : config_.voters)
    if (v != config_.id && !answered_.contains(v)) out.push_back(v);
  return out;
}

/// All of them, so that a leader knows for how long this one takes nothing.
void Raft::ask_standing(Time now) {
  ask_due_ = now + config_.heartbeat_interval;
  for (const SequencerId v : config_.voters)
    if (v != config_.id) send(v, AskStanding{ask_round_});
}

/// What it held for this leader is gone: it counts towards a majority for what it holds anew.
void Raft::on_ask_standing(Time now, SequencerId from, const AskStanding& m) {
  send(from, StandingIs{m.round, hard_.term, had_log_ || log_.last_index() != RaftIndex{}});
  auto* l = std::get_if<Leader>(&role_);
  if (l == nullptr || !l->peers.contains(from) || removed(Rule::C3_reset)) return;
  l->peers[from] = Progress{
      RaftIndex{1}, RaftIndex{}, RaftIndex{}, now, 0, now + 2 * config_.heartbeat_interval, {}, {}};
}

/// Who has no log may have lost it, and with it what it had done with the others since they
/// answered: they are asked once more.
void Raft::on_standing(SequencerId from, const StandingIs& m) {
  if (standing_ != Standing::undecided || m.round != ask_round_) return;
  const auto [known, first] = answers_.try_emplace(from, m);
  known->second.term = std::max(known->second.term, m.term);
  known->second.has_log = known->second.has_log || m.has_log;
  if (first && !m.has_log) {
    answered_.clear();
    ++ask_round_;
  }
  answered_.insert(from);
  if (unanswered().empty() || (removed(Rule::C3_asked) && m.has_log)) decide();
}

/// Whoever asked for the vote that was lost with the disk had begun that term before, and has
/// answered since: the highest of their terms is not below it. Where that one has lost its disk
/// too, one of those that elected it says so in the next round. A leader of that term or a later
/// one has all that was committed with what this voter had acknowledged.
void Raft::decide() {
  const bool has_cluster =
      had_log_ || std::ranges::any_of(answers_, [](const auto& a) { return a.second.has_log; });
  for (const auto& [id, a] : answers_)
    if (!removed(Rule::C3_asked)) hard_.term = std::max(hard_.term, a.term);
  standing_ = has_cluster ? Standing::newcomer : Standing::voter;
  hard_.vote = has_cluster ? votes_not_yet : config_.id;
  answers_.clear();
  answered_.clear();
  ask_due_ = never;
  save(hard_);
}

/// Up to date: it holds all that the leader of `term` knew as committed, an entry of that term
/// among it, so that nothing that was committed before is missing. A voter once that is durable.
void Raft::graduate(RaftTerm term, RaftIndex committed) {
  if (standing_ != Standing::newcomer || graduating_ || commit_ != committed ||
      log_.term_at(commit_) != term)
    return;
  graduating_ = true;
  // No vote in this term: it may have given one.
  save(HardState{hard_.term, config_.id}, [this] {
    graduating_ = false;
    hard_.vote = config_.id;
    standing_ = Standing::voter;
    if (auto* f = std::get_if<Follower>(&role_)) f->election_deadline = now_ + random_timeout();
  });
}

}  // namespace loglog::sequencer::raft

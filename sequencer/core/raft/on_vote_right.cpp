// A sequencer whose disk is empty (C3). Either the whole cluster is new, or this sequencer has lost
// its term, its vote and the entries that it had acknowledged. It asks all others to find out.
#include <algorithm>

#include "sequencer/core/raft/raft.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer::raft {

/// The disk has lost records. The snapshot stays, because all of it is committed. No entry stays,
/// because nobody knows which entries a lost cut had taken back. A vote may be lost too, so the
/// others are asked, as for an empty disk. --trust-empty does not apply: it vouches for empty disks
/// only.
void Raft::lost_records(const RaftDisk& disk) {
  RaftDisk snapshot = disk;
  snapshot.entries.clear();
  log_ = RaftLog(snapshot);
  saved_ = log_.last_index();
  had_log_ = true;
  vote_right_ = VoteRight::undecided;
}

std::vector<SequencerId> Raft::unanswered() const {
  std::vector<SequencerId> out;
  for (const SequencerId v : config_.voters)
    if (v != config_.id && !answered_.contains(v)) out.push_back(v);
  return out;
}

/// Asks all others, connected or not, so that a leader knows for how long this sequencer takes
/// nothing.
void Raft::ask_vote_right(Time now) {
  ask_due_ = now + config_.heartbeat_interval;
  for (const SequencerId v : config_.voters)
    if (v != config_.id) send(v, AskVoteRight{ask_round_});
}

/// The asker has lost all that it held. As leader, reset its match index, or entries that it no
/// longer has would count towards a majority (C3).
void Raft::on_ask_vote_right(Time now, SequencerId from, const AskVoteRight& m) {
  send(from, VoteRightIs{m.round, hard_.term, had_log_ || log_.last_index() != RaftIndex{}});
  auto* l = std::get_if<Leader>(&role_);
  if (l == nullptr || !l->peers.contains(from) || !rules::resets_newcomer()) return;
  l->peers[from] = Progress{
      RaftIndex{1}, RaftIndex{}, RaftIndex{}, now, 0, now + 2 * config_.heartbeat_interval, {}, {}};
}

/// A voter that says for the first time that it has no log may have lost its log since the others
/// answered. Then it has lost everything that it had done with them, so another round begins.
void Raft::on_vote_right(SequencerId from, const VoteRightIs& m) {
  if (vote_right_ != VoteRight::undecided || m.round != ask_round_) return;
  const auto [known, first] = answers_.try_emplace(from, m);
  known->second.term = std::max(known->second.term, m.term);
  known->second.has_log = known->second.has_log || m.has_log;
  if (first && !m.has_log) {
    answered_.clear();
    ++ask_round_;
  }
  answered_.insert(from);
  if (rules::may_decide_vote_right(unanswered().empty(), m.has_log)) decide();
}

/// All others have answered the newest round. In an older cluster, a candidate that got the lost
/// vote had begun its term before, and has answered since. So the highest answered term is not
/// below it. If that candidate has lost its disk too, a voter that elected it names the term in the
/// next round. A leader of that term or a later term has everything that was committed with this
/// sequencer's acknowledgement.
void Raft::decide() {
  const bool has_cluster =
      had_log_ || std::ranges::any_of(answers_, [](const auto& a) { return a.second.has_log; });
  for (const auto& [id, a] : answers_) hard_.term = rules::term_after_answer(hard_.term, a.term);
  vote_right_ = has_cluster ? VoteRight::newcomer : VoteRight::voter;
  // A new cluster: this vote for itself keeps it from voting for another candidate in that same
  // term.
  hard_.vote = has_cluster ? votes_not_yet : config_.id;
  answers_.clear();
  answered_.clear();
  ask_due_ = never;
  save(hard_);
}

/// Gives the newcomer its vote back, durably. It holds all that the leader of `term` knew as
/// committed, an entry of that term among it, so nothing that was committed before is missing.
void Raft::regain_vote(RaftTerm term, RaftIndex committed) {
  if (vote_right_ != VoteRight::newcomer || regaining_vote_ || commit_ != committed ||
      log_.term_at(commit_) != term)
    return;
  regaining_vote_ = true;
  // No vote in this term for another candidate: before the loss it may have voted in it.
  save(HardState{hard_.term, config_.id}, [this] {
    regaining_vote_ = false;
    hard_.vote = config_.id;
    vote_right_ = VoteRight::voter;
    if (auto* f = std::get_if<Follower>(&role_)) f->election_deadline = now_ + random_timeout();
  });
}

}  // namespace loglog::sequencer::raft

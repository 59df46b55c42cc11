// Elections (C3): pre-vote, vote, winning, handing over. A granted vote is durable before it is
// told, so no restart can vote twice in a term.
#include <algorithm>

#include "sequencer/core/raft/raft.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer::raft {

/// Stands for election. The pre-vote asks for the next term without entering it, so a sequencer
/// that cannot win does not depose a leader by its higher term.
void Raft::campaign(Time now, bool pre_vote) {
  const bool alone = config_.voters.size() == 1;
  if (!pre_vote) {
    ++elections_stood_;
    hard_ = {hard_.term + 1, config_.id};
    // The own vote counts, and the others are asked, only once the vote is durable.
    save(hard_, [this, alone] {
      auto* c = std::get_if<Candidate>(&role_);
      if (c == nullptr) return;
      c->granted.insert(config_.id);
      if (alone) return won(now_);
      for (SequencerId v : config_.voters)
        if (v != config_.id) ask_for_vote(v);
    });
  }
  role_ = Candidate{pre_vote, {}, {}, now + random_timeout()};
  out_.role_changed = true;
  if (pre_vote) {
    std::get<Candidate>(role_).granted.insert(config_.id);
    for (SequencerId v : config_.voters)
      if (v != config_.id) ask_for_vote(v);
    if (alone) campaign(now, false);
  }
}

void Raft::ask_for_vote(SequencerId voter) {
  const bool pre_vote = std::get<Candidate>(role_).pre_vote;
  send(voter, RequestVote{pre_vote ? hard_.term + 1 : hard_.term, pre_vote, config_.id,
                          log_.last_index(), log_.last_term()});
}

/// True if the voters that are connected and have not refused could still make a majority.
bool Raft::can_win(const Candidate& c) const {
  const auto votes =
      std::count_if(config_.voters.begin(), config_.voters.end(), [&](SequencerId v) {
        return c.granted.contains(v) || (up_.contains(v) && !c.refused.contains(v));
      });
  return static_cast<std::size_t>(votes) >= majority();
}

void Raft::on_request_vote(Time now, SequencerId from, const RequestVote& m) {
  // A sequencer that lost its disk has forgotten its votes, so it refuses all (C3).
  if (vote_right_ != VoteRight::voter) return send(from, Vote{hard_.term, m.pre_vote, false});
  const bool up_to_date =
      rules::is_current({m.last_term, m.last_index}, {log_.last_term(), log_.last_index()});
  if (m.pre_vote) {
    // A voter that hears a live leader refuses a pre-vote and keeps its term, so that a sequencer
    // behind a bad link disturbs nobody.
    bool leader_lives = is_leader();
    if (const auto* f = std::get_if<Follower>(&role_))
      leader_lives =
          f->leader != SequencerId{} && now - f->leader_seen < config_.election_timeout_min;
    // A refusal carries the own term. A candidate that is behind in terms catches up by it;
    // otherwise no voter would ever grant its pre-vote (C3).
    const bool granted = !leader_lives && up_to_date && m.term > hard_.term;
    return send(from, Vote{granted ? m.term : hard_.term, true, granted});
  }
  if (m.term > hard_.term) step_down(now, m.term, SequencerId{});
  if (m.term < hard_.term) return send(from, Vote{hard_.term, false, false});
  const bool free = rules::may_vote_for(from, hard_.vote);
  if (!std::holds_alternative<Follower>(role_) || !free || !up_to_date)
    return send(from, Vote{hard_.term, false, false});
  hard_.vote = from;
  // A follower that has just voted waits for the election to end before it stands itself.
  std::get<Follower>(role_).election_deadline = now + random_timeout();
  save(hard_, [this, from, term = m.term] { send(from, Vote{term, false, true}); });
}

void Raft::on_vote(Time now, SequencerId from, const Vote& m) {
  // Only a granted pre-vote names a term that nobody has entered yet.
  if (!(m.pre_vote && m.granted) && m.term > hard_.term)
    return step_down(now, m.term, SequencerId{});
  auto* c = std::get_if<Candidate>(&role_);
  if (c == nullptr || c->pre_vote != m.pre_vote) return;
  if (!m.granted && !m.pre_vote && m.term == hard_.term) {
    // A split vote happens if two followers see the leader go at the same moment. If no majority is
    // left, the candidate stands anew after a short random delay instead of the whole timeout. That
    // disturbs nobody, because it begins with a pre-vote.
    c->refused.insert(from);
    if (!can_win(*c)) c->election_deadline = std::min(c->election_deadline, now + short_delay());
  }
  if (!m.granted || m.term != (m.pre_vote ? hard_.term + 1 : hard_.term)) return;
  c->granted.insert(from);
  if (c->granted.size() < majority()) return;
  if (!c->granted.contains(config_.id)) return;  // the own vote is not durable yet
  if (c->pre_vote) campaign(now, false);
  else won(now);
}

bool Raft::hand_over(Time now, SequencerId to) {
  now_ = now;
  auto* l = std::get_if<Leader>(&role_);
  if (l == nullptr) return false;
  const auto p = l->peers.find(to);
  // Only a voter with the whole log can win, and only a voter that is alive will stand.
  if (p == l->peers.end() || !up_.contains(to) || p->second.match != log_.last_index() ||
      now - p->second.heard > config_.election_timeout_min)
    return false;
  send(to, Campaign{hard_.term});
  return true;
}

void Raft::resign(Time now) {
  now_ = now;
  resigned_ = true;
  set_wake();
}

/// The leader itself asks for this election, so there is nobody to protect by a pre-vote.
void Raft::on_campaign(Time now, SequencerId from, const Campaign& m) {
  const auto* f = std::get_if<Follower>(&role_);
  if (f != nullptr && !resigned_ && vote_right_ == VoteRight::voter && m.term == hard_.term &&
      f->leader == from)
    campaign(now, false);
}

/// Raft commits only by an entry of the own term, so a new leader appends an entry at once.
void Raft::won(Time now) {
  ++elections_won_;
  Leader l;
  for (SequencerId v : config_.voters)
    if (v != config_.id)
      l.peers[v] =
          Progress{log_.last_index() + 1, RaftIndex{}, log_.last_index(), now, 0, {}, {}, {}};
  l.first_own = log_.last_index() + 1;
  l.heartbeat_due = now + config_.heartbeat_interval;
  l.round = 1;
  role_ = std::move(l);
  out_.role_changed = true;
  propose(now, first_entry_ ? first_entry_() : Bytes{}, std::get<Leader>(role_).first_own);
}

}  // namespace loglog::sequencer::raft

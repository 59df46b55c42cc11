// Raft: construction, dispatch, saves, ticks, and the leader's calls. A reply that depends on a
// save is the save's `then`, so nothing is answered before it is durable.
#include "sequencer/core/raft/raft.h"

#include <algorithm>

#include "proto-spec/vocabulary/check.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer::raft {

void Output::clear() { *this = Output{}; }

Raft::Raft(Config config, const RaftDisk& disk, std::uint64_t seed,
           std::function<Bytes()> first_entry)
    : config_(std::move(config)),
      random_(seed),
      first_entry_(std::move(first_entry)),
      hard_(disk.hard_state),
      log_(disk) {
  check(std::find(config_.voters.begin(), config_.voters.end(), config_.id) != config_.voters.end(),
        "a sequencer is one of its voters");
  // A snapshot holds committed entries only, and nothing else on disk is known to be committed.
  commit_ = handed_out_ = log_.snapshot_index();
  saved_ = log_.last_index();
  const bool empty = hard_ == HardState{} && log_.last_index() == RaftIndex{};
  if (rules::must_ask_after_lost_records(disk.lost_records)) {
    lost_records(disk);
    return;
  }
  if (!rules::withholds_vote_after_loss()) return;
  if (hard_.vote == votes_not_yet) vote_right_ = VoteRight::newcomer;
  else if (empty && config_.voters.size() > 1 && !config_.trust_empty)
    vote_right_ = VoteRight::undecided;
}

void Raft::start(Time now) {
  now_ = now;
  // A single voter has nobody to wait for.
  const Duration wait = config_.voters.size() == 1 ? Duration{0} : random_timeout();
  role_ = Follower{SequencerId{}, now + wait, Time{} - 3600s};
  if (log_.snapshot_index() != RaftIndex{}) {
    out_.install_snapshot = true;
    out_.snapshot = log_.snapshot();
    out_.snapshot_index = log_.snapshot_index();
  }
  if (config_.voters.size() == 1) campaign(now, false);
  if (vote_right_ == VoteRight::undecided) ask_vote_right(now);
  set_wake();
}

RaftRole Raft::role() const {
  if (std::holds_alternative<Leader>(role_)) return RaftRole::leader;
  return std::holds_alternative<Candidate>(role_) ? RaftRole::candidate : RaftRole::follower;
}

SequencerId Raft::leader() const {
  if (is_leader()) return config_.id;
  const auto* f = std::get_if<Follower>(&role_);
  return f ? f->leader : SequencerId{};
}

bool Raft::own_term_committed() const {
  const auto* l = std::get_if<Leader>(&role_);
  return l != nullptr && commit_ >= l->first_own;
}

Duration Raft::random_timeout() {
  const auto min = static_cast<std::uint64_t>(config_.election_timeout_min.count());
  return Duration(static_cast<std::int64_t>(min + random_.below(min + 1)));
}

Duration Raft::short_delay() {
  const auto max = static_cast<std::uint64_t>(config_.closed_leader_hint_max.count());
  return Duration(static_cast<std::int64_t>(random_.below(max + 1)));
}

void Raft::peer_connected(Time now, SequencerId peer) {
  now_ = now;
  up_.insert(peer);
  if (vote_right_ == VoteRight::undecided) send(peer, AskVoteRight{ask_round_});
  if (auto* l = std::get_if<Leader>(&role_)) {
    // Messages that were under way on the old connection are lost, so sending begins again at the
    // point that is known to match.
    Progress& p = l->peers[peer];
    p.sent = p.next - 1;
    p.snapshot = {};
    send_entries(now, peer, true);
  } else if (const auto* c = std::get_if<Candidate>(&role_)) {
    // The voter could not be asked before. Without this question an election with few voters up
    // would wait out the whole timeout.
    if (c->granted.contains(config_.id) && !c->granted.contains(peer)) ask_for_vote(peer);
  }
  set_wake();
}

void Raft::peer_disconnected(Time now, SequencerId peer) {
  now_ = now;
  up_.erase(peer);
  // A connection that the leader's end closed is a hint that the leader died. The follower stands
  // early; the pre-vote keeps a wrong hint harmless.
  if (auto* f = std::get_if<Follower>(&role_); f != nullptr && f->leader == peer) {
    f->election_deadline = std::min(f->election_deadline, now + short_delay());
    f->leader_seen = Time{} - 3600s;
  }
  set_wake();
}

void Raft::receive(Time now, SequencerId from, const Message& m) {
  now_ = now;
  if (const std::string why = implausible(from, m); !why.empty()) refuse(from, m, why);
  else if (const auto* q = std::get_if<AskVoteRight>(&m)) on_ask_vote_right(now, from, *q);
  else if (const auto* t = std::get_if<VoteRightIs>(&m)) on_vote_right(from, *t);
  else if (const auto* v = std::get_if<RequestVote>(&m)) on_request_vote(now, from, *v);
  else if (vote_right_ == VoteRight::undecided)
    // An undecided sequencer takes nothing, not even answers to its former self (C3).
    return;
  else if (const auto* a = std::get_if<Vote>(&m)) on_vote(now, from, *a);
  else if (const auto* e = std::get_if<AppendEntries>(&m)) on_append(now, from, *e);
  else if (const auto* r = std::get_if<Appended>(&m)) on_appended(now, from, *r);
  else if (const auto* s = std::get_if<InstallSnapshot>(&m)) on_snapshot(now, from, *s);
  else if (const auto* h = std::get_if<Campaign>(&m)) on_campaign(now, from, *h);
  set_wake();
}

void Raft::save_done(Time now, std::uint64_t ticket) {
  now_ = now;
  check(!saving_.empty() && saving_.front().ticket == ticket, "Raft saves finish in order");
  const PendingSave done = std::move(saving_.front());
  saving_.erase(saving_.begin());
  // If the term has moved on, the answer would speak for a term that this sequencer has left.
  if (done.then && done.term == hard_.term) done.then();
  set_wake();
}

void Raft::save(SaveRaft s, std::function<void()> then) {
  s.ticket = ++tickets_;
  saving_.push_back({s.ticket, hard_.term, std::move(then)});
  out_.saves.push_back(std::move(s));
}

void Raft::save(HardState h, std::function<void()> then) {
  SaveRaft s;
  s.hard_state = h;
  save(std::move(s), std::move(then));
}

void Raft::tick(Time now) {
  now_ = now;
  if (vote_right_ != VoteRight::voter) {
    if (vote_right_ == VoteRight::undecided && now >= ask_due_) ask_vote_right(now);
  } else if (auto* f = std::get_if<Follower>(&role_)) {
    if (now >= f->election_deadline && !resigned_) campaign(now, rules::begins_with_pre_vote());
  } else if (auto* c = std::get_if<Candidate>(&role_)) {
    if (now >= c->election_deadline && !resigned_) campaign(now, rules::begins_with_pre_vote());
  } else if (auto* l = std::get_if<Leader>(&role_)) {
    // Check-quorum: once this leader gives way, clients find the other leader.
    std::size_t heard = 1;
    for (const auto& [id, p] : l->peers)
      if (now - p.heard < 2 * config_.election_timeout_min) ++heard;
    if (rules::must_give_way(heard, majority())) {
      step_down(now, hard_.term, SequencerId{});
    } else if (now >= l->heartbeat_due) {
      l->heartbeat_due = now + config_.heartbeat_interval;
      ++l->round;
      for (auto& [id, p] : l->peers)
        // A message may be lost with a connection: entries that were not answered go out again.
        p.sent = p.next - 1;
      broadcast(now, true);
    }
  }
  set_wake();
}

/// Becomes a follower of `leader` (0: unknown) and adopts a higher term. The election deadline of a
/// follower stays, so that candidates that cannot win do not keep others from standing.
void Raft::step_down(Time now, RaftTerm term, SequencerId leader) {
  if (auto* l = std::get_if<Leader>(&role_))
    for (const PendingRead& r : l->reads) out_.failed_reads.push_back(r.token);
  const bool was_follower = std::holds_alternative<Follower>(role_);
  if (term > hard_.term) {
    // A vote of the old term says nothing in the new term. A newcomer stays without the right to
    // vote.
    hard_ = {term, vote_right_ == VoteRight::voter ? SequencerId{} : votes_not_yet};
    regaining_vote_ = false;
    save(hard_);
  }
  const Time deadline =
      was_follower ? std::get<Follower>(role_).election_deadline : now + random_timeout();
  const Time seen = was_follower ? std::get<Follower>(role_).leader_seen : Time{} - 3600s;
  role_ = Follower{leader, deadline, seen};
  out_.role_changed = true;
}

bool Raft::propose(Time now, Bytes command, RaftIndex& index) {
  now_ = now;
  if (!is_leader()) return false;
  RaftEntry e{hard_.term, log_.last_index() + 1, std::move(command)};
  log_.append(e);
  SaveRaft s;
  s.entries.push_back(e);
  // The leader's own copy counts once it is durable, like every follower's.
  save(std::move(s), [this, own = e.index] {
    saved_ = std::max(saved_, own);
    advance_commit();
  });
  broadcast(now, false);
  set_wake();
  index = e.index;
  return true;
}

void Raft::read_index(Time now, std::uint64_t token) {
  now_ = now;
  auto* l = std::get_if<Leader>(&role_);
  // R2, Raft's read index: before an entry of its own term is committed, a leader does not know the
  // newest commit index.
  if (l == nullptr || !own_term_committed()) {
    out_.failed_reads.push_back(token);
    return;
  }
  l->reads.push_back({token, ++l->round, commit_});
  broadcast(now, true);
  answer_reads();
  set_wake();
}

void Raft::compact(RaftIndex applied, Bytes snapshot) {
  if (applied <= log_.snapshot_index()) return;
  check(applied <= handed_out_, "only applied entries are compacted");
  const RaftTerm term = log_.term_at(applied);
  SaveRaft s;
  s.has_snapshot = true;
  s.snapshot_index = applied;
  s.snapshot_term = term;
  s.snapshot = snapshot;
  s.snapshot_may_wait = true;
  save(std::move(s), nullptr);
  log_.compact(applied, term, std::move(snapshot));
}

/// Hands out the entries up to `index`; the index never moves back.
void Raft::commit_to(RaftIndex index) {
  if (index <= commit_) return;
  commit_ = index;
  while (handed_out_ < commit_) {
    handed_out_ = handed_out_ + 1;
    out_.committed.push_back(log_.at(handed_out_));
  }
}

/// A sequencer without the right to vote and a resigned follower wait for no election.
void Raft::set_wake() {
  if (vote_right_ != VoteRight::voter)
    out_.wake = vote_right_ == VoteRight::undecided ? ask_due_ : never;
  else if (resigned_ && !is_leader()) out_.wake = never;
  else if (const auto* f = std::get_if<Follower>(&role_)) out_.wake = f->election_deadline;
  else if (const auto* c = std::get_if<Candidate>(&role_)) out_.wake = c->election_deadline;
  else out_.wake = config_.voters.size() == 1 ? never : std::get<Leader>(role_).heartbeat_due;
}

}  // namespace loglog::sequencer::raft

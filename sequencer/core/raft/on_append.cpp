// Replication: entries, snapshots, their answers, commit and read index.
#include <algorithm>

#include "proto-spec/vocabulary/rules.h"
#include "sequencer/core/raft/raft.h"

namespace loglog::sequencer::raft {

void Raft::broadcast(Time now, bool even_if_empty) {
  for (SequencerId v : config_.voters)
    if (v != config_.id) send_entries(now, v, even_if_empty);
}

void Raft::send_entries(Time now, SequencerId to, bool even_if_empty) {
  auto& l = std::get<Leader>(role_);
  Progress& p = l.peers[to];
  if (now < p.undecided_until) return;
  const RaftIndex from = std::max(p.next, p.sent + 1);
  if (from <= log_.snapshot_index()) return send_snapshot(now, to, p, even_if_empty);
  if (from > log_.last_index() && !even_if_empty) return;
  AppendEntries a{hard_.term, config_.id, from - 1, log_.term_at(from - 1), commit_, l.round, {}};
  std::size_t bytes = 0;
  for (RaftIndex i = from; i <= log_.last_index() && bytes < config_.append_bytes_max; i = i + 1) {
    a.entries.push_back(log_.at(i));
    bytes += log_.at(i).command.size() + 32;
  }
  if (!a.entries.empty()) p.sent = a.entries.back().index;
  send(to, std::move(a));
}

/// A snapshot may be megabytes: while one is on its way, heartbeats that ask for nothing keep the
/// voter from standing for election.
void Raft::send_snapshot(Time now, SequencerId to, Progress& p, bool even_if_empty) {
  const std::uint64_t round = std::get<Leader>(role_).round;
  if (p.match < p.snapshot && now < p.snapshot_until) {
    if (even_if_empty) send(to, AppendEntries{hard_.term, config_.id, {}, {}, commit_, round, {}});
    return;
  }
  if (p.sent >= log_.snapshot_index()) return;
  send(to, InstallSnapshot{hard_.term, config_.id, log_.snapshot_index(), log_.snapshot_term(),
                           round, log_.snapshot()});
  p.snapshot = p.sent = log_.snapshot_index();
  p.snapshot_until = now + config_.snapshot_patience;
}

void Raft::on_append(Time now, SequencerId from, const AppendEntries& m) {
  // The round is one of an older reign: it must confirm nothing in this one.
  if (m.term < hard_.term) return send(from, Appended{hard_.term, false, log_.last_index(), 0});
  if (m.term > hard_.term || !std::holds_alternative<Follower>(role_)) step_down(now, m.term, from);
  auto& f = std::get<Follower>(role_);
  if (f.leader != from) out_.role_changed = true;
  f.leader = from;
  f.leader_seen = now;
  f.election_deadline = now + random_timeout();

  // What the snapshot covers is committed, so it agrees.
  if (m.previous_index > log_.last_index() || (m.previous_index >= log_.snapshot_index() &&
                                               log_.term_at(m.previous_index) != m.previous_term)) {
    // Fast back-up: past the whole term that disagrees, but never below what is known to be
    // committed.
    RaftIndex hint = std::min(log_.last_index(), m.previous_index);
    if (m.previous_index <= log_.last_index()) {
      const RaftTerm bad = log_.term_at(m.previous_index);
      while (hint > log_.snapshot_index() && log_.term_at(hint) == bad) hint = hint - 1;
    }
    return send(from, Appended{hard_.term, false, std::max(hint, commit_), m.round});
  }
  SaveRaft s;
  for (const RaftEntry& e : m.entries) {
    if (e.index <= log_.snapshot_index()) continue;
    if (e.index <= log_.last_index()) {
      if (log_.term_at(e.index) == e.term) continue;
      log_.truncate_from(e.index);
      s.truncate_from = e.index;
      saved_ = std::min(saved_, e.index - 1);
    }
    log_.append(e);
    s.entries.push_back(e);
  }
  const RaftIndex match = m.entries.empty() ? m.previous_index : m.entries.back().index;
  const RaftIndex commit = std::min(m.committed, match);
  const auto answer = [this, from, match, round = m.round] {
    saved_ = std::max(saved_, match);
    send(from, Appended{hard_.term, true, match, round});
  };
  // An answer to nothing new still waits behind saves under way: it may speak of their entries.
  if (s.entries.empty() && saving_.empty()) answer();
  else save(std::move(s), answer);
  commit_to(commit);
  graduate(m.term, m.committed);
}

void Raft::on_snapshot(Time now, SequencerId from, const InstallSnapshot& m) {
  if (m.term < hard_.term) return send(from, Appended{hard_.term, false, log_.last_index(), 0});
  if (m.term > hard_.term || !std::holds_alternative<Follower>(role_)) step_down(now, m.term, from);
  auto& f = std::get<Follower>(role_);
  f.leader = from;
  f.leader_seen = now;
  f.election_deadline = now + random_timeout();
  if (m.last_index <= commit_) {
    // What is committed may still be on its way to the own disk.
    const auto answer = [this, from, match = commit_, round = m.round] {
      send(from, Appended{hard_.term, true, match, round});
    };
    return saving_.empty() ? answer() : save(SaveRaft{}, answer);
  }
  log_.compact(m.last_index, m.last_term, m.snapshot);
  // A longer log that did not agree is gone, and with it what counted as saved beyond the snapshot
  // (C3).
  saved_ = std::min(saved_, log_.last_index());
  commit_ = handed_out_ = m.last_index;
  out_.install_snapshot = true;
  out_.snapshot = m.snapshot;
  out_.snapshot_index = m.last_index;
  out_.committed.clear();
  SaveRaft s;
  s.has_snapshot = true;
  s.snapshot = m.snapshot;
  s.snapshot_index = m.last_index;
  s.snapshot_term = m.last_term;
  save(std::move(s), [this, from, index = m.last_index, round = m.round] {
    saved_ = std::max(saved_, index);
    send(from, Appended{hard_.term, true, index, round});
  });
}

void Raft::on_appended(Time now, SequencerId from, const Appended& m) {
  if (m.term > hard_.term) return step_down(now, m.term, SequencerId{});
  auto* l = std::get_if<Leader>(&role_);
  if (l == nullptr || m.term != hard_.term || !l->peers.contains(from)) return;
  Progress& p = l->peers[from];
  p.heard = now;
  p.round = std::max(p.round, m.round);
  if (m.success) {
    p.match = std::max(p.match, m.match);
    p.next = std::max(p.next, p.match + 1);
    p.sent = std::max(p.sent, p.match);
    advance_commit();
  } else {
    p.next = std::max(p.match + 1, std::min(p.next, m.match + 1));
    p.sent = p.next - 1;
  }
  if (is_leader()) {
    answer_reads();
    if (p.sent < log_.last_index()) send_entries(now, from, false);
  }
}

void Raft::advance_commit() {
  auto* l = std::get_if<Leader>(&role_);
  if (l == nullptr) return;
  std::vector<RaftIndex> match{saved_};
  for (const auto& [id, p] : l->peers) match.push_back(p.match);
  std::sort(match.begin(), match.end(), std::greater<>());
  const RaftIndex index = std::min(match[majority() - 1], log_.last_index());
  // Only entries of the own term are committed by counting (C3); older ones with them.
  if (index <= commit_ || (log_.term_at(index) != hard_.term && !removed(Rule::C3_own_term)))
    return;
  commit_to(index);
  broadcast(now_, true);
}

void Raft::answer_reads() {
  auto& l = std::get<Leader>(role_);
  std::erase_if(l.reads, [&](const PendingRead& r) {
    std::size_t confirmed = 1;
    for (const auto& [id, p] : l.peers)
      if (p.round >= r.round) ++confirmed;
    if (confirmed < majority()) return false;
    out_.reads.push_back(r.token);
    return true;
  });
}

}  // namespace loglog::sequencer::raft

// Replication: entries, snapshots and their answers, the commit index and the read index. A
// follower answers an entry only once it is durable.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "proto-spec/wire/field_codec.h"
#include "sequencer/core/raft/raft.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer::raft {
namespace {

/// The first entry of a record version above `highest`; end(): there is none.
auto first_unread(const std::vector<RaftEntry>& entries, std::uint8_t highest) {
  return std::ranges::find_if(entries, [highest](const RaftEntry& e) {
    return version_of_record(e.command.span()) > highest;
  });
}

}  // namespace

void Raft::broadcast(Time now, bool even_if_empty) {
  for (SequencerId v : config_.voters)
    if (v != config_.id) send_entries(now, v, even_if_empty);
}

/// Sends the entries that were not sent yet, at most append_bytes_max. `even_if_empty`: a heartbeat
/// is wanted, which also asks the follower to confirm the lead.
void Raft::send_entries(Time now, SequencerId to, bool even_if_empty) {
  auto& l = std::get<Leader>(role_);
  Progress& p = l.peers[to];
  if (now < p.undecided_until) return;
  // Sending is optimistic: it goes on behind entries that are not answered. Each heartbeat falls
  // back to the answered entries.
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

/// A snapshot may be megabytes. While a snapshot is on its way, heartbeats without a position keep
/// the voter from standing for election, and the snapshot is not sent again.
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
  // The round belongs to an older reign, so the answer names round 0 and confirms nothing here.
  if (m.term < hard_.term) return send(from, Appended{hard_.term, false, log_.last_index(), 0});
  // A message of the current term comes from its leader, so a candidate of that term has lost.
  if (m.term > hard_.term || !std::holds_alternative<Follower>(role_)) step_down(now, m.term, from);
  auto& f = std::get<Follower>(role_);
  if (f.leader != from) out_.role_changed = true;
  f.leader = from;
  f.leader_seen = now;
  f.election_deadline = now + random_timeout();

  // Entries that the snapshot covers are committed, so they agree with the leader's.
  if (m.previous_index > log_.last_index() || (m.previous_index >= log_.snapshot_index() &&
                                               log_.term_at(m.previous_index) != m.previous_term)) {
    // The follower names where its log may agree: below the whole term that disagrees, so that the
    // leader backs up a term in a step. The hint is never below the committed entries, which do
    // agree.
    RaftIndex hint = std::min(log_.last_index(), m.previous_index);
    if (m.previous_index <= log_.last_index()) {
      const RaftTerm bad = log_.term_at(m.previous_index);
      while (hint > log_.snapshot_index() && log_.term_at(hint) == bad) hint = hint - 1;
    }
    return send(from, Appended{hard_.term, false, std::max(hint, commit_), m.round});
  }
  SaveRaft s;
  // T7: entries are taken up to the first that this program does not read. With the others the
  // directory would name their version, and the program could not start on it again. RaiseVersion
  // stands before them: the program ends when it applies that command.
  const auto unread = first_unread(m.entries, config_.record_version_highest);
  if (unread != m.entries.end())
    alarm(
        fmt::format("entry {} from sequencer {} is a record of version {}, and this program "
                    "reads up to version {}: start a program here that reads it",
                    unread->index.value, from.value, version_of_record(unread->command.span()),
                    config_.record_version_highest));
  const std::span<const RaftEntry> entries(m.entries.begin(), unread);
  // Only a contradiction cuts the log. An entry that is there already stays, because the message
  // may be an old copy, and a later entry may have been answered since.
  for (const RaftEntry& e : entries) {
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
  const RaftIndex match = entries.empty() ? m.previous_index : entries.back().index;
  // The message vouches only for entries up to its own last entry, and only if they were taken.
  const RaftIndex commit = std::min(m.committed, match);
  const auto answer = [this, from, match, round = m.round] {
    saved_ = std::max(saved_, match);
    send(from, Appended{hard_.term, true, match, round});
  };
  // An answer about nothing new still waits behind the saves under way, because it vouches for
  // their entries.
  if (s.entries.empty() && saving_.empty()) answer();
  else save(std::move(s), answer);
  commit_to(commit);
  regain_vote(m.term, m.committed);
}

void Raft::on_snapshot(Time now, SequencerId from, const InstallSnapshot& m) {
  if (m.term < hard_.term) return send(from, Appended{hard_.term, false, log_.last_index(), 0});
  if (m.term > hard_.term || !std::holds_alternative<Follower>(role_)) step_down(now, m.term, from);
  auto& f = std::get<Follower>(role_);
  f.leader = from;
  f.leader_seen = now;
  f.election_deadline = now + random_timeout();
  if (m.last_index <= commit_) {
    // Committed entries may still be on their way to the own disk, so the answer waits for the
    // saves.
    const auto answer = [this, from, match = commit_, round = m.round] {
      send(from, Appended{hard_.term, true, match, round});
    };
    return saving_.empty() ? answer() : save(SaveRaft{}, answer);
  }
  log_.compact(m.last_index, m.last_term, m.snapshot);
  // A longer log that contradicted the snapshot is gone, and so is everything that counted as saved
  // beyond the snapshot (C3).
  saved_ = std::min(saved_, log_.last_index());
  commit_ = handed_out_ = m.last_index;
  out_.install_snapshot = true;
  out_.snapshot = m.snapshot;
  out_.snapshot_index = m.last_index;
  // Entries that were handed out in this step and not taken yet are part of the snapshot.
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
    // A refusal: back up to the follower's hint, but not below entries that are known to match. An
    // old refusal must not undo newer answers.
  } else {
    p.next = std::max(p.match + 1, std::min(p.next, m.match + 1));
    p.sent = p.next - 1;
  }
  if (is_leader()) {
    answer_reads();
    if (p.sent < log_.last_index()) send_entries(now, from, false);
  }
}

/// The majority-th largest index. The own log counts as far as it is durable.
void Raft::advance_commit() {
  auto* l = std::get_if<Leader>(&role_);
  if (l == nullptr) return;
  std::vector<RaftIndex> match{saved_};
  for (const auto& [id, p] : l->peers) match.push_back(p.match);
  std::sort(match.begin(), match.end(), std::greater<>());
  const RaftIndex index = std::min(match[majority() - 1], log_.last_index());
  // C3: older entries are committed with the first entry of the own term. A later leader could
  // replace an older entry that is merely held by a majority.
  if (index <= commit_ || !rules::may_commit_by_counting(log_.term_at(index), hard_.term)) return;
  commit_to(index);
  broadcast(now_, true);
}

/// R2: a majority, this leader included, has echoed the question's round or a later round. So
/// this sequencer still led when the question came.
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

// Messages that no correct peer sends (spec/04, "Links between sequencers"). Raft::receive() asks
// here before it uses any number of a message. A wrong index would read beyond the log, and a wrong
// term could not be taken back. A wrong entry would cut entries that a majority has committed.
#include <fmt/format.h>

#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/wire/field_codec.h"
#include "sequencer/core/raft/raft.h"

namespace loglog::sequencer::raft {
namespace {

/// Between two alarms about refused messages.
constexpr Duration alarm_pause = 1s;

/// The Raft term that a message names; 0 if it names none.
RaftTerm named_term(const Message& m) {
  return std::visit(
      [](const auto& v) {
        if constexpr (requires { RaftTerm{v.term} == v.term; }) return v.term;
        else return RaftTerm{};
      },
      static_cast<const MessageVariant&>(m));
}

/// Far beyond the own log's end: an index that ordinary replication cannot reach.
bool is_too_far(RaftIndex i, RaftIndex last) {
  return i > last && i - last.value > RaftIndex{raft_index_ahead_max};
}

}  // namespace

/// The reason why no correct peer sends this message; empty if it is plausible.
std::string Raft::implausible(SequencerId from, const Message& m) const {
  if (const RaftTerm named = named_term(m);
      named > hard_.term && named.value - hard_.term.value > raft_term_ahead_max)
    return fmt::format("Raft term {} is more than {} above this one's, {}", named.value,
                       raft_term_ahead_max, hard_.term.value);
  if (const auto* a = std::get_if<AppendEntries>(&m)) return implausible_entries(from, *a);
  if (const auto* s = std::get_if<InstallSnapshot>(&m)) return implausible_snapshot(from, *s);
  if (const auto* r = std::get_if<Appended>(&m)) return implausible_answer(*r);
  if (const auto* v = std::get_if<RequestVote>(&m); v != nullptr && v->candidate != from)
    return fmt::format("it asks for a vote for sequencer {}", v->candidate.value);
  return {};
}

std::string Raft::implausible_entries(SequencerId from, const AppendEntries& m) const {
  if (m.term < hard_.term)
    return {};  // refused for its term; a deposed leader may hold other entries
  if (m.leader != from) return fmt::format("it sends entries of sequencer {}", m.leader.value);
  if (is_too_far(m.previous_index, log_.last_index()))
    return fmt::format("entry {} is more than {} above the log's end", m.previous_index.value,
                       raft_index_ahead_max);
  // Entries are consecutive, their terms ascend, and no entry contradicts a committed entry.
  RaftIndex index = m.previous_index;
  RaftTerm term = m.previous_term;
  for (const RaftEntry& e : m.entries) {
    if (e.index != index + 1)
      return fmt::format("entry {} follows entry {}", e.index.value, index.value);
    if (e.term < term || e.term > m.term)
      return fmt::format("entry {} is of term {}, after term {} and in term {}", e.index.value,
                         e.term.value, term.value, m.term.value);
    if (contradicts_committed(e.index, e.term))
      return fmt::format(
          "entry {} of term {} would replace a committed one; all up to {} are committed",
          e.index.value, e.term.value, commit_.value);
    if (version_of_record(e.command.span()) == 0)
      return fmt::format("the record version of entry {} is damaged", e.index.value);
    index = e.index;
    term = e.term;
  }
  return {};
}

std::string Raft::implausible_snapshot(SequencerId from, const InstallSnapshot& m) const {
  if (m.term < hard_.term) return {};
  if (m.leader != from) return fmt::format("it sends a snapshot of sequencer {}", m.leader.value);
  if (m.last_term > m.term)
    return fmt::format("a snapshot ends in term {}, above its leader's term {}", m.last_term.value,
                       m.term.value);
  if (is_too_far(m.last_index, log_.last_index()))
    return fmt::format("a snapshot ends at entry {}, more than {} above the log's end",
                       m.last_index.value, raft_index_ahead_max);
  // It would take the place of all that this sequencer can read.
  if (m.last_index > commit_ && config_.can_read && !config_.can_read(m.snapshot, m.last_index))
    return fmt::format(
        "the snapshot at entry {} is damaged, or of a version newer than this "
        "sequencer's, which must then be upgraded",
        m.last_index.value);
  return {};
}

/// A peer has only entries that this leader sent in its term, and echoes only rounds that it was
/// told.
std::string Raft::implausible_answer(const Appended& m) const {
  const auto* l = std::get_if<Leader>(&role_);
  if (l == nullptr || m.term != hard_.term) return {};
  if (m.success && m.match > log_.last_index())
    return fmt::format("it has entry {}, and the log ends at {}", m.match.value,
                       log_.last_index().value);
  if (m.round > l->round)
    return fmt::format("it echoes round {}, and the newest is {}", m.round, l->round);
  return {};
}

bool Raft::contradicts_committed(RaftIndex index, RaftTerm term) const {
  return index <= commit_ && index >= log_.snapshot_index() && log_.term_at(index) != term;
}

/// Drops the message.
void Raft::refuse(SequencerId from, const Message& m, const std::string& why) {
  alarm(fmt::format("refused {} from sequencer {}: {}; find out what runs under that id",
                    name_of(type_of(m)), from.value, why));
}

/// Raises the alarm, once a second at most, so that a peer cannot fill the log files.
void Raft::alarm(std::string text) {
  if (now_ < alarm_after_) return;
  alarm_after_ = now_ + alarm_pause;
  out_.alarms.push_back(std::move(text));
}

}  // namespace loglog::sequencer::raft

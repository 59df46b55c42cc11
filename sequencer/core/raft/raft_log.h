// The Raft entries in memory after the last snapshot, and the meaning of a save for the state on
// disk. RaftLog belongs to raft.h; the free functions are shared by io/posix_raft_storage.cpp and
// the simulator, so that both disks behave alike.
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "proto-spec/vocabulary/check.h"
#include "sequencer/core/output.h"

namespace loglog::sequencer::raft {

/// Makes the log of a disk consistent with its snapshot, which may be newer after a crash between
/// the two writes. Entries that the snapshot covers go; the whole log goes if it contradicts the
/// snapshot. True if an entry was removed.
inline bool follow_snapshot(RaftDisk& d) {
  bool contradicts = false;
  for (const RaftEntry& e : d.entries)
    contradicts = contradicts || (e.index == d.snapshot_index && e.term != d.snapshot_term);
  return std::erase_if(d.entries, [&](const RaftEntry& e) {
           return contradicts || e.index <= d.snapshot_index;
         }) != 0;
}

/// Applies a completed save to the state on disk.
inline void apply(RaftDisk& d, const SaveRaft& s) {
  if (std::exchange(d.lost_records, false)) d.entries.clear();
  d.record_version = std::max(d.record_version, s.record_version);
  if (s.has_snapshot) {
    d.snapshot = s.snapshot;
    d.snapshot_index = s.snapshot_index;
    d.snapshot_term = s.snapshot_term;
    follow_snapshot(d);
  }
  if (s.hard_state) d.hard_state = *s.hard_state;
  if (s.truncate_from != RaftIndex{})
    std::erase_if(d.entries, [&](const RaftEntry& e) { return e.index >= s.truncate_from; });
  d.entries.insert(d.entries.end(), s.entries.begin(), s.entries.end());
}

/// Consecutive entries from `snapshot_index` + 1 on, in memory. Durability is the caller's concern.
class RaftLog {
 public:
  RaftLog() = default;
  explicit RaftLog(const RaftDisk& disk)
      : snapshot_(disk.snapshot),
        snapshot_index_(disk.snapshot_index),
        snapshot_term_(disk.snapshot_term),
        entries_(disk.entries) {}

  RaftIndex last_index() const {
    return entries_.empty() ? snapshot_index_ : entries_.back().index;
  }
  RaftTerm last_term() const { return entries_.empty() ? snapshot_term_ : entries_.back().term; }
  RaftIndex snapshot_index() const { return snapshot_index_; }
  RaftTerm snapshot_term() const { return snapshot_term_; }
  const Bytes& snapshot() const { return snapshot_; }

  /// True if the term at `index` is known: from the snapshot's end up to the last entry.
  bool knows(RaftIndex index) const { return index >= snapshot_index_ && index <= last_index(); }
  /// `index` must be known.
  RaftTerm term_at(RaftIndex index) const {
    return index == snapshot_index_ ? snapshot_term_ : at(index).term;
  }
  const RaftEntry& at(RaftIndex index) const {
    check(index > snapshot_index_ && index <= last_index(),
          "an entry is in memory: above the snapshot, up to the last one");
    return entries_[index.value - snapshot_index_.value - 1];
  }

  /// Appends the next entry. Its command is copied to memory of its own. A received command is a
  /// small slice of its message's block and would keep the whole block in memory.
  void append(RaftEntry e) {
    check(e.index == last_index() + 1, "entries are consecutive");
    e.command = e.command.to_keep();
    entries_.push_back(std::move(e));
  }
  /// Removes the entries from `index` on; `index` lies above the snapshot.
  void truncate_from(RaftIndex index) { entries_.resize(index.value - snapshot_index_.value - 1); }
  /// Replaces everything up to `index` by a snapshot. Later entries stay only if the log holds the
  /// snapshot's last entry in the same term.
  void compact(RaftIndex index, RaftTerm term, Bytes snapshot) {
    if (knows(index) && term_at(index) == term)
      entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(
                                                              index.value - snapshot_index_.value));
    else entries_.clear();
    snapshot_ = std::move(snapshot);
    snapshot_index_ = index;
    snapshot_term_ = term;
  }

 private:
  Bytes snapshot_;
  RaftIndex snapshot_index_{};
  RaftTerm snapshot_term_{};
  std::vector<RaftEntry> entries_;
};

}  // namespace loglog::sequencer::raft

// Writes the records of a node's journal: gathers the groups of many logs while a write is under
// way, puts all that fit into the next record, and tells which logs' groups are durable. Uses no
// timer: a record is built when the writer is free and a group waits.
//
// The writer owes its users:
// - J1: a group counts as durable only after the fdatasync of its record (done()).
// - J6: one write is under way at a time. So a record on the disk proves that all records before it
//   were durable.
// - Groups go into records in the order in which they came.
// - J2: if the ring has no place, groups wait and nothing is lost or moved. stalled() says so; the
//   caller then makes checkpoints of the ring's pins().
// - J9: holds() is true for a log from add() until its record is durable, so that a leader is told
//   no state that still changes (S1).
//
// A user owes the writer: one group of a log at a time; no group for which takes() is false,
// because a large group goes directly to its segment, so that its bytes are written once; the lazy
// write of the group to its segment requested before add() (journal_floors.h); and done() at the
// end of each write. A failed write ends the process (J8, K2), so that no done() follows it.
#pragma once
#include <deque>
#include <optional>
#include <unordered_set>
#include <vector>

#include "proto-spec/disk/segment.h"
#include "storage-node/core/store/journal/journal_floors.h"

namespace loglog::storage {

/// The frames of one log for the next record, or its marks alone.
struct JournalGroup {
  LogId log;
  /// First offset of the segment that the frames go to.
  Offset segment;
  /// The tail before the group, and the chain there.
  Offset offset;
  Chain chain;
  /// Stamped frames; empty: marks alone, for a log that has become idle (K3).
  std::vector<Bytes> frames;
  /// Sum of the sizes of `frames`.
  std::uint64_t bytes = 0;
  /// The first frame is a segment start, so the group begins a new segment.
  bool opens_segment = false;
  /// What marks say: the committed offset, and the end of an open hole (0: none).
  Offset committed;
  Offset hole_until;
};

/// An operation of the disk: write `buffers` one after the other at `position` of the journal file,
/// then call fdatasync if `sync`. Position and size are multiples of 512 bytes for a header slot
/// and of journal_block for all else. A failure ends the process (J8).
struct JournalWrite {
  std::uint32_t file = 0;
  std::uint64_t position = 0;
  std::vector<Bytes> buffers;
  bool sync = true;
};

// Owns the groups that wait and the write that is under way.
class JournalWriter {
 public:
  struct Limits {
    /// Largest group that is journalled, bytes of frames. Depends on the disk: the second copy of
    /// the bytes costs more than the sync of a file of its own once the group is large.
    std::uint64_t group_bytes = 256u << 10;
    /// Largest record, bytes.
    std::uint64_t record_bytes = journal_record_max;
  };

  /// The references must outlive the writer. The identity names cluster and disk.
  JournalWriter(const Identity& identity, JournalRing& ring, JournalFloors& floors, Limits limits);
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  /// Takes the findings of a start. `previous`: the checksum of the newest record; 0: there is
  /// none. `torn`: the places of records whose write did not end. Their heads are overwritten with
  /// zeros before their number is used again: the next record may bring the bytes that a torn
  /// record lacks, and would make it whole (J6).
  void recovered(std::uint64_t previous, std::vector<JournalRing::Place> torn);

  /// True if a group of that many bytes is journalled, and not written directly.
  bool takes(std::uint64_t bytes) const { return bytes <= limits_.group_bytes; }
  /// Takes a group. takes(group.bytes) must be true, and holds(group.log) false.
  void add(JournalGroup group);
  /// The next write, if no write is under way and there is something to write that has its place.
  /// After a start the first writes need no group: they wipe torn records, and then the header slot
  /// of the first file makes durable that the records found count no more.
  std::optional<JournalWrite> next();
  /// The oldest write under way has ended. Returns the logs whose groups are durable now, in the
  /// order of the record; none after a header slot.
  std::vector<LogId> done();

  /// True if the log waits for a record, or for the end of its write (J9).
  bool holds(LogId log) const;
  /// True if groups wait only because the ring has no free file.
  bool stalled() const;
  /// Groups that wait for a record.
  std::size_t waiting() const { return waiting_.size(); }
  /// Forgets the log's group that waits. A group under way ends as usual.
  void drop(LogId log);

 private:
  enum class Kind : std::uint8_t { wipe, slot, record };
  // A write under way.
  struct Flight {
    Kind kind = Kind::record;
    RecordNumber number{};
    std::vector<LogId> logs;
  };

  /// Number of waiting groups, from the first on, that fit into a record of `room` bytes.
  std::size_t fitting(std::uint64_t room) const;
  JournalWrite wipe();
  JournalWrite write_slot();
  JournalWrite write_record(std::size_t groups);

  const Identity& identity_;
  JournalRing& ring_;
  JournalFloors& floors_;
  Limits limits_;
  std::deque<JournalGroup> waiting_;
  std::deque<Flight> in_flight_;
  /// Torn records that are to be wiped.
  std::vector<JournalRing::Place> torn_;
  /// Logs whose group waits or is in flight.
  std::unordered_set<LogId> held_;
  /// Checksum of the newest record.
  std::uint64_t previous_ = 0;
  /// Zeros behind a record, up to a whole block.
  Bytes zeros_;
};

}  // namespace loglog::storage

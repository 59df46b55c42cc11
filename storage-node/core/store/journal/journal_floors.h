// The journal floors of a node's logs. The floor of a log is the highest record number up to which
// all bytes of that log are durable in its segments (J2). Frames of a journalled group also go to
// the log's segment, at once and without a sync; this part knows which of these bytes a later sync
// has made durable, and which floor the marks on the disk name.
//
// The floors owe their users:
// - J3: a sync counts only for bytes that were handed over to the operating system before the sync
//   began. Marks that are written together with a sync name the floor that earlier syncs have
//   reached.
// - J3: marks name no record that is not durable itself. A torn record's number is used again, and
//   such a floor would hide the record that gets it.
// - The floor of a log never falls.
// - J4: bytes leave a log's segments (a cut, a re-base, an unlinked or recycled segment) only after
//   both slots of its marks name a floor at or above the last record with bytes there. Otherwise a
//   replay would write these bytes again. Both slots, because rot of the newer slot makes the older
//   slot count. The floor also shows that the bytes that stay are durable without the journal.
//
// A user owes the floors, for each log:
// - The lazy write of a group is requested on the log's strand before JournalWriter::add(), so that
//   a sync that is requested after journalled() runs after that write.
// - sync_begun() with each fdatasync of a segment, in the order of the strand: a direct group,
// marks
//   alone, a checkpoint. sync_ended() with its DiskDone.
// - may_open_segment() before a group begins a new segment, may_cut() and may_unlink() before bytes
//   go. A cut that leaves no frame keeps a file for its marks, because the floor must have a place.
// - The header of a new segment carries marks in both slots.
#pragma once
#include <optional>
#include <unordered_map>
#include <vector>

#include "storage-node/core/output.h"
#include "storage-node/core/store/journal/journal_ring.h"

namespace loglog::storage {

// Owns the state of lazy writes, and tells the ring each floor that has risen.
class JournalFloors {
 public:
  /// What a write says in the slots of its marks.
  struct Marks {
    RecordNumber floor{};
    /// 0: no marks are written; 2: the header of a new segment, or of a whole file.
    std::uint8_t slots = 0;
  };

  /// The ring must outlive the floors.
  explicit JournalFloors(JournalRing& ring) : ring_(ring) {}
  JournalFloors(const JournalFloors&) = delete;
  JournalFloors& operator=(const JournalFloors&) = delete;

  // ---- At a start
  /// A record with bytes of the log was replayed, and the segment is synced. Its marks do not name
  /// the record yet. Before recovered().
  void replayed(LogId log, Offset segment, RecordNumber record);
  /// `newest`: the newest record of the journal that was found.
  void recovered(RecordNumber newest) { newest_durable_ = newest; }

  // ---- Records; called by JournalWriter
  /// The record holds bytes of the log that lie in `segment`.
  void journalled(LogId log, Offset segment, RecordNumber record);
  /// The record is durable, and so are all before it.
  void durable(RecordNumber record) { newest_durable_ = record; }

  // ---- Syncs
  /// The floor for marks that are written now.
  RecordNumber floor_for_marks(LogId log) const;
  /// An operation that ends with an fdatasync of the segment was requested.
  void sync_begun(LogId log, Offset segment, Ticket ticket, Marks marks);
  /// The operation has ended. A ticket that is not known changes nothing.
  void sync_ended(LogId log, Ticket ticket);
  /// A segment with bytes for which no sync is under way: a checkpoint of the log begins there.
  /// nullopt: nothing is left to be synced.
  std::optional<Offset> to_checkpoint(LogId log) const;

  // ---- Conditions
  /// True if a group may begin a new segment: syncs of all bytes before it are done, or requested
  /// on the strand. A start takes the first offset of a segment as proof that all bytes below were
  /// durable (K3).
  bool may_open_segment(LogId log) const;
  /// True if the log may be cut or re-based. Otherwise the caller makes checkpoints and writes
  /// marks until it may.
  bool may_cut(LogId log) const;
  /// True if the file of that segment may go (R3, K6).
  bool may_unlink(LogId log, Offset segment) const;

  // ---- Other changes of a log
  /// The cut is durable. Bytes of earlier records are of no more interest.
  void cut(LogId log);
  /// The log is dropped, and its tombstone is durable. JournalWriter::drop() comes first, so that
  /// no later record holds bytes of the log.
  void drop(LogId log);
  /// True if a group went to the segment through the page cache since the last direct group. The
  /// next direct group rewrites the block in which the log ends, so it must read that block again.
  bool must_read_last_block(LogId log) const;
  /// A direct group was requested.
  void direct_group(LogId log);

 private:
  /// A segment with bytes that are not synced, or whose records are not named by both slots.
  struct Segment {
    Offset first;
    /// The bytes here of records up to this number are durable.
    RecordNumber covered;
    /// The last record with bytes here.
    RecordNumber last;
    bool is_synced() const { return covered >= last; }
  };
  struct Sync {
    Ticket ticket;
    Offset segment;
    /// The last record whose bytes lay in the segment when the sync began.
    RecordNumber covers;
    Marks marks;
  };
  struct Log {
    /// In ascending order; more than one only while a segment has just been opened or replayed.
    std::vector<Segment> segments;
    /// In the order of the strand.
    std::vector<Sync> syncs;
    /// The floors in the two slots of durable marks; `newer` was written last.
    RecordNumber older{};
    RecordNumber newer{};
    bool lazy_since_direct = false;
  };

  const Log* find(LogId log) const;
  /// The highest record up to which all bytes of the log are synced; nullopt: all records.
  static std::optional<RecordNumber> covered(const Log& log);
  static void forget_named(Log& log);

  JournalRing& ring_;
  std::unordered_map<LogId, Log> logs_;
  RecordNumber newest_durable_{};
};

}  // namespace loglog::storage

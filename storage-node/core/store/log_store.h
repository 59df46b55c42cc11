// The door to the bytes of one log on this disk. LogReplica and its parts keep positions, terms and
// standing; everything that knows a file, a slot of marks or reserved space lies behind this door.
// Today segment files alone lie there. A journal that the logs of a node share, ranges of a log on
// other disks and an archive will be further parts behind it, and callers will not see them.
//
// A store owes its caller:
// - append(): one group is under way at a time. News::group comes only after the group survives a
//   power cut (D4), wherever its bytes lie by then: a caller acknowledges at that moment. Bytes of
//   a group that has ended are readable.
// - marks (K3): the newest durable marks never vouch for bytes that were not durable before, and
//   name the end of an open hole until the caller says that it is filled. The caller hands over
//   what they say (Vouch) with each group, because they cost nothing there.
// - busy(): true while a group, a cut or marks are under way. A state that is told to a leader
//   while it is false cannot change by itself (S1).
// - cut(): News::cut comes when the cut is durable; bytes past it never come back (S4, K3).
// - trim(): whole segments below the point go, never bytes at or above it, and never bytes that an
//   operation still needs (R3).
// - Space (K5): make_room() is asked before a group is stamped. Once it has returned true, append()
//   of that group takes no further space, so only a request for space can meet a full disk.
// - recovered() at a start, with the findings of recovery_scan.h: what was acknowledged is there,
// or the log is suspect.
// - A failed write ends the process (K2); the store tells no news of it.
// - News come from done() as values. The store calls nobody but Node, of which it requests
//   operations and which takes its alarms.
//
// A caller owes the store: frames that are stamped from the store's end on, no append to torn
// bytes, and the driver's DiskDone of every ticket of this log.
#pragma once
#include <vector>

#include "storage-node/core/store/segments/group_writer.h"
#include "storage-node/core/store/segments/recovery_scan.h"
#include "storage-node/core/store/segments/segment_map.h"
#include "storage-node/core/store/segments/segment_space.h"

namespace loglog::storage {

// Owns the log's files, its marks, and the space that is reserved for it. Decides where bytes lie.
class LogStore {
 public:
  using Group = GroupWriter::Group;
  using Vouch = GroupWriter::Vouch;
  using Cut = GroupWriter::Cut;

  /// What has ended with a DiskDone.
  enum class News : std::uint8_t {
    /// Nothing that a caller waits for.
    none,
    /// The group is durable, and end() has moved behind it.
    group,
    /// The marks that were written alone are durable.
    marks,
    /// The cut is durable, and end() is its end.
    cut,
    /// A request for space has ended, so that make_room() may answer differently.
    room,
    /// A file is needed no longer, so that a trim may take it.
    released,
    /// Bytes of a peer lie in the place of damaged bytes.
    mended,
  };

  /// `node` must outlive the store.
  LogStore(Node& node, LogId log);
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;

  /// Takes the files that the start found. At most once, before anything else.
  void recovered(const RecoveredLog& r);
  /// Takes the size of segments that the log's options name; 0: the default.
  void described(std::uint64_t segment_size) { space_.described(segment_size); }
  /// The log is deleted: asks for no more space. Operations under way still end.
  void drop() { space_.drop(); }

  /// The news of an operation. A ticket that is not of this store has none.
  News done(const DiskDone& d);

  // ---- Writing
  bool busy() const { return writer_.busy(); }
  /// The end of the bytes that survive a power cut.
  Offset end() const { return writer_.end(); }
  /// Torn bytes follow the end. A cut removes them before anything is written there (K3).
  bool has_torn_bytes() const { return writer_.has_torn_bytes(); }
  /// True if `bytes` of frames at the end have their space (K5); `opens`: in a new segment.
  /// Otherwise the store asks for space, every second if the disk is full, and News::room follows.
  bool make_room(bool opens, std::uint64_t bytes);
  /// Bytes of frames that fit at the end now.
  std::uint64_t room(bool opens) const { return space_.room(opens, end()); }
  /// Writes the group and the marks. make_room() must have returned true, and busy() must be false.
  void append(Group group, const Vouch& vouch);
  /// Writes marks alone, when the log has become idle (K3). Needs a segment; not while busy().
  void write_marks(const Tail& durable, const Vouch& vouch) { writer_.write_marks(durable, vouch); }
  /// True if the newest marks name the end and this committed offset.
  bool marks_current(Offset committed) const { return writer_.marks_current(committed); }
  /// Cuts the log. Not while busy(). Returns false if no frame stays.
  bool cut(const Cut& cut, const Vouch& vouch) { return writer_.cut(cut, vouch); }
  /// The bytes at and after `end`, which lies in `file`, turned out to be bad: the log ends there
  /// from now on, and they count as torn.
  void lose_from(Offset file, Offset end) { writer_.lose_from(file, end); }
  /// Writes good bytes over damaged bytes at `at` (K4). No trim takes the file before News::mended.
  void mend(Offset at, Bytes bytes);

  // ---- Space
  /// Why the disk could not give space (K5); ok: it could.
  Errc no_space() const { return space_.no_space(); }
  /// The name of the new segment finds no room on the disk; the driver repeats the operation (K5).
  void opening_waits() { space_.opening_waits(); }
  /// True if a full disk is to be asked again now. The caller first lets everything that waits for
  /// room ask for it, then calls ask_again().
  bool space_due() { return space_.due(); }
  void ask_again() { space_.ask_again(end()); }
  Time next_tick() const { return space_.next_tick(); }
  /// Bytes that the log takes on the disk, space that is reserved ahead included.
  std::uint64_t disk_bytes() const { return space_.disk_bytes(); }

  // ---- Trimming
  /// Forgets bytes below `point`, as far as whole segments lie there and nothing needs them.
  /// Returns true if the first offset has moved.
  bool trim(Offset point);

  // ---- Reading. A read is answered by a DiskDone with its ticket, and beside writes.
  /// True if the log has no segment.
  bool empty() const { return segments_.empty(); }
  /// The first offset of the bytes that are here.
  Offset first_kept() const { return empty() ? end() : segments_.front(); }
  /// Where the last segment begins; end() if there is none.
  Offset open_segment() const { return empty() ? end() : segments_.open(); }
  /// The segment that holds `at`, and the offset where it ends, if the log ends at `tail`. A read
  /// lies in one segment.
  Offset segment_of(Offset at) const { return segments_.holding(at); }
  Offset segment_end(Offset at, Offset tail) const { return segments_.end_of(at, tail); }
  /// Where segments begin, in ascending order.
  const std::vector<Offset>& segments() const { return segments_.firsts(); }
  /// Reads frames from `at` on.
  Ticket read(Offset at, std::uint64_t length, Node::Done done);
  /// Reads the header of a segment, which has the chain before its first frame.
  Ticket read_header(Offset segment, Node::Done done);
  /// Reads a segment at a distance in bytes from its first frame, up to its end.
  Ticket read_inside(Offset segment, std::uint64_t distance, std::uint32_t length, Node::Done done);

 private:
  /// An operation that needs a segment, and the news of its end.
  struct Held {
    Ticket ticket;
    Offset segment;
    News ended;
  };

  Node& node_;
  LogId log_;
  SegmentMap segments_;
  SegmentSpace space_;
  GroupWriter writer_;
  /// Segments that an operation on the strand still needs. The driver unlinks files beside the
  /// strand (output.h), so an unlink may overtake that operation.
  std::vector<Held> held_;
};

}  // namespace loglog::storage

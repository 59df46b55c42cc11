// The writes on the strand of one log: groups of frames with their marks, marks alone, and cuts. At
// most one of them is under way. Opens and closes segment files on the way. LogStore owns it;
// SegmentSpace reserves the space ahead of it.
#pragma once
#include <optional>
#include <vector>

#include "storage-node/core/log_tail.h"
#include "storage-node/core/store/segments/recovery_scan.h"
#include "storage-node/core/store/segments/segment_space.h"

namespace loglog::storage {

// Owns the marks and the end of the durable bytes; adds segments to the map and cuts them off.
class GroupWriter {
 public:
  // Stamped frames that are written together, under one fdatasync (spec/05 step 7).
  struct Group {
    /// The durable tail, where the group begins.
    Tail from;
    std::vector<Bytes> frames;
    /// Sum of the sizes of `frames`.
    std::uint64_t bytes = 0;
    /// The first frame is a segment start, so the group begins a new segment.
    bool opens_segment = false;
  };
  // What marks say beside the tail (K3).
  struct Vouch {
    Offset committed;
    /// The end of an open hole; marks name at least this offset.
    Offset hole_until;
  };
  struct Cut {
    /// Drop all files; the log then begins at `kept`.
    bool everything = false;
    /// The tail of the log after the cut.
    Tail kept;
    /// The log is suspect, so its files may be shorter than they were.
    bool suspect = false;
  };
  /// The operation that a DiskDone has ended.
  enum class Ended : std::uint8_t { nothing, group, marks, cut };
  /// A segment that is being cut to its length, because the group opens the next segment.
  struct Closing {
    Ticket ticket;
    Offset segment;
  };

  GroupWriter(Node& node, LogId log, SegmentMap& segments, SegmentSpace& space)
      : node_(node), log_(log), segments_(segments), space_(space) {}
  GroupWriter(const GroupWriter&) = delete;
  GroupWriter& operator=(const GroupWriter&) = delete;

  /// Takes the tail, the marks' counter and the remains that the start found.
  void recovered(const RecoveredLog& r);

  bool busy() const { return under_way_.what != Ended::nothing; }
  Offset end() const { return end_; }
  bool has_torn_bytes() const { return torn_; }
  bool marks_current(Offset committed) const {
    return segments_.empty() || (marked_durable_ == end_ && marked_committed_ == committed);
  }

  /// Writes a group, for which there must be room. Must not be called while busy(), or if torn
  /// bytes follow the end.
  std::optional<Closing> append(Group group, const Vouch& vouch);
  /// Writes the marks alone. Must not be called while busy(), or without a segment.
  void write_marks(const Tail& durable, const Vouch& vouch);
  /// Cuts the log durably. Must not be called while busy(). Returns false if no frame stays.
  bool cut(Cut cut, const Vouch& vouch);
  /// See LogStore.
  void lose_from(Offset file, Offset end);
  Ended done(const DiskDone& d);

 private:
  std::optional<Closing> open_segment(const Tail& from, const Vouch& vouch);
  Bytes next_marks(const Tail& durable, const Vouch& vouch);

  Node& node_;
  LogId log_;
  SegmentMap& segments_;
  SegmentSpace& space_;
  /// The operation under way, and the end of the durable bytes after it.
  struct {
    Ended what = Ended::nothing;
    Ticket ticket;
    Offset end;
  } under_way_;
  Offset end_{};
  bool torn_ = false;
  /// Number of the newest marks; its parity selects the slot.
  std::uint64_t counter_ = 0;
  /// The offsets that the newest marks name.
  Offset marked_durable_{};
  Offset marked_committed_{};
  /// A file without frames. It stays for its marks, which name an open hole, until the next segment
  /// is opened (K3).
  Offset remains_ = no_offset;
};

}  // namespace loglog::storage

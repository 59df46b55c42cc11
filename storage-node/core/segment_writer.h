// Writes groups of frames and marks to the open segment; at most one group is in flight.
#pragma once
#include "storage-node/core/log_core.h"

namespace loglog::storage {

class SegmentWriter {
 public:
  /// `settled` runs after each operation that ends, behind its own `done`: what waits for the
  /// strand looks again.
  SegmentWriter(LogCore& s, std::function<void()> settled) : s_(s), settled_(std::move(settled)) {}

  /// An operation of the strand is in flight (S1 waits for it).
  bool busy() const { return in_flight_ > 0; }
  /// Marks slots' counter, as found at start.
  void found_counter(std::uint64_t counter) { counter_ = counter; }
  /// Whether `bytes` of frames at the durable tail have their space on disk (K5), in a new segment
  /// file if `opens`. If not, the space is asked for, and once a second again while the disk is
  /// full; `settled` runs when it is there.
  bool make_room(bool opens, std::uint64_t bytes);
  /// Bytes of frames that fit there now.
  bool opens_file(bool opens) const;
  std::uint64_t room(bool opens) const;
  /// The file system has no room for the name of a segment file that is being opened: the driver
  /// tries again, what was ordered waits, and uploads are refused until the file is there (K5).
  void opening_waits();
  void tick();
  Time next_tick() const { return space_again_; }
  /// The size of the open segment's file, as found at start.
  void found_capacity(std::uint64_t size) { capacity_ = size; }
  /// What the log's files take, bytes: frames, headers, and the space that is reserved ahead.
  std::uint64_t disk_bytes() const;
  /// A file without frames that lies where the log would begin.
  void found_remains(Offset first) { remains_ = first; }
  /// Writes frames that begin at the durable tail and end at s.written, for which there is room;
  /// `opens` begins a new segment file with them. `done` runs when they are durable and s.durable
  /// has moved.
  void write(std::vector<Bytes> frames, bool opens, std::function<void()> done);
  /// Marks alone (K3: once more when idle).
  void write_marks(std::function<void()> done);
  bool marks_current() const {
    return s_.segments.empty() ||
           (marked_durable_ == s_.durable.end && marked_committed_ == s_.committed);
  }
  /// Cuts the log to `kept` (durably); `everything` drops all files.
  void truncate(bool everything, const Tail& kept, std::function<void()> done);

 private:
  void open_segment(Offset first);
  void opened(const DiskDone& d);
  Bytes next_marks(const Tail& durable);
  std::uint64_t segment_size() const;
  std::uint64_t file_size() const;
  std::uint64_t idle_file_size() const;
  void prepare(std::uint64_t size, bool reserve_only);
  bool writes_large_groups() const;
  void grow(std::uint64_t size);
  void space_asked(const DiskDone& d, std::uint64_t size);
  void reserve_ahead();

  LogCore& s_;
  std::function<void()> settled_;
  int in_flight_ = 0;
  std::uint64_t counter_ = 0;
  std::uint64_t group_average_ = 0;  ///< bytes of a group, of the last few
  Offset marked_durable_{};
  Offset marked_committed_{};
  std::uint64_t capacity_ = 0;   ///< size of the open segment's file
  std::uint64_t next_size_ = 0;  ///< size of the `next` file; 0: not there
  Offset remains_ = no_offset;   ///< a file without frames, kept for its marks until the next
                                 ///< segment is opened (K3)
  bool opening_ = false;         ///< an OpenSegment is under way: it takes the `next` file
  bool opening_waits_ = false;   ///< … for space
  bool preparing_ = false;
  bool growing_ = false;
  Time space_again_ = never;  ///< the disk was full: when to ask again
};

}  // namespace loglog::storage

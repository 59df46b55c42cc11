// Writes groups of frames and marks to the open segment of one log, opens and cuts its files, and
// reserves space ahead of them (K5). At most one group is in flight. Decides nothing about order:
// LogReplica hands over groups that OrderQueue has stamped, Repair hands over copied frames.
#pragma once
#include "storage-node/core/log_core.h"

namespace loglog::storage {

class SegmentWriter {
 public:
  /// `settled` runs after each operation that ends, after its own `done`, so that everything that
  /// waits for an idle strand looks again.
  SegmentWriter(LogCore& s, std::function<void()> settled) : s_(s), settled_(std::move(settled)) {}

  /// An operation of the strand is in flight. GetState waits for it (S1).
  bool busy() const { return in_flight_ > 0; }
  /// Takes the counter of the marks slots that the start found.
  void found_counter(std::uint64_t counter) { counter_ = counter; }
  /// True if `bytes` of frames at the durable tail have their space on disk (K5); `opens`: in a new
  /// segment file. Otherwise the writer asks for space, every second if the disk is full, and
  /// `settled` runs when the space is there.
  bool make_room(bool opens, std::uint64_t bytes);
  /// True if the next group goes into a new file: it begins with a segment start, or no file
  /// exists.
  bool opens_file(bool opens) const;
  /// Bytes of frames that fit at the durable tail now.
  std::uint64_t room(bool opens) const;
  /// The file system has no room for the name of the segment that is being opened (K5). The driver
  /// repeats the operation; ordered runs wait and uploads are refused until the file exists.
  void opening_waits();
  void tick();
  Time next_tick() const { return space_again_; }
  /// Takes the size of the open segment's file that the start found.
  void found_capacity(std::uint64_t size) { capacity_ = size; }
  /// Bytes of all files of the log: frames, headers and the space that is reserved ahead.
  std::uint64_t disk_bytes() const;
  /// Takes a file without frames that the start found; it lies where the log would begin (K3).
  void found_remains(Offset first) { remains_ = first; }
  /// Writes frames from the durable tail up to s.written, for which make_room() must have returned
  /// true. `opens`: they begin a new segment file. `done` runs when they are durable and s.durable
  /// has moved.
  void write(std::vector<Bytes> frames, bool opens, std::function<void()> done);
  /// Writes the marks alone, when the log has become idle (K3). Must not be called while busy().
  void write_marks(std::function<void()> done);
  /// True if the newest marks name the present durable and committed offsets.
  bool marks_current() const {
    return s_.segments.empty() ||
           (marked_durable_ == s_.durable.end && marked_committed_ == s_.committed);
  }
  /// Cuts the log to end at `kept`, durably, before `done` runs; `everything`: drops all files.
  /// Must not be called while busy().
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
  /// Moving average of the group size in bytes.
  std::uint64_t group_average_ = 0;
  /// The offsets that the newest marks name.
  Offset marked_durable_{};
  Offset marked_committed_{};
  /// Size in bytes of the open segment's file, header included.
  std::uint64_t capacity_ = 0;
  /// Size in bytes of the prepared `next` file; 0: no file is prepared.
  std::uint64_t next_size_ = 0;
  /// A file without frames. It stays for its marks, which name an open hole, until the next segment
  /// is opened (K3).
  Offset remains_ = no_offset;
  /// An OpenSegment is in flight and uses the `next` file, so nothing may be prepared.
  bool opening_ = false;
  /// That OpenSegment waits for space.
  bool opening_waits_ = false;
  bool preparing_ = false;
  bool growing_ = false;
  /// When to ask the full disk for space again; never: no request was refused.
  Time space_again_ = never;
};

}  // namespace loglog::storage

// The space of a log's segment files (K5): the size of the open file, the `next` file that is
// prepared before it is needed, and the questions to a full disk. Everything that is written goes
// into space that was reserved before, so that only a request for space can meet a full disk. The
// requests run beside the log's strand. LogStore owns it; GroupWriter tells it of files that open
// and are cut.
#pragma once
#include "storage-node/core/node.h"
#include "storage-node/core/store/segments/segment_map.h"

namespace loglog::storage {

// `end` in all calls: the end of the durable bytes, where the next group begins.
class SegmentSpace {
 public:
  /// The references must outlive the object.
  SegmentSpace(Node& node, LogId log, const SegmentMap& segments)
      : node_(node), log_(log), segments_(segments) {}
  SegmentSpace(const SegmentSpace&) = delete;
  SegmentSpace& operator=(const SegmentSpace&) = delete;

  /// The size of segments that the log's options name; 0: the default.
  void described(std::uint64_t segment_size);
  /// The size of the open segment's file, header included, that the start found or a cut left.
  void found_capacity(std::uint64_t size) { capacity_ = size; }
  /// The log is deleted: no more space is asked for.
  void drop() { dropped_ = true; }

  /// True if the next group goes into a new file: it begins with a segment start, or no file
  /// exists.
  bool opens_file(bool opens) const { return opens || segments_.empty(); }
  /// Bytes of frames that fit at the end now.
  std::uint64_t room(bool opens, Offset end) const;
  /// True if `bytes` of frames have their space. Otherwise asks for it, unless the disk was full
  /// less than a second ago.
  bool make_room(bool opens, std::uint64_t bytes, Offset end);
  /// Asks for space early: writers then never wait for it, and a full disk shows while the runs
  /// that were ordered still fit.
  void reserve_ahead(Offset end);
  /// A group of that many bytes is written; the sizes decide how space is reserved.
  void wrote(std::uint64_t bytes);
  /// The prepared file becomes the open segment, by the OpenSegment of this ticket.
  void opening(Ticket ticket);
  /// The file system has no room for the name of that segment (K5). The driver repeats the
  /// operation; ordered runs wait and uploads are refused until the file exists.
  void opening_waits();
  /// Returns true if the end of this operation may change the answer of make_room().
  bool done(const DiskDone& d);

  /// True once when the full disk is to be asked again.
  bool due();
  /// Asks the full disk again, after everything that waits for room has asked for it.
  void ask_again(Offset end);
  /// When due() becomes true; never: no request was refused.
  Time next_tick() const { return again_at_; }
  /// Why the disk could not give space.
  Errc no_space() const { return no_space_; }
  /// Bytes of all files: frames, headers and the space that is reserved ahead.
  std::uint64_t disk_bytes() const;

 private:
  std::uint64_t file_size() const;
  std::uint64_t idle_file_size() const;
  bool writes_large_groups() const;
  void prepare(std::uint64_t size, bool reserve_only);
  void grow(std::uint64_t size);
  bool asked(const DiskDone& d, std::uint64_t size);

  /// A request for space that is under way; ticket 0: none.
  struct Asking {
    Ticket ticket;
    std::uint64_t size = 0;
    /// The file that grows.
    Offset file{};
    bool under_way() const { return ticket != Ticket{}; }
  };

  Node& node_;
  LogId log_;
  const SegmentMap& segments_;
  std::uint64_t segment_size_ = segment_size_default;
  /// Size in bytes of the open segment's file, header included.
  std::uint64_t capacity_ = 0;
  /// Size in bytes of the prepared `next` file; 0: no file is prepared.
  std::uint64_t next_size_ = 0;
  /// Moving average of the group size in bytes.
  std::uint64_t group_average_ = 0;
  Asking preparing_;
  Asking growing_;
  /// An OpenSegment is in flight and uses the `next` file, so nothing may be prepared; 0: none.
  Ticket opening_{};
  /// That OpenSegment waits for space.
  bool opening_waits_ = false;
  bool dropped_ = false;
  Errc no_space_ = Errc::ok;
  /// When to ask the full disk for space again; never: no request was refused.
  Time again_at_ = never;
};

}  // namespace loglog::storage

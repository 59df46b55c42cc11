#include "storage-node/core/segment_writer.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <utility>

#include "proto-spec/vocabulary/check.h"
#include "proto-spec/vocabulary/rules.h"
#include "storage-node/core/retention.h"

namespace loglog::storage {
namespace {
constexpr Duration space_asked_every = 1s;
// The first fdatasync over space that was only reserved makes the file system write a journal
// entry. Zeros written beforehand spare that, and cost as much of the disk as the bytes themselves:
// worth it for small groups, not for groups above this size.
constexpr std::uint64_t zeros_below = 64u << 10;
}  // namespace

std::uint64_t SegmentWriter::segment_size() const {
  return s_.info.options.segment_size == 0 ? segment_size_default : s_.info.options.segment_size;
}

/// The leader rolls before a segment passes its size, unless one run alone is larger; frames of its
/// own need a little more.
std::uint64_t SegmentWriter::disk_bytes() const {
  const SegmentMap& m = s_.segments;
  const std::uint64_t closed =
      m.empty() ? 0 : m.open() - m.front() + (m.size() - 1) * segment_header_size;
  return closed + (m.empty() ? 0 : capacity_) + next_size_;
}

std::uint64_t SegmentWriter::file_size() const {
  return segment_header_size + segment_size() +
         std::min<std::uint64_t>(run_size_target, segment_size() / 4);
}

/// A log that may stay idle, or was, begins its file small: one that is written has the next file
/// prepared before it is wanted.
std::uint64_t SegmentWriter::idle_file_size() const {
  return std::min(s_.node.options.idle_file_bytes, file_size());
}

// ---- Space (K5): all that is written goes where space was reserved before it, so that only asking
// for space can fail.

bool SegmentWriter::opens_file(bool opens) const { return opens || s_.segments.empty(); }

std::uint64_t SegmentWriter::room(bool opens) const {
  if (removed(Rule::K5_reserve) && !opens_file(opens))
    return std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t used =
      segment_header_size + (opens_file(opens) ? 0 : s_.durable.end - s_.segments.open());
  const std::uint64_t size = opens_file(opens) ? next_size_ : capacity_;
  return size > used ? size - used : 0;
}

bool SegmentWriter::make_room(bool opens, std::uint64_t bytes) {
  // The `next` file is not to be taken from under a preparation, nor the open one closed under one
  // that makes it grow.
  if ((preparing_ || growing_) && opens) return false;
  const std::uint64_t there = room(opens);
  if (bytes <= there || (removed(Rule::K5_reserve) && !opens_file(opens))) return true;
  if (space_again_ != never) return false;
  if (opens_file(opens)) {
    prepare(std::max(idle_file_size(), segment_header_size + bytes), true);
  } else {
    grow(std::max(std::min(2 * capacity_, file_size()), capacity_ + (bytes - there)));
  }
  return false;
}

bool SegmentWriter::writes_large_groups() const { return group_average_ > zeros_below; }

void SegmentWriter::prepare(std::uint64_t size, bool reserve_only) {
  if (preparing_ || opening_) return;
  preparing_ = true;
  s_.node.disk(PrepareNext{s_.id, size, reserve_only}, [this, size](DiskDone&& d) {
    preparing_ = false;
    if (d.error == Errc::ok) next_size_ = size;
    space_asked(d, size);
  });
}

void SegmentWriter::grow(std::uint64_t size) {
  if (growing_) return;
  growing_ = true;
  s_.node.disk(GrowSegment{s_.id, s_.segments.open(), size, writes_large_groups()},
               [this, size, file = s_.segments.open()](DiskDone&& d) {
                 growing_ = false;
                 if (d.error == Errc::ok && !s_.segments.empty() && s_.segments.open() == file)
                   capacity_ = std::max(capacity_, size);
                 space_asked(d, size);
               });
}

void SegmentWriter::space_asked(const DiskDone& d, std::uint64_t size) {
  if (s_.dropped) return;
  if (d.error != Errc::ok) {
    if (s_.no_space == Errc::ok)
      s_.node.event(
          Event::Level::alarm,
          fmt::format(
              "log {}: no space for {} bytes ({}); uploads are refused until there is: free space "
              "or trim logs (K5)",
              s_.id.value, size, d.detail));
    s_.no_space = d.error;
    space_again_ = s_.node.now + space_asked_every;
  } else if (std::exchange(s_.no_space, Errc::ok) != Errc::ok) {
    s_.node.event(Event::Level::info, fmt::format("log {}: there is space again", s_.id.value));
  }
  settled_();
}

void SegmentWriter::opening_waits() {
  if (!opening_ || s_.dropped) return;
  opening_waits_ = true;
  s_.no_space = Errc::no_space;
}

void SegmentWriter::opened(const DiskDone& d) {
  opening_ = false;
  if (std::exchange(opening_waits_, false)) space_asked(d, 0);
}

void SegmentWriter::tick() {
  if (space_again_ > s_.node.now) return;
  space_again_ = never;
  settled_();  // what waits for room asks itself
  reserve_ahead();
  if (s_.no_space == Errc::ok || s_.dropped || preparing_ || growing_ || opening_) return;
  // Nothing waits for room any more: whether there is space shows when the next file is made.
  if (next_size_ > 0) s_.no_space = Errc::ok;
  else prepare(s_.segments.empty() ? idle_file_size() : file_size(), true);
}

/// Early enough that nobody waits for it, and that a full disk is known while what was ordered
/// still fits.
void SegmentWriter::reserve_ahead() {
  if (s_.segments.empty() || s_.dropped || space_again_ != never) return;
  const std::uint64_t used = s_.durable.end - s_.segments.open();
  if (capacity_ < file_size() && used * 2 > capacity_) grow(std::min(2 * capacity_, file_size()));
  if (next_size_ < file_size() && used * 4 > segment_size())
    prepare(file_size(), writes_large_groups());
}

Bytes SegmentWriter::next_marks(const Tail& durable) {
  ++counter_;
  marked_durable_ = durable.end;
  marked_committed_ = s_.committed;
  // A node that stops in the middle of filling a hole must come back as suspect (K3).
  return encode_marks(
      {counter_, std::max(durable.end, s_.hole_until), durable.chain, s_.committed});
}

void SegmentWriter::open_segment(Offset first) {
  if (!s_.segments.empty()) {
    const Offset closed = s_.segments.open();
    hold_file(s_, closed);
    s_.node.disk(CloseSegment{s_.id, closed, first - closed},
                 [this, closed](DiskDone&&) { release_file(s_, closed); });
  }
  Bytes header = encode_segment_header({s_.node.identity.cluster, s_.id, first, s_.durable.chain});
  // The new header carries marks at once, so that the committed offset outlives the file before it.
  const Bytes marks = next_marks(s_.durable);
  std::memcpy(header.mutable_data() + marks_slot_at[counter_ % 2], marks.data(), marks.size());
  opening_ = true;
  s_.node.disk(OpenSegment{s_.id, first, std::move(header)}, [this](DiskDone&& d) { opened(d); });
  if (remains_ != no_offset && remains_ != first)
    s_.node.disk(UnlinkSegments{s_.id, {remains_}, false}, {});
  remains_ = no_offset;
  s_.segments.add(first);
  capacity_ = std::exchange(next_size_, 0);
}

void SegmentWriter::write(std::vector<Bytes> frames, bool opens, std::function<void()> done) {
  check(!busy(), "one group in flight per log");
  check(!s_.dirty_tail, "a torn tail is cut before it is written over");
  check(s_.written.end - s_.durable.end <= room(opens), "room is made before a group is taken");
  if (opens_file(opens)) open_segment(s_.durable.end);
  group_average_ += (static_cast<std::int64_t>(s_.written.end - s_.durable.end) -
                     static_cast<std::int64_t>(group_average_)) /
                    8;
  const Offset file = s_.segments.open();
  Bytes marks = next_marks(s_.durable);
  const std::uint64_t marks_at = marks_slot_at[counter_ % 2];
  ++in_flight_;
  s_.node.disk(WriteGroup{s_.id, file, segment_header_size + (s_.durable.end - file),
                          std::move(frames), marks_at, std::move(marks), !removed(Rule::D4_sync)},
               [this, tail = s_.written, done = std::move(done)](DiskDone&&) {
                 --in_flight_;
                 s_.durable = tail;
                 reserve_ahead();
                 done();
                 settled_();
               });
}

void SegmentWriter::write_marks(std::function<void()> done) {
  check(!busy() && !s_.segments.empty(), "marks are written when the log is idle");
  const Offset file = s_.segments.open();
  Bytes marks = next_marks(s_.durable);
  ++in_flight_;
  s_.node.disk(WriteGroup{s_.id,
                          file,
                          segment_header_size + (s_.durable.end - file),
                          {},
                          marks_slot_at[counter_ % 2],
                          std::move(marks),
                          true},
               [this, done = std::move(done)](DiskDone&&) {
                 --in_flight_;
                 done();
                 settled_();
               });
}

void SegmentWriter::truncate(bool everything, const Tail& kept, std::function<void()> done) {
  check(!busy(), "a cut waits for the group in flight");
  Offset file{};
  std::uint64_t length = 0;
  // A cut at a segment's very begin ends in the file before it, so that no file is left without
  // frames.
  if (!everything && !s_.segments.empty() && kept.end > s_.segments.front()) {
    file = s_.segments.holding(Offset{kept.end.value - 1});
    length = kept.end - file;
    if (file != s_.segments.open())
      capacity_ = segment_header_size + (s_.segments.end_of(file, s_.durable.end) - file);
    // A damaged file may be shorter than it was: no space in it is counted on (K5).
    if (s_.suspect) capacity_ = segment_header_size + length;
    s_.segments.keep_through(file);
  } else {
    if (!s_.segments.empty()) remains_ = s_.segments.front();
    if (s_.hole_until <= kept.end) remains_ = no_offset;
    everything = remains_ == no_offset;
    if (!everything) file = remains_;
    s_.segments.clear();
    s_.terms.clear();
  }
  // The marks are durable before the cut (K3). A mark left above the new tail would make a whole
  // log suspect at the next start, for as long as nothing is appended. Until the cut is done the
  // lower mark does no harm: the bytes above it are to go. While a hole is open the marks keep
  // naming its end: a node that stops between cutting and copying must come back as suspect,
  // because its short tail would otherwise prove the absence of acknowledged bytes. If no frame
  // stays, a file stays for its marks.
  if (!everything && (s_.hole_until > kept.end || !removed(Rule::K3_cut))) {
    Bytes marks = next_marks(kept);
    s_.node.disk(WriteGroup{s_.id,
                            file,
                            segment_header_size + length,
                            {},
                            marks_slot_at[counter_ % 2],
                            std::move(marks),
                            true},
                 {});
  }
  ++in_flight_;
  s_.node.disk(TruncateLog{s_.id, everything, file, length},
               [this, kept, done = std::move(done)](DiskDone&&) {
                 --in_flight_;
                 s_.durable = s_.written = kept;
                 s_.dirty_tail = false;
                 cut_terms(s_.terms, kept.end);
                 done();
                 settled_();
               });
}

}  // namespace loglog::storage

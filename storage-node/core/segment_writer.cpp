// Groups, marks, cuts and space of a log's files. Two kinds of operations are kept apart: groups,
// marks and cuts run on the log's strand, at most one at a time (in_flight_); preparing and growing
// files runs beside it.
#include "storage-node/core/segment_writer.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <utility>

#include "proto-spec/vocabulary/check.h"
#include "storage-node/core/retention.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {
// How often a full disk is asked for space again (K5).
namespace {
constexpr Duration space_asked_every = 1s;
/// The first fdatasync over space that was only reserved makes the file system write a journal
/// entry. Zeros that are written beforehand avoid that, but cost as much disk bandwidth as the
/// bytes themselves. They pay for small groups, not for groups above this size.
constexpr std::uint64_t zeros_below = 64u << 10;
}  // namespace

std::uint64_t SegmentWriter::segment_size() const {
  return s_.info.options.segment_size == 0 ? segment_size_default : s_.info.options.segment_size;
}

/// Reserved space counts in full, because the disk has given it to this log.
std::uint64_t SegmentWriter::disk_bytes() const {
  const SegmentMap& m = s_.segments;
  const std::uint64_t closed =
      m.empty() ? 0 : m.open() - m.front() + (m.size() - 1) * segment_header_size;
  return closed + (m.empty() ? 0 : capacity_) + next_size_;
}

/// The leader rolls to a new segment before the current segment exceeds its size, unless a run
/// alone is larger. The leader's own frames need a little more, hence the addition.
std::uint64_t SegmentWriter::file_size() const {
  return segment_header_size + segment_size() +
         std::min<std::uint64_t>(run_size_target, segment_size() / 4);
}

/// A log that may stay idle begins with a small file. If it is written, reserve_ahead() has the
/// next, full-sized file prepared before it is needed.
std::uint64_t SegmentWriter::idle_file_size() const {
  return std::min(s_.node.options.idle_file_bytes, file_size());
}

// ---- Space (K5): everything that is written goes into space that was reserved before, so that
// only a request for space can meet a full disk.

bool SegmentWriter::opens_file(bool opens) const { return opens || s_.segments.empty(); }

std::uint64_t SegmentWriter::room(bool opens) const {
  if (!rules::needs_reserved_space(opens_file(opens)))
    return std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t used =
      segment_header_size + (opens_file(opens) ? 0 : s_.durable.end - s_.segments.open());
  const std::uint64_t size = opens_file(opens) ? next_size_ : capacity_;
  return size > used ? size - used : 0;
}

bool SegmentWriter::make_room(bool opens, std::uint64_t bytes) {
  // The open segment must not be closed while its file grows, and the `next` file must not be used
  // while it is being prepared.
  if ((preparing_ || growing_) && opens) return false;
  const std::uint64_t there = room(opens);
  if (bytes <= there || !rules::needs_reserved_space(opens_file(opens))) return true;
  // The disk was full: tick() asks again.
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

/// The callback may run after a cut, so the size is noted only if the same file is still open.
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

/// The end of a request for space. Raises the alarm once, when space is first refused, and lets the
/// waiting work look again (settled_).
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
  // Everything that waits for room asks for it itself.
  settled_();
  reserve_ahead();
  if (s_.no_space == Errc::ok || s_.dropped || preparing_ || growing_ || opening_) return;
  // Nothing waits for room any more. A prepared next file shows that the disk has space; otherwise
  // ask for such a file to find out.
  if (next_size_ > 0) s_.no_space = Errc::ok;
  else prepare(s_.segments.empty() ? idle_file_size() : file_size(), true);
}

/// Asks for space early: writers then never wait for it, and a full disk shows while the runs that
/// were ordered still fit.
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
  // K3: a node that stops while it fills a hole must come back as suspect, so the marks keep naming
  // the hole's end.
  return encode_marks(
      {counter_, std::max(durable.end, s_.hole_until), durable.chain, s_.committed});
}

/// Begins a new segment file at `first`, which is the durable tail. The strand orders its
/// operations, so the caller may request the first group's write at once.
void SegmentWriter::open_segment(Offset first) {
  if (!s_.segments.empty()) {
    const Offset closed = s_.segments.open();
    hold_file(s_, closed);
    s_.node.disk(CloseSegment{s_.id, closed, first - closed},
                 [this, closed](DiskDone&&) { release_file(s_, closed); });
  }
  Bytes header = encode_segment_header({s_.node.identity.cluster, s_.id, first, s_.durable.chain});
  // The new header carries marks at once, so that the committed offset survives a trim of the file
  // before it.
  const Bytes marks = next_marks(s_.durable);
  std::memcpy(header.mutable_data() + marks_slot_at[counter_ % 2], marks.data(), marks.size());
  opening_ = true;
  s_.node.disk(OpenSegment{s_.id, first, std::move(header)}, [this](DiskDone&& d) { opened(d); });
  // A file without frames was kept for its marks; the new header carries them from now on.
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
  // The group's marks name the tail of the group before: the same fdatasync makes the group and
  // these marks durable, so they cannot vouch for the group itself (K3).
  Bytes marks = next_marks(s_.durable);
  const std::uint64_t marks_at = marks_slot_at[counter_ % 2];
  ++in_flight_;
  s_.node.disk(WriteGroup{s_.id, file, segment_header_size + (s_.durable.end - file),
                          std::move(frames), marks_at, std::move(marks), rules::syncs_groups()},
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
  // A cut at a segment's first offset ends in the file before it, so that no file without frames
  // stays.
  if (!everything && !s_.segments.empty() && kept.end > s_.segments.front()) {
    file = s_.segments.holding(Offset{kept.end.value - 1});
    length = kept.end - file;
    if (file != s_.segments.open())
      capacity_ = segment_header_size + (s_.segments.end_of(file, s_.durable.end) - file);
    // A damaged file may be shorter than it was, so no space beyond the kept bytes is counted on
    // (K5).
    if (s_.suspect) capacity_ = segment_header_size + length;
    s_.segments.keep_through(file);
  } else {
    // The cut leaves no frame. While a hole is open the first file stays for its marks; otherwise
    // all files go.
    if (!s_.segments.empty()) remains_ = s_.segments.front();
    if (s_.hole_until <= kept.end) remains_ = no_offset;
    everything = remains_ == no_offset;
    if (!everything) file = remains_;
    s_.segments.clear();
    s_.terms.clear();
  }
  // The marks are durable before the cut (K3). A mark above the new tail would make the whole log
  // suspect at the next start, for as long as nothing is appended. Until the cut is done a lower
  // mark does no harm, because the bytes above it are to go. While a hole is open the marks keep
  // naming its end. Otherwise a node that stops between cut and copy would come back with a short
  // tail, and that tail would prove the absence of acknowledged bytes.
  if (!everything && rules::writes_marks_before_cut(s_.hole_until > kept.end)) {
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

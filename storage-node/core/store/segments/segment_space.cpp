// Sizes, and the requests for space. A request changes nothing before it has its space, so the
// answer no_space is harmless: the log waits and asks again.
#include "storage-node/core/store/segments/segment_space.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "storage-node/core/rules.h"

namespace loglog::storage {
namespace {
/// How often a full disk is asked for space again (K5).
constexpr Duration space_asked_every = 1s;
/// The first fdatasync over space that was only reserved makes the file system write a journal
/// entry. Zeros that are written beforehand avoid that, but cost as much disk bandwidth as the
/// bytes themselves. They pay for small groups, not for groups above this size.
constexpr std::uint64_t zeros_below = 64u << 10;
}  // namespace

void SegmentSpace::described(std::uint64_t segment_size) {
  segment_size_ = segment_size == 0 ? segment_size_default : segment_size;
}

/// Reserved space counts in full, because the disk has given it to this log.
std::uint64_t SegmentSpace::disk_bytes() const {
  const SegmentMap& m = segments_;
  const std::uint64_t closed =
      m.empty() ? 0 : m.open() - m.front() + (m.size() - 1) * segment_header_size;
  return closed + (m.empty() ? 0 : capacity_) + next_size_;
}

/// The leader rolls to a new segment before the current segment exceeds its size, unless a run
/// alone is larger. The leader's own frames need a little more, hence the addition.
std::uint64_t SegmentSpace::file_size() const {
  return segment_header_size + segment_size_ +
         std::min<std::uint64_t>(run_size_target, segment_size_ / 4);
}

/// A log that may stay idle begins with a small file. If it is written, reserve_ahead() has the
/// next, full-sized file prepared before it is needed.
std::uint64_t SegmentSpace::idle_file_size() const {
  return std::min(node_.options.idle_file_bytes, file_size());
}

std::uint64_t SegmentSpace::room(bool opens, Offset end) const {
  if (!rules::needs_reserved_space(opens_file(opens)))
    return std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t used = segment_header_size + (opens_file(opens) ? 0 : end - segments_.open());
  const std::uint64_t size = opens_file(opens) ? next_size_ : capacity_;
  return size > used ? size - used : 0;
}

bool SegmentSpace::make_room(bool opens, std::uint64_t bytes, Offset end) {
  // The open segment must not be closed while its file grows, and the `next` file must not be used
  // while it is being prepared.
  if ((preparing_.under_way() || growing_.under_way()) && opens) return false;
  const std::uint64_t there = room(opens, end);
  if (bytes <= there || !rules::needs_reserved_space(opens_file(opens))) return true;
  // The disk was full: ask_again() asks it when the time has come.
  if (again_at_ != never) return false;
  if (opens_file(opens)) {
    prepare(std::max(idle_file_size(), segment_header_size + bytes), true);
  } else {
    grow(std::max(std::min(2 * capacity_, file_size()), capacity_ + (bytes - there)));
  }
  return false;
}

void SegmentSpace::wrote(std::uint64_t bytes) {
  group_average_ +=
      (static_cast<std::int64_t>(bytes) - static_cast<std::int64_t>(group_average_)) / 8;
}

bool SegmentSpace::writes_large_groups() const { return group_average_ > zeros_below; }

void SegmentSpace::opening(Ticket ticket) {
  opening_ = ticket;
  capacity_ = std::exchange(next_size_, 0);
}

void SegmentSpace::opening_waits() {
  if (opening_ == Ticket{} || dropped_) return;
  opening_waits_ = true;
  no_space_ = Errc::no_space;
}

void SegmentSpace::prepare(std::uint64_t size, bool reserve_only) {
  if (preparing_.under_way() || opening_ != Ticket{}) return;
  preparing_ = {node_.disk(PrepareNext{log_, size, reserve_only}), size};
}

void SegmentSpace::grow(std::uint64_t size) {
  if (growing_.under_way()) return;
  const Offset file = segments_.open();
  growing_ = {node_.disk(GrowSegment{log_, file, size, writes_large_groups()}), size, file};
}

bool SegmentSpace::done(const DiskDone& d) {
  if (d.ticket == preparing_.ticket) {
    const Asking ended = std::exchange(preparing_, {});
    if (d.error == Errc::ok) next_size_ = ended.size;
    return asked(d, ended.size);
  }
  if (d.ticket == growing_.ticket) {
    const Asking ended = std::exchange(growing_, {});
    // The log may have been cut meanwhile, so the size is noted only if the same file is open.
    if (d.error == Errc::ok && !segments_.empty() && segments_.open() == ended.file)
      capacity_ = std::max(capacity_, ended.size);
    return asked(d, ended.size);
  }
  if (d.ticket != opening_) return false;
  opening_ = {};
  return std::exchange(opening_waits_, false) && asked(d, 0);
}

/// The end of a request for space. Raises the alarm once, when space is first refused.
bool SegmentSpace::asked(const DiskDone& d, std::uint64_t size) {
  if (dropped_) return false;
  if (d.error != Errc::ok) {
    if (no_space_ == Errc::ok)
      node_.event(
          Event::Level::alarm,
          fmt::format(
              "log {}: no space for {} bytes ({}); uploads are refused until there is: free space "
              "or trim logs (K5)",
              log_.value, size, d.detail));
    no_space_ = d.error;
    again_at_ = node_.now + space_asked_every;
  } else if (std::exchange(no_space_, Errc::ok) != Errc::ok) {
    node_.event(Event::Level::info, fmt::format("log {}: there is space again", log_.value));
  }
  return true;
}

bool SegmentSpace::due() {
  if (again_at_ > node_.now) return false;
  again_at_ = never;
  return true;
}

void SegmentSpace::ask_again(Offset end) {
  reserve_ahead(end);
  if (no_space_ == Errc::ok || dropped_ || preparing_.under_way() || growing_.under_way() ||
      opening_ != Ticket{})
    return;
  // Nothing waits for room any more. A prepared next file shows that the disk has space; otherwise
  // ask for such a file to find out.
  if (next_size_ > 0) no_space_ = Errc::ok;
  else prepare(segments_.empty() ? idle_file_size() : file_size(), true);
}

void SegmentSpace::reserve_ahead(Offset end) {
  if (segments_.empty() || dropped_ || again_at_ != never) return;
  const std::uint64_t used = end - segments_.open();
  if (capacity_ < file_size() && used * 2 > capacity_) grow(std::min(2 * capacity_, file_size()));
  if (next_size_ < file_size() && used * 4 > segment_size_)
    prepare(file_size(), writes_large_groups());
}

}  // namespace loglog::storage

// Joins the parts behind the door: where segments lie (SegmentMap), their space (SegmentSpace), and
// the writes on the log's strand (GroupWriter).
#include "storage-node/core/store/log_store.h"

#include <algorithm>
#include <utility>

#include "proto-spec/vocabulary/check.h"

namespace loglog::storage {

LogStore::LogStore(Node& node, LogId log)
    : node_(node), log_(log), space_(node, log, segments_), writer_(node, log, segments_, space_) {}

void LogStore::recovered(const RecoveredLog& r) {
  segments_ = r.segments;
  space_.found_capacity(r.open_file_size);
  writer_.recovered(r);
}

LogStore::News LogStore::done(const DiskDone& d) {
  switch (writer_.done(d)) {
    case GroupWriter::Ended::nothing:
      break;
    case GroupWriter::Ended::group:
      // The space for the next group is asked for before this group is acknowledged.
      space_.reserve_ahead(end());
      return News::group;
    case GroupWriter::Ended::marks:
      return News::marks;
    case GroupWriter::Ended::cut:
      return News::cut;
  }
  if (space_.done(d)) return News::room;
  const auto held = std::ranges::find(held_, d.ticket, &Held::ticket);
  if (held == held_.end()) return News::none;
  const News ended = held->ended;
  held_.erase(held);
  return ended;
}

bool LogStore::make_room(bool opens, std::uint64_t bytes) {
  return space_.make_room(opens, bytes, end());
}

void LogStore::append(Group group, const Vouch& vouch) {
  check(group.bytes <= room(group.opens_segment), "room is made before a group is taken");
  if (const auto closing = writer_.append(std::move(group), vouch))
    held_.push_back({closing->ticket, closing->segment, News::released});
}

void LogStore::mend(Offset at, Bytes bytes) {
  const Offset segment = segments_.holding(at);
  const Ticket ticket = node_.disk(
      RepairSegment{log_, segment, segment_header_size + (at - segment), std::move(bytes)});
  held_.push_back({ticket, segment, News::mended});
}

bool LogStore::trim(Offset point) {
  for (const Held& h : held_) point = std::min(point, h.segment);
  auto firsts = segments_.take_below(point);
  if (firsts.empty()) return false;
  // The strand is not waited for, because removing a large file takes long (output.h).
  node_.disk(UnlinkSegments{log_, std::move(firsts), true});
  return true;
}

Ticket LogStore::read(Offset at, std::uint64_t length, Node::Done done) {
  const Offset segment = segments_.holding(at);
  return node_.disk(ReadSegment{log_, segment, segment_header_size + (at - segment),
                                static_cast<std::uint32_t>(length)},
                    std::move(done));
}

Ticket LogStore::read_header(Offset segment, Node::Done done) {
  return node_.disk(ReadSegment{log_, segment, 0, segment_header_size}, std::move(done));
}

Ticket LogStore::read_inside(Offset segment, std::uint64_t distance, std::uint32_t length,
                             Node::Done done) {
  return node_.disk(ReadSegment{log_, segment, segment_header_size + distance, length},
                    std::move(done));
}

}  // namespace loglog::storage

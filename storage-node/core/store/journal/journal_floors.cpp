// A log's segments stay listed until a sync has covered them and both slots of marks name them.
// For nearly all logs the list is empty or has a single segment.
#include "storage-node/core/store/journal/journal_floors.h"

#include <algorithm>
#include <utility>

#include "proto-spec/vocabulary/check.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {

const JournalFloors::Log* JournalFloors::find(LogId log) const {
  const auto it = logs_.find(log);
  return it == logs_.end() ? nullptr : &it->second;
}

void JournalFloors::replayed(LogId log, Offset segment, RecordNumber record) {
  auto& segments = logs_[log].segments;
  const auto it = std::ranges::find(segments, segment, &Segment::first);
  if (it == segments.end()) segments.push_back({segment, record, record});
  else it->covered = it->last = std::max(it->last, record);
}

void JournalFloors::journalled(LogId log, Offset segment, RecordNumber record) {
  Log& l = logs_[log];
  l.lazy_since_direct = true;
  const auto it = std::ranges::find(l.segments, segment, &Segment::first);
  if (it == l.segments.end()) {
    l.segments.push_back({segment, record - 1, record});
  } else {
    // The records since the last one of this segment hold no bytes of it, so its floor stays high.
    if (it->is_synced()) it->covered = record - 1;
    it->last = record;
  }
}

std::optional<RecordNumber> JournalFloors::covered(const Log& log) {
  std::optional<RecordNumber> floor;
  for (const Segment& s : log.segments)
    if (!s.is_synced()) floor = std::min(floor.value_or(s.covered), s.covered);
  return floor;
}

RecordNumber JournalFloors::floor_for_marks(LogId log) const {
  const Log* l = find(log);
  if (l == nullptr) return newest_durable_;
  RecordNumber last = newest_durable_;
  for (const Segment& s : l->segments) last = std::max(last, s.last);
  // If all bytes are synced, no record holds bytes that only the journal has. That may include the
  // record in flight.
  const RecordNumber reached = covered(*l).value_or(last);
  return rules::floor_named(rules::floor_in_marks(reached, last), newest_durable_);
}

void JournalFloors::sync_begun(LogId log, Offset segment, Ticket ticket, Marks marks) {
  Log& l = logs_[log];
  const auto it = std::ranges::find(l.segments, segment, &Segment::first);
  l.syncs.push_back({ticket, segment, it == l.segments.end() ? RecordNumber{} : it->last, marks});
}

void JournalFloors::sync_ended(LogId log, Ticket ticket) {
  const auto known = logs_.find(log);
  if (known == logs_.end()) return;
  Log& l = known->second;
  const auto sync = std::ranges::find(l.syncs, ticket, &Sync::ticket);
  if (sync == l.syncs.end()) return;
  const Sync ended = *sync;
  l.syncs.erase(sync);
  const auto it = std::ranges::find(l.segments, ended.segment, &Segment::first);
  if (it != l.segments.end())
    it->covered = std::max(it->covered, rules::sync_covers(ended.covers, it->last));
  if (ended.marks.slots > 0) {
    check(ended.marks.floor >= l.newer, "the floor of a log never falls");
    l.older = ended.marks.slots > 1 ? ended.marks.floor : l.newer;
    l.newer = ended.marks.floor;
  }
  forget_named(l);
  ring_.raise(log, covered(l).value_or(ring_.newest()));
}

void JournalFloors::forget_named(Log& log) {
  const RecordNumber named = rules::named_by_slots(log.older, log.newer);
  std::erase_if(log.segments,
                [named](const Segment& s) { return s.is_synced() && named >= s.last; });
}

std::optional<Offset> JournalFloors::to_checkpoint(LogId log) const {
  const Log* l = find(log);
  if (l == nullptr) return std::nullopt;
  for (const Segment& s : l->segments) {
    const bool under_way = std::ranges::any_of(l->syncs, [&s](const Sync& sync) {
      return sync.segment == s.first && sync.covers >= s.last;
    });
    if (!s.is_synced() && !under_way) return s.first;
  }
  return std::nullopt;
}

bool JournalFloors::may_open_segment(LogId log) const {
  return rules::may_open_segment(to_checkpoint(log) == std::nullopt);
}

bool JournalFloors::may_cut(LogId log) const {
  const Log* l = find(log);
  return l == nullptr || std::ranges::all_of(l->segments, [l](const Segment& s) {
           return rules::may_lose_bytes(rules::named_by_slots(l->older, l->newer), s.last);
         });
}

bool JournalFloors::may_unlink(LogId log, Offset segment) const {
  const Log* l = find(log);
  return l == nullptr || std::ranges::all_of(l->segments, [&](const Segment& s) {
           return s.first != segment ||
                  rules::may_lose_bytes(rules::named_by_slots(l->older, l->newer), s.last);
         });
}

void JournalFloors::cut(LogId log) {
  const auto it = logs_.find(log);
  if (it == logs_.end()) return;
  it->second.segments.clear();
  ring_.raise(log, ring_.newest());
}

void JournalFloors::drop(LogId log) {
  logs_.erase(log);
  ring_.drop(log);
}

bool JournalFloors::must_read_last_block(LogId log) const {
  const Log* l = find(log);
  return l != nullptr && l->lazy_since_direct;
}

void JournalFloors::direct_group(LogId log) {
  const auto it = logs_.find(log);
  if (it != logs_.end()) it->second.lazy_since_direct = false;
}

}  // namespace loglog::storage

// Builds records. The frames are not copied: a record's buffers are its head, the groups' own
// buffers, and zeros.
#include "storage-node/core/store/journal/journal_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "proto-spec/vocabulary/check.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {

JournalWriter::JournalWriter(const Identity& identity, JournalRing& ring, JournalFloors& floors,
                             Limits limits)
    : identity_(identity), ring_(ring), floors_(floors), limits_(limits) {
  check(limits_.record_bytes <= journal_record_max && limits_.record_bytes % journal_block == 0,
        "a journal record is at most 1 MiB, in whole blocks");
  check(
      limits_.group_bytes + journal_record_header_size + journal_entry_size <= limits_.record_bytes,
      "the largest journalled group fits into a record");
  zeros_ = Bytes::allocate(journal_block);
  std::memset(zeros_.mutable_data(), 0, journal_block);
}

void JournalWriter::recovered(std::uint64_t previous, std::vector<JournalRing::Place> torn) {
  previous_ = previous;
  if (rules::wipes_torn_records()) torn_ = std::move(torn);
}

void JournalWriter::add(JournalGroup group) {
  check(takes(group.bytes), "a large group goes directly to its segment");
  check(!group.opens_segment || (group.bytes > 0 && group.segment == group.offset),
        "a group that begins a segment holds its first frame");
  check(held_.insert(group.log).second, "one group of a log at a time");
  waiting_.push_back(std::move(group));
}

std::size_t JournalWriter::fitting(std::uint64_t room) const {
  std::uint64_t bytes = journal_record_header_size;
  std::size_t n = 0;
  for (; n < waiting_.size(); ++n) {
    bytes += journal_entry_size + waiting_[n].bytes;
    if (bytes > room) break;
  }
  return n;
}

std::optional<JournalWrite> JournalWriter::next() {
  if (!rules::may_begin_write(!in_flight_.empty())) return std::nullopt;
  // Records wait for a slot and for a wipe, whatever else is allowed.
  if (!in_flight_.empty() && in_flight_.back().kind != Kind::record) return std::nullopt;
  if (!torn_.empty()) return wipe();
  if (!ring_.is_open()) return write_slot();
  if (waiting_.empty()) return std::nullopt;
  const std::size_t wanted = fitting(limits_.record_bytes);
  const std::size_t here = fitting(std::min(limits_.record_bytes, ring_.room()));
  if (here == wanted) return write_record(here);
  // The rest of a file is left unused rather than filled with a small record, if another file is
  // free.
  if (ring_.next_is_free()) return write_slot();
  return here > 0 ? std::optional(write_record(here)) : std::nullopt;
}

bool JournalWriter::stalled() const {
  return ring_.is_open() && in_flight_.empty() && !waiting_.empty() &&
         fitting(std::min(limits_.record_bytes, ring_.room())) == 0 && !ring_.next_is_free();
}

JournalWrite JournalWriter::wipe() {
  const JournalRing::Place place = torn_.back();
  torn_.pop_back();
  in_flight_.push_back({Kind::wipe, {}, {}});
  return {place.file, place.position, {zeros_}, true};
}

JournalWrite JournalWriter::write_slot() {
  JournalFileHeader slot = ring_.slot();
  slot.cluster = identity_.cluster;
  slot.disk = identity_.disk;
  in_flight_.push_back({Kind::slot, {}, {}});
  return {slot.index, journal_slot_at(slot), {encode_journal_slot(slot)}, rules::syncs_slot()};
}

JournalWrite JournalWriter::write_record(std::size_t groups) {
  Flight flight;
  std::vector<JournalEntry> entries;
  std::vector<LogId> logs_with_bytes;
  std::vector<Bytes> buffers(1);  // the first is the head, which is encoded last
  std::uint64_t length = journal_record_header_size + groups * journal_entry_size;
  for (std::size_t i = 0; i < groups; ++i) {
    JournalGroup& g = waiting_[i];
    entries.push_back({g.log, g.offset, static_cast<std::uint32_t>(g.bytes), g.opens_segment,
                       g.segment, g.chain, g.committed, std::max(g.offset, g.hole_until),
                       journal_checksum(g.frames)});
    flight.logs.push_back(g.log);
    if (g.bytes > 0) logs_with_bytes.push_back(g.log);
    length += g.bytes;
    std::ranges::move(g.frames, std::back_inserter(buffers));
  }
  const std::uint64_t padded = journal_padded(length);
  const JournalRing::Place place = ring_.take(padded, logs_with_bytes);
  flight.number = ring_.newest();
  for (const JournalEntry& e : entries)
    if (e.length > 0) floors_.journalled(e.log, e.segment, flight.number);
  buffers.front() =
      encode_journal_head({identity_.cluster, identity_.disk, flight.number, previous_}, entries);
  previous_ = journal_record_checksum(buffers.front());
  if (padded > length) buffers.push_back(zeros_.slice(0, padded - length));
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(groups));
  in_flight_.push_back(std::move(flight));
  return {place.file, place.position, std::move(buffers), rules::syncs_records()};
}

std::vector<LogId> JournalWriter::done() {
  check(!in_flight_.empty(), "a write of the journal ends once");
  Flight ended = std::move(in_flight_.front());
  in_flight_.pop_front();
  if (ended.kind == Kind::slot) ring_.opened();
  if (ended.kind != Kind::record) return {};
  floors_.durable(ended.number);
  for (const LogId log : ended.logs) held_.erase(log);
  return std::move(ended.logs);
}

bool JournalWriter::holds(LogId log) const { return rules::awaits_record(held_.contains(log)); }

void JournalWriter::drop(LogId log) {
  const auto it = std::ranges::find(waiting_, log, &JournalGroup::log);
  if (it == waiting_.end()) return;
  waiting_.erase(it);
  held_.erase(log);
}

}  // namespace loglog::storage

// Positions and pins. A log leaves a file's pins as soon as its floor has reached its last record
// there, so that a file is released without a walk over all logs.
#include "storage-node/core/store/journal/journal_ring.h"

#include <algorithm>

#include "proto-spec/vocabulary/check.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {

JournalRing::JournalRing(JournalSizes sizes) : sizes_(sizes), files_(sizes.files) {
  check(sizes_.files >= 2, "a journal has at least two files, so that one of them can be free");
  check(sizes_.file_bytes >= journal_header_block + journal_record_max,
        "a journal file holds its header and the largest record");
  check(sizes_.file_bytes % journal_block == 0, "a journal file consists of whole blocks");
}

void JournalRing::recovered(const Begin& begin) {
  check(newest_ == RecordNumber{} && !open_, "a start comes before the first record");
  check(begin.file < sizes_.files && begin.counters.size() == sizes_.files,
        "the start has found as many files as the ring has");
  newest_ = begin.newest;
  current_ = oldest_ = begin.file;
  for (std::uint32_t i = 0; i < sizes_.files; ++i) files_[i].counter = begin.counters[i];
}

std::uint64_t JournalRing::room() const {
  return open_ ? std::min<std::uint64_t>(sizes_.file_bytes - position_, journal_record_max) : 0;
}

bool JournalRing::next_is_free() const {
  const bool occupied = open_ && next_file() == oldest_;
  return rules::may_write_again(occupied);
}

JournalFileHeader JournalRing::slot() const {
  check(next_is_free(), "a journal file is released before it is written again");
  const std::uint32_t file = next_file();
  return {files_[file].counter + 1, {}, {}, file, sizes_.files, newest_ + 1};
}

void JournalRing::opened() {
  const std::uint32_t file = next_file();
  ++files_[file].counter;
  files_[file].pinned.clear();
  // Only a ring without the rule J2_free writes over an occupied file.
  if (open_ && file == oldest_) oldest_ = after(file);
  current_ = file;
  position_ = journal_header_block;
  open_ = true;
  release();
}

JournalRing::Place JournalRing::take(std::uint64_t bytes, const std::vector<LogId>& logs) {
  check(bytes <= room() && bytes % journal_block == 0, "a journal record has its place");
  const Place place{current_, position_};
  position_ += bytes;
  newest_ = newest_ + 1;
  for (const LogId log : logs) files_[current_].pinned[log] = newest_;
  return place;
}

void JournalRing::raise(LogId log, RecordNumber floor) {
  for (File& f : files_) {
    const auto pin = f.pinned.find(log);
    if (pin != f.pinned.end() && pin->second <= floor) f.pinned.erase(pin);
  }
  release();
}

void JournalRing::drop(LogId log) {
  for (File& f : files_) f.pinned.erase(log);
  release();
}

/// Files are released in ring order, because each is written again in that order.
void JournalRing::release() {
  while (oldest_ != current_ && files_[oldest_].pinned.empty()) oldest_ = after(oldest_);
}

std::uint32_t JournalRing::occupied() const {
  return open_ ? (current_ + sizes_.files - oldest_) % sizes_.files + 1 : 0;
}

std::vector<LogId> JournalRing::pins() const {
  std::vector<LogId> logs;
  if (oldest_ == current_) return logs;
  for (const auto& [log, last] : files_[oldest_].pinned) logs.push_back(log);
  std::ranges::sort(logs);
  return logs;
}

}  // namespace loglog::storage

// The ring of a node's journal files: which file is written, where the next record lies, and when
// a file may be written again. Knows numbers and sizes; knows neither the content of records nor a
// disk. JournalWriter takes places from the ring, JournalFloors tells it the floors of logs.
//
// The ring owes its users:
// - A record lies whole in one file, behind the records before it.
// - J2: a file is written again only if each log that has bytes in it has its floor at or above
//   its last record there, or is dropped. Files are released in the order in which they were
//   written.
// - J2: before a record goes into a file, a slot of the file's header says durably from which
// record
//   on the file counts (slot(), opened()). Otherwise a start could not tell a torn first record
//   from rot of a record that the file held before.
// - The ring never grows. If no file is free, there is no place, and the caller waits until
//   checkpoints have raised the floors of the logs in pins(). A checkpoint can always be made, so
//   no idle log holds the ring for ever.
//
// A user owes the ring: floors that hold (JournalFloors), and drop() only after the log's tombstone
// is durable (T5), because a log without its journalled bytes must not come back.
#pragma once
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "proto-spec/disk/journal.h"

namespace loglog::storage {

/// Sizes of the journal. At least two files; a file holds its header and the largest record.
struct JournalSizes {
  std::uint32_t files = 4;
  /// Bytes of a file, a multiple of journal_block.
  std::uint64_t file_bytes = 128u << 20;
};

// Owns the places of records and, for each file, the logs that still need it.
class JournalRing {
 public:
  /// The place of a record: index of the file, and position in it, in bytes.
  struct Place {
    std::uint32_t file = 0;
    std::uint64_t position = 0;
    bool operator==(const Place&) const = default;
  };
  // Where a journal goes on that a start has found, or that is new. All bytes of its records are
  // durable in segments by then, so every file is free.
  struct Begin {
    /// The number of the newest record; 0: no record was written.
    RecordNumber newest{};
    /// The file that is written first.
    std::uint32_t file = 0;
    /// For each file, the counter of its newest header slot.
    std::vector<std::uint64_t> counters;
  };

  explicit JournalRing(JournalSizes sizes);

  /// Takes the findings of the start, once, before anything else.
  void recovered(const Begin& begin);

  /// Number of the newest record that has a place.
  RecordNumber newest() const { return newest_; }
  /// Bytes of the largest record, padding included, that has its place in the current file.
  std::uint64_t room() const;
  /// True if the file after the current file may be written now. At a start the first file is free.
  bool next_is_free() const;
  /// The header slot that makes the next file the current file. next_is_free() must be true. The
  /// caller fills in cluster and disk, and writes the slot durably before opened().
  JournalFileHeader slot() const;
  /// The slot is durable: the next file is the current file, and empty.
  void opened();
  /// True if a file is being written. After a start there is none before opened().
  bool is_open() const { return open_; }
  /// Gives the next record its number and its place. `bytes` includes the padding and is at most
  /// room(). `logs`: those with bytes in the record, which need it from now on.
  Place take(std::uint64_t bytes, const std::vector<LogId>& logs);

  /// All bytes of the log in records up to `floor` are durable in segments. A floor below an
  /// earlier floor changes nothing.
  void raise(LogId log, RecordNumber floor);
  /// The log is dropped, and its tombstone is durable.
  void drop(LogId log);

  /// Files that hold records that some log needs, the current file included.
  std::uint32_t occupied() const;
  /// True if more than half of the files are occupied, so that pins() should be checkpointed.
  bool wants_checkpoints() const { return 2 * occupied() > sizes_.files; }
  /// The logs that keep the oldest occupied file from being written again, in ascending order.
  /// Empty if only the current file is occupied.
  std::vector<LogId> pins() const;

 private:
  struct File {
    /// Counter of the newest header slot.
    std::uint64_t counter = 0;
    /// For each log that needs the file, the last record with bytes of it here.
    std::unordered_map<LogId, RecordNumber> pinned;
  };

  std::uint32_t after(std::uint32_t file) const { return (file + 1) % sizes_.files; }
  std::uint32_t next_file() const { return open_ ? after(current_) : current_; }
  void release();

  JournalSizes sizes_;
  std::vector<File> files_;
  /// The file that is written, and the position behind its last record. While !open_: the file that
  /// will be written first.
  std::uint32_t current_ = 0;
  std::uint64_t position_ = 0;
  bool open_ = false;
  /// The oldest occupied file. From here to current_, in ring order, files are occupied.
  std::uint32_t oldest_ = 0;
  RecordNumber newest_{};
};

}  // namespace loglog::storage

// Reads a node's journal at a start: finds its end, judges it (J5, J6, J7), and hands out the
// frames that the segments may lack. Called before any log's tail is read (K1).
//
// A start does, in this order:
// 1. reads the journal floor from the marks of each log;
// 2. scan_journal(), which changes nothing;
// 3. replay_journal(): writes each piece into its segment. A crash on the way is harmless, because
//    the journal stays as it is and the next start writes the same bytes again;
// 4. syncs the segments, and only then recovers the logs (recovery_scan.h);
// 5. for each suspect log writes marks, durably, that name the hole and the newest record as floor.
//    So the log stays suspect across a crash, and pins no journal file;
// 6. recovered() of JournalRing, JournalFloors and JournalWriter. The first writes of the writer
//    wipe torn records and write a header slot. They are durable before any log is opened: from
//    then on the records that were found count no more.
//
// The journal is the sequence of records from the lowest `from` of its file headers to its end.
// Each number in between must be there as a good record of the file whose header covers the number.
#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "proto-spec/disk/journal.h"
#include "proto-spec/vocabulary/result.h"
#include "storage-node/core/store/journal/journal_ring.h"

namespace loglog::storage {

/// The journal's files as a start finds them. Before the first call the driver has synced them, and
/// answers come from the medium, not from the page cache (K1). Blocking.
class JournalFiles {
 public:
  virtual ~JournalFiles() = default;
  /// Bytes of a file; 0: the file does not exist. Any error ends the start (K7).
  virtual Result<std::uint64_t> size(std::uint32_t file) = 0;
  /// Bytes at a file position; fewer at the end of the file. io_error: the medium does not give the
  /// bytes, which is damage; any other error ends the start (K7).
  virtual Result<Bytes> read(std::uint32_t file, std::uint64_t position, std::uint32_t length) = 0;
};

/// What the node knows about its journal from elsewhere.
struct ExpectedJournal {
  /// From the identity.
  ClusterId cluster{};
  DiskId disk{};
  /// Files of the ring, as the journal was made.
  std::uint32_t files = 0;
  /// The identity, or the marks of some log, say that there is a journal.
  bool must_exist = false;
  /// The highest floor in the marks of all logs. It was named only after that record was durable.
  RecordNumber highest_floor{};
};

enum class JournalVerdict : std::uint8_t {
  none,     ///< there is no journal, and none is expected
  whole,    ///< all records that were durable are there; the last write may be torn
  damaged,  ///< durable records are lost or damaged: some logs are suspect (J5)
  missing,  ///< there is no journal although there must be: DATA LOSS (J7, T4)
  foreign   ///< the journal is of another cluster or another disk: DATA LOSS (J7, T4)
};

/// A record that counts.
struct FoundRecord {
  RecordNumber number{};
  JournalRing::Place place;
  /// Bytes without padding.
  std::uint32_t length = 0;
  std::uint64_t checksum = 0;
  std::uint64_t previous = 0;
  /// The frames of some entries are damaged.
  bool torn = false;
};

struct FoundJournal {
  struct Range {
    RecordNumber first{};
    RecordNumber last{};
  };
  // Damaged frames in a record whose table is good.
  struct Damage {
    RecordNumber record{};
    LogId log{};
  };

  JournalVerdict verdict = JournalVerdict::none;
  /// Where records lie whose write did not end before the crash (J6).
  std::vector<JournalRing::Place> torn;
  /// The records that count, in ascending order of their numbers.
  std::vector<FoundRecord> records;
  /// Numbers of records that were durable and are lost, ascending. The last range is open-ended if
  /// nobody knows how many records are lost.
  std::vector<Range> lost;
  std::vector<Damage> damages;
  /// Where the journal goes on, and the checksum of the newest record there (0: none, or lost).
  JournalRing::Begin begin;
  std::uint64_t previous = 0;

  /// J5: true if a record above the log's floor is lost that may have held bytes of the log, or if
  /// such bytes are damaged.
  bool is_suspect(LogId log, RecordNumber floor) const;
  /// The same for the records below `record` only.
  bool lost_before(LogId log, RecordNumber floor, RecordNumber record) const;
};

/// Reads the whole journal and judges it. Fails only if the start must end: an error other than
/// io_error (K7), or a journal of a newer format. Damage is a result.
Result<FoundJournal> scan_journal(JournalFiles& files, const ExpectedJournal& expected);

/// Frames to be written into a segment, or marks alone.
struct JournalPiece {
  RecordNumber record{};
  JournalEntry entry;
  Bytes frames;
  /// A record between the log's floor and this record is lost, so bytes before this piece may be
  /// missing. The piece is written only if the log ends at its offset with its chain; otherwise
  /// this and all later pieces of the log are left out.
  bool after_loss = false;
};
/// The floor that the newest marks of a log name; nullopt: the node holds no such log, because it
/// was dropped. A log whose marks cannot be read is suspect and has the highest number there is.
using FloorOf = std::function<std::optional<RecordNumber>(LogId)>;
/// Takes a piece. An error ends the replay.
using OnPiece = std::function<Result<void>(const JournalPiece&)>;

/// Hands out the pieces above the floors of their logs, in the order of the records (J4). Fails
/// with an error of on_piece or of reading, and with `corrupt` if a record has changed since the
/// scan. The start then ends; the next start scans anew.
Result<void> replay_journal(JournalFiles& files, const FoundJournal& found, const FloorOf& floor_of,
                            const OnPiece& on_piece);

}  // namespace loglog::storage

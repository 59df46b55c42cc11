// The files of a storage node's journal: encoding, decoding and checks. A record holds the frames
// of groups of many logs, so that one fdatasync makes all of them durable. Only bytes are here. The
// parts of storage-node/core/store/journal decide the places and the content of records, and the
// storage node's io layer reads and writes the files.
//
// The journal is a ring of files of equal size. A file begins with a header of journal_header_block
// bytes; records follow. A record begins at a multiple of journal_block, lies whole in one file,
// and is filled up with zeros to the next multiple. All fields are little-endian. Each field below
// is given as position, name, size in bytes.
//
// file header  two slots of 512 bytes at 0 and 512, written in turn:
//   0 magic "LLJF" 4 | 4 version 4 | 8 counter 8 | 16 cluster id 8 | 24 disk id 8
//   32 index of the file 4 | 36 number of files 4 | 40 from 8 | 48 XXH3-64 over bytes 0-47
// record       header, table of entries, frames
//   0 magic "LLJR" 4 | 4 version 4 | 8 cluster id 8 | 16 disk id 8 | 24 number 8
//   32 length of header, table and frames 4 | 36 count of entries 4
//   40 checksum of the record before 8; 0 for record 1
//   48 XXH3-64 over bytes 0-47 and the table 8 | 56 zeros, not read
// entry        0 log id 8 | 8 offset of the first frame 8 | 16 length of the frames 4
//   20 flags 4; bit 0: the frames begin a new segment; the other bits are zero
//   24 first offset of the segment 8 | 32 chain before the first frame 8
//   40 committed offset 8 | 48 durable offset 8 | 56 XXH3-64 over the frames 8
// frames       of the entries, in the order of the table, without gaps
//
// A record's checksum covers the frames through their checksums in the table. Header and table can
// be good while frames are bad. Such a record still proves that its write was begun, and so that
// the record before it was durable (J6).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"

namespace loglog {

/// Sizes in bytes. A record with its padding is a multiple of journal_block and at most
/// journal_record_max.
inline constexpr std::uint32_t journal_block = 4096;
inline constexpr std::uint32_t journal_header_block = 4096;
inline constexpr std::uint32_t journal_slot_size = 512;
inline constexpr std::uint32_t journal_record_max = 1u << 20;
inline constexpr std::uint32_t journal_record_header_size = 64;
inline constexpr std::uint32_t journal_entry_size = 64;
/// Most entries of a record: all of them marks without frames.
inline constexpr std::uint32_t journal_entries_max =
    (journal_record_max - journal_record_header_size) / journal_entry_size;
static_assert(journal_header_block % journal_block == 0 && journal_record_max % journal_block == 0);

/// The number of the first record of a journal. Numbers rise by 1.
inline constexpr RecordNumber first_record{1};

/// The header of a journal file: a slot.
struct JournalFileHeader {
  /// Number of the slot's write; its parity selects the slot.
  std::uint64_t counter = 0;
  ClusterId cluster{};
  DiskId disk{};
  /// Number of this file in the ring, from 0, and of all files.
  std::uint32_t index = 0;
  std::uint32_t files = 0;
  /// Records of this file with a lower number do not count: the file was released before it was
  /// written again (J2). 0: no record was ever written here.
  RecordNumber from{};
  bool operator==(const JournalFileHeader&) const = default;
};
/// A slot of journal_slot_size bytes.
Bytes encode_journal_slot(const JournalFileHeader& h);
/// File position of the slot.
std::uint64_t journal_slot_at(const JournalFileHeader& h);
/// A whole header block for a new file: both slots say the same, under `counter` and the counter
/// before it, so that rot of either slot loses nothing. `counter` must not be 0.
Bytes encode_journal_header(const JournalFileHeader& h);
/// The good slot with the higher counter; nullopt if neither slot is good. `block`: the beginning
/// of a file. Total.
std::optional<JournalFileHeader> decode_journal_header(ByteSpan block);
/// True if some slot has the magic and a version that this program does not read. Total.
bool is_newer_journal(ByteSpan block);

/// The group of one log in a record, or the marks of a log without frames.
struct JournalEntry {
  LogId log{};
  /// Place of the first frame. Without frames: the log's tail.
  Offset offset{};
  /// Bytes of frames; 0: only marks.
  std::uint32_t length = 0;
  /// The first frame is a segment start. `segment` is then equal to `offset`.
  bool opens_segment = false;
  /// First offset of the segment that the frames belong to.
  Offset segment{};
  /// Chain before the first frame.
  Chain chain{};
  /// Marks of the log, as in a segment's header (K3). `durable` does not vouch for the frames of
  /// this entry, because the record may be torn.
  Offset committed{};
  Offset durable{};
  /// journal_checksum() of the frames.
  std::uint64_t frames_checksum = 0;
  bool operator==(const JournalEntry&) const = default;
};

/// The fields of a record's header that a writer chooses; encode_journal_head() computes the
/// others.
struct JournalHeader {
  ClusterId cluster{};
  DiskId disk{};
  RecordNumber number{};
  /// The checksum of the record before; 0 for record 1. Ties the records into one sequence.
  std::uint64_t previous = 0;
  bool operator==(const JournalHeader&) const = default;
};

/// Checksum of an entry's frames, whose bytes are those of `frames` one after the other.
std::uint64_t journal_checksum(std::span<const Bytes> frames);
/// Bytes of a record with its padding. `length`: without padding.
constexpr std::uint64_t journal_padded(std::uint64_t length) {
  return (length + journal_block - 1) / journal_block * journal_block;
}
/// Header and table of a record. The caller writes the frames behind them, and zeros up to
/// journal_padded(). The whole record must not be larger than journal_record_max.
Bytes encode_journal_head(const JournalHeader& header, std::span<const JournalEntry> entries);
/// The checksum of a record, which the next record names as `previous`. `head`: a whole header.
std::uint64_t journal_record_checksum(ByteSpan head);

/// Verdict on the bytes at a place of a journal file.
enum class JournalState : std::uint8_t {
  nothing,     ///< no record begins here
  newer,       ///< a record of a version that this program does not read
  incomplete,  ///< JournalRecord::length bytes are needed to tell
  bad,         ///< header or table is damaged
  torn,        ///< header and table are good, frames are not
  good         ///< all bytes are right
};
/// A decoded record.
struct JournalRecord {
  JournalState state = JournalState::nothing;
  JournalHeader header;
  /// Bytes of header, table and frames. If the record is incomplete: the bytes that are needed to
  /// go on, first for header and table, then for the frames.
  std::uint32_t length = 0;
  /// The record's own checksum.
  std::uint64_t checksum = 0;
  std::vector<JournalEntry> entries;
  /// For each entry, whether its frames are right.
  std::vector<bool> frames_good;
  /// Bytes before the frames of the first entry.
  std::uint32_t head_size() const {
    return journal_record_header_size +
           static_cast<std::uint32_t>(entries.size()) * journal_entry_size;
  }
};
/// Judges the bytes of a record, which begins where `bytes` begins. The bytes may go on behind it.
/// Header, checksum and entries are filled in if the record is torn or good. Total: any bytes give
/// a verdict.
JournalRecord look_at_journal_record(ByteSpan bytes);

}  // namespace loglog

// A sequencer's state directory (spec/02 R1 to R3): `raft.log`, a header and appended records, and
// `snapshot`, replaced as a whole. Only encoding and decoding are here; the sequencer's io layer
// writes the files. Each field below is given as position, name, size in bytes.
//
// raft.log   header of 4096 bytes | records | zeros whose space is reserved
// header     0 magic "LOGLRFT" and version 1, 8 bytes | two mark slots of 512 bytes at 2048
//            and 2560, written in turn
// mark slot  0 magic "LLRM" 4 | 4 version 4 | 8 counter 8 | 16 durable 8
//            24 XXH3-64 over bytes 0-23
// record     0 payload length 4 | 4 low half of XXH3-64 over kind and payload 4 | 8 kind 1
//            9 payload
// kinds      1 hard state: term 8, vote 4
//            2 entry: term 8, index 8, command
//            3 cut: drop entries from index 8 on
// snapshot   0 magic "LOGLSNP" and version 1, 8 bytes | 8 index 8 | 16 term 8 | 24 length 8
//            32 state | XXH3-64 over all before | zeros, whose space the next snapshot may need
//
// The mark names the file position up to which an earlier fdatasync has made the log durable. Bad
// bytes below it are damage; bad bytes above it are a torn write (spec/02 R2).
#pragma once
#include <functional>
#include <string>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/wire/messages.h"

namespace loglog {

/// Sizes in bytes.
inline constexpr std::size_t raft_header_size = 4096;
inline constexpr std::size_t raft_mark_size = 512;

/// The ninth byte of a record. Numbers are never reused.
enum class RaftRecordKind : std::uint8_t { hard_state = 1, entry = 2, cut = 3 };

/// Raft's current term and the vote in it; vote 0: none. The last record counts.
struct RaftHardState {
  RaftTerm term{};
  SequencerId vote{};
};
/// A mark; `counter` grows by 1 with each write and chooses the slot.
struct RaftMark {
  std::uint64_t counter = 0;
  std::uint64_t durable = 0;  ///< file position, bytes
  bool operator==(const RaftMark&) const = default;
};

/// Header of a new log, which gets its name after all of it is durable; so the mark may name all of
/// it.
Bytes encode_raft_header(const RaftMark& mark);
/// A whole slot.
Bytes encode_raft_mark(const RaftMark& mark);
/// File position of the mark's slot.
std::size_t raft_mark_at(const RaftMark& mark);
/// Appends an encoded record to `out`.
void append_record(std::string& out, const RaftHardState& h);
void append_record(std::string& out, const RaftEntry& e);
/// Appends a record that drops the entries from `from` on.
void append_cut(std::string& out, RaftIndex from);

/// Callbacks for the records, in file order. All must be set.
struct RaftRecords {
  std::function<void(const RaftHardState&)> hard_state;
  std::function<void(const RaftEntry&)> entry;
  std::function<void(RaftIndex)> cut;
};
/// The result of reading a log. `good` <= file size.
struct RaftLogEnd {
  std::size_t good = 0;  ///< the good records end at this file position
  RaftMark mark;
  /// Bytes other than zeros follow. The caller must overwrite them with zeros: a later record could
  /// otherwise make good records of them (spec/02 R2).
  bool torn = false;
  /// Records below the mark are bad or missing, so votes or entries that were durable are lost
  /// (C3).
  bool lost = false;
};
/// Reads a raft.log as far as its records are good. raft_damaged if nothing can be said about it:
/// no header, no mark, or a good record of impossible content. newer_format for another version.
/// Total.
Result<RaftLogEnd> read_raft_log(ByteSpan file, const RaftRecords& on);

/// The state after all entries up to `index`, whose Raft term is `term`.
struct RaftSnapshot {
  RaftIndex index{};
  RaftTerm term{};
  Bytes state;
};
/// The file's content up to its checksum, without the zeros.
Bytes encode_snapshot(const RaftSnapshot& s);
/// Fails with raft_damaged or newer_format. `state` is a slice of `file`. Total.
Result<RaftSnapshot> decode_snapshot(const Bytes& file);

}  // namespace loglog

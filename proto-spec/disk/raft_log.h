// A sequencer's state directory: `raft.log`, a header and records appended one after the other, and
// `snapshot`, replaced whole.
//
//   raft.log   header of 4096 bytes | records | zeros up to the end of the file, whose space is
//   reserved header     0 magic "LOGLRFT" and version 1, 8 bytes | two mark slots of 512 bytes at
//   2048 and 2560, written in turn mark slot  0 magic "LLRM" 4 | 4 version 4 | 8 counter 8 | 16
//   durable 8 | 24 XXH3-64 over bytes 0-23 record     0 payload length 4 | 4 low half of XXH3-64
//   over kind and payload 4 | 8 kind 1 | 9 payload kinds      1 hard state: term 8, vote 4     2
//   entry: term 8, index 8, command     3 cut: drop entries from index 8 on snapshot   0 magic
//   "LOGLSNP" and version 1, 8 bytes | 8 index 8 | 16 term 8 | 24 length 8 | 32 state | XXH3-64
//   over all before |
//              zeros, whose space the next snapshot may need
//
// The mark names the file position up to which an earlier fdatasync had made the log durable. Bad
// bytes below it are damage, bad bytes above it are a torn write (spec/02 R2).
#pragma once
#include <functional>
#include <string>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/wire/messages.h"

namespace loglog {

inline constexpr std::size_t raft_header_size = 4096;
inline constexpr std::size_t raft_mark_size = 512;

enum class RaftRecordKind : std::uint8_t { hard_state = 1, entry = 2, cut = 3 };

struct RaftHardState {
  RaftTerm term{};
  SequencerId vote{};
};
struct RaftMark {
  std::uint64_t counter = 0;
  std::uint64_t durable = 0;  ///< file position
  bool operator==(const RaftMark&) const = default;
};

/// The header of a log whose file gets its name once all of it is durable: the mark names all of
/// it.
Bytes encode_raft_header(const RaftMark& mark);
/// One slot, and where it lies in the file.
Bytes encode_raft_mark(const RaftMark& mark);
std::size_t raft_mark_at(const RaftMark& mark);
void append_record(std::string& out, const RaftHardState& h);
void append_record(std::string& out, const RaftEntry& e);
void append_cut(std::string& out, RaftIndex from);

struct RaftRecords {
  std::function<void(const RaftHardState&)> hard_state;
  std::function<void(const RaftEntry&)> entry;
  std::function<void(RaftIndex)> cut;
};
struct RaftLogEnd {
  std::size_t good = 0;  ///< the records end here
  RaftMark mark;
  bool torn = false;  ///< other bytes than zeros follow: to be overwritten with zeros
  bool lost =
      false;  ///< records below the mark are bad or not there: what was durable once is lost (C3)
};
/// Walks a raft.log as far as its records are good. raft_damaged where nothing can be said of it
/// (no header, no mark), newer_format for another version. Total.
Result<RaftLogEnd> read_raft_log(ByteSpan file, const RaftRecords& on);

struct RaftSnapshot {
  RaftIndex index{};
  RaftTerm term{};
  Bytes state;
};
Bytes encode_snapshot(const RaftSnapshot& s);
/// raft_damaged or newer_format otherwise. Total.
Result<RaftSnapshot> decode_snapshot(const Bytes& file);

}  // namespace loglog

// A sequencer's state directory: `raft.log`, records appended one after the other, and `snapshot`, replaced whole.
//
//   raft.log   0 magic "LOGLRFT" and version 1, 8 bytes | records
//   record     0 payload length 4 | 4 low half of XXH3-64 over kind and payload 4 | 8 kind 1 | 9 payload
//   kinds      1 hard state: term 8, vote 4     2 entry: term 8, index 8, command     3 cut: drop entries from index 8 on
//   snapshot   0 magic "LOGLSNP" and version 1, 8 bytes | 8 index 8 | 16 term 8 | 24 length 8 | 32 state | XXH3-64 over all before
#pragma once
#include <functional>
#include <string>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/wire/messages.h"

namespace loglog {

enum class RaftRecordKind : std::uint8_t { hard_state = 1, entry = 2, cut = 3 };

struct RaftHardState {
  RaftTerm term{};
  SequencerId vote{};
};

Bytes encode_raft_header();
void append_record(std::string& out, const RaftHardState& h);
void append_record(std::string& out, const RaftEntry& e);
void append_cut(std::string& out, RaftIndex from);

struct RaftRecords {
  std::function<void(const RaftHardState&)> hard_state;
  std::function<void(const RaftEntry&)> entry;
  std::function<void(RaftIndex)> cut;
};
/// Walks a raft.log; returns the bytes that are good: what follows is a torn end, to be cut. data_loss where a bad record has
/// good ones after it (T4), newer_format for another version. Total.
Result<std::size_t> read_raft_log(ByteSpan file, const RaftRecords& on);

struct RaftSnapshot {
  RaftIndex index{};
  RaftTerm term{};
  Bytes state;
};
Bytes encode_snapshot(const RaftSnapshot& s);
/// data_loss or newer_format otherwise. Total.
Result<RaftSnapshot> decode_snapshot(const Bytes& file);

}  // namespace loglog

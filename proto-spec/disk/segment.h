// Files of a storage node (spec/02): the 4096-byte segment header with its two marks slots, and the
// files for promise and identity. Only encoding and decoding are here; the storage node's io layer
// does the writing.
//
// All fields are little-endian. Layouts below give position, name and size in bytes of each field.
// The version's value is 2 in all four formats; an identity that names a later version of records
// has the value 3.
#pragma once
#include <optional>
#include <string>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/wire/messages.h"

namespace loglog {

/// Bytes before the first frame of a segment file. Offsets do not count them: the frame at offset o
/// lies at file position segment_header_size + (o - first).
inline constexpr std::uint32_t segment_header_size = 4096;
/// Two slots of the header, written alternately, so that a torn write leaves the other slot good
/// (K3).
inline constexpr std::uint32_t marks_slot_size = 512;
inline constexpr std::uint32_t marks_slot_at[2] = {2048, 2560};

/// The beginning of a segment file:
///   0 magic "LOGLSEG\0" 8 | 8 version 1 | 16 cluster id 8 | 24 log id 8 | 32 first offset 8
///   40 chain 8 | 48 XXH3-64 over bytes 0-47 | zeros to 2048 | marks slots
struct SegmentHeader {
  ClusterId cluster{};
  LogId log{};
  Offset first{};
  Chain chain{};  ///< before the first frame of this file
  bool operator==(const SegmentHeader&) const = default;
};
/// All 4096 bytes, with empty marks slots.
Bytes encode_segment_header(const SegmentHeader& h);
/// Fails with corrupt or newer_format; an older format counts as newer_format too. Total.
Result<SegmentHeader> decode_segment_header(ByteSpan bytes);

/// The node's own marks (K3), a slot of 512 bytes:
///   0 magic "LLMK" 4 | 4 version 1 | 8 counter 8 | 16 durable offset 8 | 24 chain there 8
///   32 committed offset 8 | 40 XXH3-64 over bytes 0-39
/// `durable` tells how far the group *before* the last was durable: bad bytes below it are damage,
/// above it a torn write. Each write goes to the slot of counter % 2. `chain` is the chain at
/// `durable`.
struct Marks {
  std::uint64_t counter = 0;
  Offset durable{};
  Chain chain{};
  Offset committed{};
  bool operator==(const Marks&) const = default;
};
Bytes encode_marks(const Marks& m);
/// The good slot with the higher counter; nullopt if neither slot is good. `header`: the whole
/// header. Total.
std::optional<Marks> decode_marks(ByteSpan header);

/// The promise (T3): the highest term that the node has sealed, and its instance. A slot of the
/// promise file:
///   0 magic "LLPR" 4 | 4 version 1 | 8 counter 8 | 16 term 4 | 24 instance 8
///   32 XXH3-64 over bytes 0-31
/// Two slots are written in turn. `counter` counts the writes; a lower count shows an older copy of
/// the directory (T4).
struct Promise {
  std::uint64_t counter = 0;
  Term term{};
  InstanceId instance{};
  bool operator==(const Promise&) const = default;
};
/// Sizes in bytes.
inline constexpr std::uint32_t promise_slot_size = 512;
inline constexpr std::uint32_t promise_file_size = 2 * promise_slot_size;
/// A slot of promise_slot_size bytes; it lies at (counter % 2) * promise_slot_size.
Bytes encode_promise(const Promise& p);
/// The good slot with the higher counter. nullopt if neither is good, which is DATA LOSS if the
/// file must exist (T4). Total.
std::optional<Promise> decode_promise(ByteSpan file);

/// The identity of a data directory, a file of 512 bytes:
///   0 magic "LLID" 4 | 4 version 1 | 8 cluster id 8 | 16 disk id 8 | 24 node id 4 | 28 role 1
///   29 record version 1, in format 3 | 32 name length 2, cluster name
///   last 8 bytes: XXH3-64 over all before
/// Written at the first start, when the node adopts a cluster, and when the cluster's version rises
/// (T7). Format 3 has a record version above 1, so that programs of format 2 do not start.
struct Identity {
  ClusterId cluster{};  ///< 0 until adopted
  DiskId disk{};
  std::uint32_t id = 0;   ///< node or sequencer id
  std::uint8_t role = 0;  ///< a Role
  std::string cluster_name;
  /// Highest version of the records in the directory (T7).
  std::uint8_t record_version = record_version_first;
  bool operator==(const Identity&) const = default;
};
inline constexpr std::uint32_t identity_file_size = 512;
Bytes encode_identity(const Identity& i);
/// Fails with data_loss (T4) or newer_format. Accepts any record version; the caller compares it
/// with the versions that the program reads, by unreadable_records(). Total.
Result<Identity> decode_identity(ByteSpan file);
/// Why a program that reads records up to version `highest` must not start on the directory (T7).
Error unreadable_records(const Identity& i, std::uint8_t highest);

/// "00000000000000004096.seg": the first offset in 20 decimal digits, so that names sort by offset.
std::string segment_file_name(Offset first);
/// nullopt for any other name. Total.
std::optional<Offset> parse_segment_file_name(std::string_view name);

}  // namespace loglog

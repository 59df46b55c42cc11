// Files of a storage node: the 4096-byte segment header with its two marks slots, and the small
// two-slot files (promise, identity). All little-endian, XXH3-64 checksums, a version byte first
// after each magic.
#pragma once
#include <optional>
#include <string>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/result.h"

namespace loglog {

/// Bytes before the first frame in a segment file. Offsets do not count them: the frame at offset o
/// lies at file position segment_header_size + (o − first).
inline constexpr std::uint32_t segment_header_size = 4096;
/// Two alternating slots (K3).
inline constexpr std::uint32_t marks_slot_size = 512;
inline constexpr std::uint32_t marks_slot_at[2] = {2048, 2560};

/// What begins a segment file:
///   0 magic "LOGLSEG\0" 8 | 8 version 1 | 16 cluster id 8 | 24 log id 8 | 32 first offset 8 | 40
///   chain so far 8 | 48 checksum XXH3-64 over bytes 0–47 | zeros to 2048 | marks slots
struct SegmentHeader {
  ClusterId cluster{};
  LogId log{};
  Offset first{};
  Chain chain{};  ///< before the first frame of this file
  bool operator==(const SegmentHeader&) const = default;
};
/// The whole 4096 bytes, marks slots zero.
Bytes encode_segment_header(const SegmentHeader& h);
/// corrupt or newer_format otherwise. Total.
Result<SegmentHeader> decode_segment_header(ByteSpan bytes);

/// The node's own marks (K3), one 512-byte slot: 0 magic "LLMK" 4 | 4 version 1 | 8 counter 8 | 16
/// durable offset 8 |
///   24 chain there 8 | 32 committed offset 8 | 40 checksum XXH3-64 over bytes 0–39.
/// `durable` is how far the *previous* group was durable; the slot of counter % 2 is written.
struct Marks {
  std::uint64_t counter = 0;
  Offset durable{};
  Chain chain{};
  Offset committed{};
  bool operator==(const Marks&) const = default;
};
Bytes encode_marks(const Marks& m);
/// The newer good one of the two slots of a header; nullopt when neither is good. Total.
std::optional<Marks> decode_marks(ByteSpan header);

/// The promise (T3), in a 1024-byte file of two 512-byte slots written alternately: 0 magic "LLPR"
/// 4 | 4 version 1 |
///   8 counter 8 | 16 term 4 | 24 instance 8 | 32 checksum XXH3-64 over bytes 0–31.
struct Promise {
  std::uint64_t counter = 0;
  Term term{};
  InstanceId instance{};
  bool operator==(const Promise&) const = default;
};
inline constexpr std::uint32_t promise_slot_size = 512;
inline constexpr std::uint32_t promise_file_size = 2 * promise_slot_size;
/// One slot.
Bytes encode_promise(const Promise& p);
/// The newer good slot. nullopt: unreadable, which means DATA LOSS (T4) where the file must exist.
/// Total.
std::optional<Promise> decode_promise(ByteSpan file);

/// Who a data directory is: 0 magic "LLID" 4 | 4 version 1 | 8 cluster id 8 | 16 disk id 8 | 24
/// node id 4 | 28 role 1 |
///   32 name length 2, cluster name | last 8 bytes: checksum XXH3-64 over all before. 512 bytes.
struct Identity {
  ClusterId cluster{};  ///< 0 until adopted
  DiskId disk{};
  std::uint32_t id = 0;
  std::uint8_t role = 0;  ///< Role
  std::string cluster_name;
  bool operator==(const Identity&) const = default;
};
inline constexpr std::uint32_t identity_file_size = 512;
Bytes encode_identity(const Identity& i);
Result<Identity> decode_identity(ByteSpan file);

/// "00000000000000004096.seg"; the first offset in 20 decimal digits.
std::string segment_file_name(Offset first);
/// nullopt for any other name. Total.
std::optional<Offset> parse_segment_file_name(std::string_view name);

}  // namespace loglog

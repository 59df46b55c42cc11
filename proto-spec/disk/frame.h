// The frame: an entry as it lies in the log. 36-byte prefix, payload, 8-byte suffix; all
// little-endian.
//
//   at    size
//   0     1     kind and version
//   1     3     payload length n
//   4     4     term                      stamped by the node
//   8     8     producer id
//   16    8     sequence number
//   24    8     payload checksum          XXH3-64, computed by the SDK
//   32    4     prefix checksum           low half of XXH3-64 over bytes 0–31, log id, offset;
//   stamped by the node 36    n     payload 36+n  4     frame length (n + 44) 40+n  4     prefix
//   checksum, inverted; stamped by the node
#pragma once
#include <optional>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/wire/messages.h"

namespace loglog {

inline constexpr std::uint32_t frame_prefix_size = 36;
inline constexpr std::uint32_t frame_suffix_size = 8;
inline constexpr std::uint32_t frame_overhead = frame_prefix_size + frame_suffix_size;
inline constexpr std::uint32_t frame_size_max = entry_size_max + frame_overhead;
static_assert(run_size_max >= frame_size_max);

enum class FrameKind : std::uint8_t {
  nothing = 0,
  entry = 1,
  term_start = 2,
  segment_start = 3,
  packed_entry = 0x81  ///< packed by the SDK from several; opaque to nodes
};

struct FramePrefix {
  FrameKind kind{};
  std::uint32_t payload_length = 0;
  Term term{};
  ProducerId producer{};
  Sequence sequence{};
  std::uint64_t payload_checksum = 0;
  std::uint32_t prefix_checksum = 0;

  std::uint32_t frame_length() const { return payload_length + frame_overhead; }
  bool operator==(const FramePrefix&) const = default;
};

/// Reads the prefix; says nothing about their truth. nullopt when the kind is not one of
/// FrameKind's (0, "nothing here", included).
std::optional<FramePrefix> read_prefix(const std::byte* prefix);

/// Writes a whole frame image (term and prefix checksum zero) to `out`, which has room for
/// payload.size() + frame_overhead.
void write_frame_image(std::byte* out, FrameKind kind, ProducerId producer, Sequence sequence,
                       ByteSpan payload);

/// XXH3-64: digest and chain know a payload by this alone (F4).
std::uint64_t payload_checksum(ByteSpan payload);
/// What bytes 32–35 must hold for this prefix at this place.
std::uint32_t prefix_checksum(const std::byte* prefix, LogId log, Offset offset);

/// Stamps one frame (12 bytes: term, prefix checksum, its inverse in the suffix) and returns the
/// chain after it.
Chain stamp_frame(std::byte* frame, std::uint32_t frame_length, Term term, LogId log, Offset offset,
                  Chain before);
/// Takes the stamp of a whole frame off again: the image that the SDK made.
void unstamp_frame(std::byte* frame, std::uint32_t frame_length);
/// The chain after a stamped prefix.
Chain extend_chain(Chain before, const std::byte* stamped_prefix);

/// Digest of a run's images (D3). Only for images that passed check_images.
RunDigest digest_of(ByteSpan images);

/// Checks that `images` is exactly a run: `count` frames of one producer with consecutive sequences
/// from `first` on, kinds entry or packed_entry, term and prefix checksum zero, suffix lengths
/// right, and (verify_payloads) the payload checksums; returns its reference with digest. Total.
Result<Reference> check_images(ByteSpan images, bool verify_payloads);

/// Verdict on the bytes at one place of a log.
enum class FrameState : std::uint8_t {
  good,        ///< prefix, suffix and payload (where asked) are right for this place
  incomplete,  ///< more bytes are needed to tell
  nothing,     ///< kind 0: nothing was written here
  bad          ///< not a frame of this place, torn, or damaged
};
struct FrameView {
  FrameState state{};
  FramePrefix prefix{};
};
/// Looks at the bytes of `log` at `offset`. With `verify_payload` the payload checksum is checked
/// too. Total.
FrameView look_at_frame(ByteSpan bytes, LogId log, Offset offset, bool verify_payload);

/// Payload of a term start frame.
struct TermStartPayload {
  Offset previous_start =
      no_offset;  ///< first frame of the term before (no_offset: this is the first term)
  Term previous_term{};
  InstanceId instance{};
  std::uint64_t clock_ms = 0;  ///< leader's wall clock, for people and time lookup only (R4)
  std::uint8_t write_quorum = 0;
  std::vector<Member> members;
  bool operator==(const TermStartPayload&) const = default;
};
/// Payload of a segment start frame.
struct SegmentStartPayload {
  std::uint64_t clock_ms = 0;
  Term term_in_force{};           ///< 0: none yet (the log's first segment)
  Offset term_start = no_offset;  ///< first frame of that term
  bool operator==(const SegmentStartPayload&) const = default;
};
/// A segment start's frame, bytes; a term start's, at most.
inline constexpr std::uint32_t segment_start_size = frame_overhead + 21;
inline constexpr std::uint32_t term_start_size_max = frame_overhead + 31 + 12 * replicas_max;
/// Frame images (producer 0, sequence 0) of the leader's own frames.
Bytes make_term_start_image(const TermStartPayload& p);
Bytes make_segment_start_image(const SegmentStartPayload& p);
/// nullopt when the payload is not one. Total.
std::optional<TermStartPayload> read_term_start(ByteSpan payload);
std::optional<SegmentStartPayload> read_segment_start(ByteSpan payload);
/// The leader's clock, milliseconds, in the segment or term start that stands whole and good at
/// this place of `log`; nullopt: none does.
std::optional<std::uint64_t> clock_at(ByteSpan bytes, LogId log, Offset offset);

}  // namespace loglog

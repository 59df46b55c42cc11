// The frame: an entry as it lies in the log (spec/02 F1 to F6). Building, stamping and checking of
// frames are here, for the SDK, both servers and the command line; segments and files are in
// segment.h. All integers are little-endian.
//
// at    size
// 0     1     kind and version
// 1     3     payload length n
// 4     4     term                       stamped by the node
// 8     8     producer id
// 16    8     sequence number
// 24    8     payload checksum           XXH3-64, computed by the SDK
// 32    4     prefix checksum            stamped by the node: low half of XXH3-64 over bytes 0-31,
//                                        log id and offset
// 36    n     payload
// 36+n  4     frame length (n + 44)
// 40+n  4     prefix checksum, inverted  stamped by the node
#pragma once
#include <optional>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/wire/messages.h"

namespace loglog {

/// Sizes in bytes.
inline constexpr std::uint32_t frame_prefix_size = 36;
inline constexpr std::uint32_t frame_suffix_size = 8;
inline constexpr std::uint32_t frame_overhead = frame_prefix_size + frame_suffix_size;
inline constexpr std::uint32_t frame_size_max = entry_size_max + frame_overhead;
static_assert(run_size_max >= frame_size_max);

/// The first byte of a frame. Any byte that is not listed here makes the frame bad.
enum class FrameKind : std::uint8_t {
  nothing = 0,  ///< no frame was written here (F3)
  entry = 1,
  term_start = 2,      ///< the leader's own frame at the start of a term (F5)
  segment_start = 3,   ///< the leader's own frame at the start of a segment file (F5)
  packed_entry = 0x81  ///< several entries that the SDK packed; opaque to nodes
};

/// The decoded first 36 bytes. An image from the SDK has term and prefix checksum zero.
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

/// Decodes 36 bytes without checking any checksum. nullopt if the kind is not in FrameKind, or is
/// `nothing`.
std::optional<FramePrefix> read_prefix(const std::byte* prefix);

/// Writes a whole frame image (term and prefix checksum zero) to `out`, which has room for
/// payload.size() + frame_overhead bytes.
void write_frame_image(std::byte* out, FrameKind kind, ProducerId producer, Sequence sequence,
                       ByteSpan payload);

/// XXH3-64 of the payload. Digest and chain cover a payload only through this checksum (F4).
std::uint64_t payload_checksum(ByteSpan payload);
/// The value that bytes 32-35 must hold for this prefix at this place of the log (F2).
std::uint32_t prefix_checksum(const std::byte* prefix, LogId log, Offset offset);

/// Stamps a frame in place and returns the chain after it. Twelve bytes change: term, prefix
/// checksum, and the inverted checksum in the suffix. The caller owns the buffer, and no other
/// thread reads it yet.
Chain stamp_frame(std::byte* frame, std::uint32_t frame_length, Term term, LogId log, Offset offset,
                  Chain before);
/// Takes the stamp of a whole frame off again, which gives the image that the SDK made.
void unstamp_frame(std::byte* frame, std::uint32_t frame_length);
/// The chain after a stamped prefix (F4).
Chain extend_chain(Chain before, const std::byte* stamped_prefix);

/// Digest of a run's frames, the same before and after stamping (D3, F4). The bytes must be the
/// whole frames of a run, because the lengths inside are trusted.
RunDigest digest_of(ByteSpan images);

/// Checks that `images` is exactly a run, and returns its reference with digest. A run has between
/// 1 and run_frames_max frames of a single producer, with consecutive sequences. Their kind is
/// entry or packed_entry, term and prefix checksum are zero, and both lengths agree. Payload
/// checksums are checked with `verify_payloads`. Total: any bytes give a reference or an error.
Result<Reference> check_images(ByteSpan images, bool verify_payloads);

/// Verdict on the bytes at a place of a log.
enum class FrameState : std::uint8_t {
  good,        ///< prefix, suffix and (if asked) payload are right for this place
  incomplete,  ///< more bytes are needed to tell
  nothing,     ///< kind 0: no frame was written here
  bad          ///< not a frame of this place, torn, or damaged
};
struct FrameView {
  FrameState state{};
  FramePrefix prefix{};
};
/// Judges the bytes of `log` at `offset`; with `verify_payload` the payload checksum too. Total.
FrameView look_at_frame(ByteSpan bytes, LogId log, Offset offset, bool verify_payload);

/// A clock in a frame: the leader knew no time (R5). It is later than every time, so entries below
/// it are never old, and a search for a point in time goes on to an earlier point.
inline constexpr std::uint64_t no_clock = ~std::uint64_t{0};

/// Payload of a term start frame. The list of term starts is read backwards through
/// `previous_start`.
struct TermStartPayload {
  /// First frame of the term before; no_offset in the log's first term.
  Offset previous_start = no_offset;
  Term previous_term{};
  InstanceId instance{};
  /// Clock at the leader, Unix time in milliseconds, or no_clock: for retention by age, time lookup
  /// and people, never for safety (R4, R5).
  std::uint64_t clock_ms = 0;
  std::uint8_t write_quorum = 0;
  std::vector<Member> members;
  bool operator==(const TermStartPayload&) const = default;
};
/// Payload of a segment start frame. It repeats the term in force, so that a log whose older files
/// were trimmed still knows the term of its first frame.
struct SegmentStartPayload {
  std::uint64_t clock_ms = 0;
  Term term_in_force{};           ///< 0 in the log's first segment
  Offset term_start = no_offset;  ///< first frame of that term
  bool operator==(const SegmentStartPayload&) const = default;
};
/// Frame sizes, bytes: a segment start's; a term start's at most.
inline constexpr std::uint32_t segment_start_size = frame_overhead + 21;
inline constexpr std::uint32_t term_start_size_max = frame_overhead + 31 + 12 * replicas_max;
/// Frame images (producer 0, sequence 0) of the leader's own frames.
Bytes make_term_start_image(const TermStartPayload& p);
Bytes make_segment_start_image(const SegmentStartPayload& p);
/// Decodes such a payload; nullopt if it is malformed. Total.
std::optional<TermStartPayload> read_term_start(ByteSpan payload);
std::optional<SegmentStartPayload> read_segment_start(ByteSpan payload);
/// The leader's clock in the segment start or term start at this place of `log`, Unix time in
/// milliseconds, or no_clock. nullopt if no such frame stands there whole and good.
std::optional<std::uint64_t> clock_at(ByteSpan bytes, LogId log, Offset offset);

}  // namespace loglog

// Every capacity has a name here; relations between them are checked below.
#pragma once
#include <cstddef>
#include <cstdint>

namespace loglog {

/// Largest entry, bytes: what 24 bits hold.
inline constexpr std::uint32_t entry_size_max = 16'777'215;
/// Largest run, bytes of frames. At least one frame of the largest entry.
inline constexpr std::uint32_t run_size_max = entry_size_max + 40;
/// What the SDK aims at when it packs runs, bytes.
inline constexpr std::uint32_t run_size_target = 1u << 20;
/// Most frames in one run.
inline constexpr std::uint32_t run_frames_max = 65'536;
/// Largest message body on the wire, bytes.
inline constexpr std::uint32_t message_body_max = run_size_max + 4096;
/// Largest page of frames in answer to READ, COPY or FETCH_RUN, bytes.
inline constexpr std::uint32_t page_size_max = 4u << 20;
/// Default page, bytes.
inline constexpr std::uint32_t page_size_default = 1u << 20;
/// Longest log name, address or sentence on the wire, bytes.
inline constexpr std::size_t log_name_max = 255;
inline constexpr std::size_t text_max = 4096;
/// Most elements in one list of a message.
inline constexpr std::uint32_t list_max = 1u << 20;
/// Segment sizes a log may ask for, bytes.
inline constexpr std::uint64_t segment_size_min = 64u << 10;
inline constexpr std::uint64_t segment_size_max = 16ull << 30;
inline constexpr std::uint64_t segment_size_default = 64u << 20;
/// Most segment files named in one answer.
inline constexpr std::size_t segments_listed_max = 4096;
/// What a log's retention by age may be, milliseconds: a second to a century.
inline constexpr std::uint64_t retention_ms_min = 1000;
inline constexpr std::uint64_t retention_ms_max = 36'525ull * 24 * 3600 * 1000;
/// R5: sequencers' clocks may differ by so much, milliseconds: well above what NTP leaves, well below what a retention counts in.
inline constexpr std::uint64_t clock_skew_ms_max = 5000;
/// Most replicas of one log.
inline constexpr std::uint32_t replicas_max = 9;

// A page must be able to carry the frame that a reader stands on, so pages grow to one frame where needed;
// a message must be able to carry the largest run with its fields.
static_assert(message_body_max >= run_size_max + 256);
static_assert(run_size_target <= run_size_max);

}  // namespace loglog

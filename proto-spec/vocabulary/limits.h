// Every capacity has a name here; relations between them are checked below.
#pragma once
#include <cstddef>
#include <cstdint>

namespace loglog {

/// Largest entry, bytes: what 24 bits hold.
inline constexpr std::uint32_t entry_size_max = 16'777'215;
/// Largest run, bytes of frames. At least one frame of the largest entry.
inline constexpr std::uint32_t run_size_max = entry_size_max + 44;
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
/// Space that a sequencer keeps reserved behind the records of its raft.log, bytes: about ten thousand commands. With half of it left
/// on a full disk no log is made any more, and the other half is for trims, deletions, votes and terms.
inline constexpr std::uint64_t raft_reserve_bytes = 1u << 20;
/// Least space that is kept for the next snapshot, bytes.
inline constexpr std::uint64_t snapshot_reserve_min = 64u << 10;
/// Most dropped logs that a storage node lists by id; of more, the older half is told by the lowest id that is left.
inline constexpr std::size_t tombstones_max = 8192;
/// Most logs of a cluster, and what all of them may take in the metadata, bytes. The metadata go in one message to each storage node
/// and to a sequencer that lags, so they stay well below what a message holds; status answers, which have more fields for each
/// replica, too.
inline constexpr std::size_t logs_max = 65'536;
inline constexpr std::size_t metadata_bytes_max = 8u << 20;
/// Questions of one connection that wait until a majority has confirmed the lead (R2).
inline constexpr std::size_t questions_waiting_max = 1024;
/// Most replicas of one log.
inline constexpr std::uint32_t replicas_max = 9;
/// How far above the highest number that was heard a number that a peer names may lie. Terms and indexes grow by one, so a
/// peer that names more is wrong; a number that was believed could never be taken back, and close to the end of its type no
/// further one could be given. A member that was away for long must still be understood: 2^24 log terms are nine hours in
/// which 500 are minted a second, 2^32 Raft terms or entries are 49 days of one a millisecond.
inline constexpr std::uint32_t term_ahead_max = 1u << 24;
inline constexpr std::uint64_t raft_term_ahead_max = 1ull << 32;
inline constexpr std::uint64_t raft_index_ahead_max = 1ull << 32;
/// Highest term that is minted. The number after it is never taken, so that no sum wraps.
inline constexpr std::uint32_t term_max = 0xFFFFFFFE;
/// Highest sequence number of an entry, and the longest log in bytes: centuries at 1 GB/s, and far from where sums wrap.
inline constexpr std::uint64_t sequence_max = 1ull << 62;
inline constexpr std::uint64_t offset_max = 1ull << 62;
/// Highest fencing token.
inline constexpr std::uint64_t fence_token_max = (1ull << 63) - 1;

// A page must be able to carry the frame that a reader stands on, so pages grow to one frame where needed;
// a message must be able to carry the largest run with its fields.
static_assert(message_body_max >= run_size_max + 256);
static_assert(run_size_target <= run_size_max);
// Beside the logs the metadata hold nodes and addresses; a log's status may take a quarter more than its metadata.
static_assert(metadata_bytes_max + metadata_bytes_max / 4 + (1u << 20) <= message_body_max);

}  // namespace loglog

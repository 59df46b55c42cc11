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
/// Most logs without space that a storage node names in one report to the leader.
inline constexpr std::size_t full_logs_told_max = 4096;
/// Most alarms in one Status; the critical ones come first.
inline constexpr std::size_t alarms_told_max = 64;
/// Longest name and version of a client that are kept, bytes; the rest is cut.
inline constexpr std::size_t client_text_max = 64;
/// Producers of which a leader counts what it commits, and most of them in one Status or Overview;
/// the busiest come first.
inline constexpr std::size_t writers_max = 4096;
inline constexpr std::size_t writers_told_max = 100;
/// Most logs whose size on disk a storage node names in one report to the leader; the others follow
/// in the next ones.
inline constexpr std::size_t log_bytes_told_max = 1024;
/// Space that a sequencer keeps reserved behind the records of its raft.log, bytes: about ten
/// thousand commands. With half of it left on a full disk no log is made any more, and the other
/// half is for trims, deletions, votes and terms.
inline constexpr std::uint64_t raft_reserve_bytes = 1u << 20;
/// Least space that is kept for the next snapshot, bytes.
inline constexpr std::uint64_t snapshot_reserve_min = 64u << 10;
/// Most dropped logs that a storage node lists by id; of more, the older half is told by the lowest
/// id that is left.
inline constexpr std::size_t tombstones_max = 8192;
/// R5: sequencers' clocks may differ by so much, milliseconds: well above what NTP leaves, well
/// below what a retention counts in.
inline constexpr std::uint64_t clock_skew_ms_max = 5000;
/// Most logs of a cluster, and what all of them may take in the metadata, bytes. The metadata go in
/// one message to each storage node and to a sequencer that lags, so they stay well below what a
/// message holds; status answers, which have more fields for each replica, too.
inline constexpr std::size_t logs_max = 65'536;
inline constexpr std::size_t metadata_bytes_max = 8u << 20;
/// Questions of one connection that wait until a majority has confirmed the lead (R2).
inline constexpr std::size_t questions_waiting_max = 1024;
/// Changes of the metadata that one connection has asked for and that are not committed by Raft
/// yet, and those of all connections: a leader that proposes without end finds no time to say that
/// it lives.
inline constexpr std::size_t changes_waiting_max = 1024;
inline constexpr std::size_t changes_waiting_max_in_all = 4096;
/// Rounds of questions for the tail of one log that are under way; later questions share the next
/// one.
inline constexpr std::size_t tail_rounds_max = 16;
/// Most output that is queued to one client, bytes. Above it a server reads nothing more from that
/// client and starts no page for it, until half of that has left.
inline constexpr std::size_t connection_queue_max = 8u << 20;
/// The same for all clients of one process. A client may have as much queued as is still free of
/// it,
inline constexpr std::size_t connection_queue_max_in_all = 128u << 20;
/// … but so much in any case, so that a client that reads goes on beside others that do not.
inline constexpr std::size_t connection_queue_floor = 32u << 10;
/// Most output that is queued to another server, bytes. A peer that takes so little is given up;
/// whoever dialled it dials anew.
inline constexpr std::size_t peer_queue_max = 256u << 20;
/// Answers that one turn of an event loop gathers before they are queued to their connections,
/// bytes.
inline constexpr std::size_t turn_output_max = 1u << 20;
/// Most credit that one follow may have, bytes; what a reader gives beyond it is not kept.
inline constexpr std::uint32_t follow_credit_max = 16u << 20;
/// Of the descriptors that a server may have, one in so many is for clients, and one in so many for
/// connections that have not said hello. The rest is for files, storage nodes, sequencers and
/// pages.
inline constexpr std::uint64_t clients_share = 2;
inline constexpr std::uint64_t unknown_share = 8;
/// … and at most so many connections: of clients, since each may have connection_queue_floor
/// queued,
inline constexpr std::uint64_t connections_clients_max = 20'000;
/// and of those that have not said hello. They hold hello_size_max each.
inline constexpr std::uint64_t connections_unknown_max = 256;
/// Largest message, header included, that is taken before the peer's hello, bytes.
inline constexpr std::size_t hello_size_max = 8u << 10;
/// Most memory of the blocks into which all connections of a server receive, bytes. Above it a
/// client whose message has begun waits for room, and nothing is read from it; each client may have
/// hello_size_max in any case. Above half of it clients receive into blocks of hello_size_max, so
/// that clients that wait leave room for those that do not.
inline constexpr std::size_t receiving_bytes_max = 64u << 20;
/// While a client waits for room, a message that takes some must go on at this rate, bytes a
/// second, or its connection is closed.
inline constexpr std::uint64_t message_rate_crowded_min = 64u << 10;
/// Least progress of a message that has begun, bytes a second: over a period of half a minute, or
/// its connection is closed.
inline constexpr std::uint64_t message_rate_min = 1024;
/// Names that are looked up at once in one process; each takes a thread.
inline constexpr std::size_t lookups_max = 16;
/// Most reads that wait and follows of one connection.
inline constexpr std::size_t readers_per_connection_max = 4096;
/// Producers that one connection observes. Of a further one the leader alone tells.
inline constexpr std::size_t observed_per_connection_max = 4096;
/// Most replicas of one log.
inline constexpr std::uint32_t replicas_max = 9;
/// How far above the highest number that was heard a number that a peer names may lie. Terms and
/// indexes grow by one, so a peer that names more is wrong; a number that was believed could never
/// be taken back, and close to the end of its type no further one could be given. A member that was
/// away for long must still be understood: 2^24 log terms are nine hours in which 500 are minted a
/// second, 2^32 Raft terms or entries are 49 days of one a millisecond.
inline constexpr std::uint32_t term_ahead_max = 1u << 24;
inline constexpr std::uint64_t raft_term_ahead_max = 1ull << 32;
inline constexpr std::uint64_t raft_index_ahead_max = 1ull << 32;
/// Highest term that is minted. The number after it is never taken, so that no sum wraps.
inline constexpr std::uint32_t term_max = 0xFFFFFFFE;
/// Highest sequence number of an entry, and the longest log in bytes: centuries at 1 GB/s, and far
/// from where sums wrap.
inline constexpr std::uint64_t sequence_max = 1ull << 62;
inline constexpr std::uint64_t offset_max = 1ull << 62;
/// Highest fencing token.
inline constexpr std::uint64_t fence_token_max = (1ull << 63) - 1;

// A page must be able to carry the frame that a reader stands on, so pages grow to one frame where
// needed; a message must be able to carry the largest run with its fields.
static_assert(message_body_max >= run_size_max + 256);
static_assert(run_size_target <= run_size_max);
// Beside the logs the metadata hold nodes and addresses; a log's status may take a quarter more
// than its metadata.
static_assert(metadata_bytes_max + metadata_bytes_max / 4 + (1u << 20) <= message_body_max);
// While half is taken by clients that wait, the largest message of another one still finds room.
static_assert(receiving_bytes_max / 2 >= std::size_t{message_body_max});
// A hello carries one name, and the refusal of one a sentence.
static_assert(hello_size_max >= text_max + log_name_max + 256);
// A client that reads must be able to have the largest page under way. The largest messages of one
// peer must fit its queue several times.
static_assert(connection_queue_max >= page_size_max &&
              connection_queue_max_in_all >= 8 * connection_queue_max);
static_assert(peer_queue_max >= 8 * std::size_t{message_body_max});

}  // namespace loglog

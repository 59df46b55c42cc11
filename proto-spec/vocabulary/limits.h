// Every capacity that components share has its name here; the relations between capacities are
// asserted at the end. spec/09 tells for each limit how the process answers a request that would
// exceed it. Limits of a single component live in that component.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace loglog {

/// Largest entry, bytes: the payload length field has 24 bits.
inline constexpr std::uint32_t entry_size_max = 16'777'215;
/// Largest run, bytes of frames. It holds at least a frame with the largest entry.
inline constexpr std::uint32_t run_size_max = entry_size_max + 44;
/// Size that the SDK aims at when it packs runs, bytes.
inline constexpr std::uint32_t run_size_target = 1u << 20;
/// Most frames in a run.
inline constexpr std::uint32_t run_frames_max = 65'536;
/// Largest message body on the wire, bytes: the largest run and its fields.
inline constexpr std::uint32_t message_body_max = run_size_max + 4096;
/// Largest page of frames in answer to Read, Follow or Copy, bytes. A larger frame arrives in
/// several pages.
inline constexpr std::uint32_t page_size_max = 4u << 20;
/// Page size if the reader names none, bytes.
inline constexpr std::uint32_t page_size_default = 1u << 20;
/// Longest name of a log or cluster, bytes.
inline constexpr std::size_t log_name_max = 255;
/// Longest string on the wire (address, sentence, name), bytes. Longer strings are cut when they
/// are encoded.
inline constexpr std::size_t text_max = 4096;
/// Most elements in a list of a message.
inline constexpr std::uint32_t list_max = 1u << 20;
/// Segment sizes that a log may ask for, bytes, and the size if it asks for none.
inline constexpr std::uint64_t segment_size_min = 64u << 10;
inline constexpr std::uint64_t segment_size_max = 16ull << 30;
inline constexpr std::uint64_t segment_size_default = 64u << 20;
/// Most segment files named in an answer to GetSegments.
inline constexpr std::size_t segments_listed_max = 4096;
/// Range of a log's retention by age, milliseconds: a second to a century.
inline constexpr std::uint64_t retention_ms_min = 1000;
inline constexpr std::uint64_t retention_ms_max = 36'525ull * 24 * 3600 * 1000;
/// Most logs without disk space that a storage node names in a report to the leader (SpaceIs).
inline constexpr std::size_t full_logs_told_max = 4096;
/// Most alarms in a Status; critical alarms come first.
inline constexpr std::size_t alarms_told_max = 64;
/// Longest client name and client version that a sequencer keeps, bytes; the rest is cut (W11).
inline constexpr std::size_t client_text_max = 64;
/// Most producers whose commits a leader counts, and most producers in a Status or Overview. The
/// busiest producers come first.
inline constexpr std::size_t writers_max = 4096;
inline constexpr std::size_t writers_told_max = 100;
/// Most logs whose size on disk a storage node names in a report to the leader. The next reports
/// name the others in turn.
inline constexpr std::size_t log_bytes_told_max = 1024;
/// Space that a sequencer keeps reserved behind the records of its raft.log, bytes: about ten
/// thousand commands (spec/02 R3). If the disk is full and half of the reserve is used, no log is
/// created any more. The other half is for trims, deletions, votes and terms.
inline constexpr std::uint64_t raft_reserve_bytes = 1u << 20;
/// Least space kept for the next snapshot, bytes.
inline constexpr std::uint64_t snapshot_reserve_min = 64u << 10;
/// Most dropped logs that a storage node lists by id. Beyond it, a single floor id stands for the
/// older half (spec/02 P2).
inline constexpr std::size_t tombstones_max = 8192;
/// Largest difference between sequencers' clocks at which retention by age still trims,
/// milliseconds (R5). It lies well above the error of NTP and well below any useful retention.
inline constexpr std::uint64_t clock_skew_ms_max = 5000;
/// Most logs of a cluster, and the most bytes that all of them may take in the metadata. The
/// metadata go in a single message to each storage node and to a sequencer that lags. Metadata, and
/// status answers with their additional fields for each replica, stay well below the largest
/// message.
inline constexpr std::size_t logs_max = 65'536;
inline constexpr std::size_t metadata_bytes_max = 8u << 20;
/// Most questions of a connection that wait until a majority has confirmed the lead (R2).
inline constexpr std::size_t questions_waiting_max = 1024;
/// Most metadata changes that Raft has not committed yet, of a connection and of all connections. A
/// leader that proposes without end finds no time for heartbeats.
inline constexpr std::size_t changes_waiting_max = 1024;
inline constexpr std::size_t changes_waiting_max_in_all = 4096;
/// Most rounds of GetTail under way for a log. Questions beyond them share the next round.
inline constexpr std::size_t tail_rounds_max = 16;
/// Most output queued to a client, bytes (W8). Above it a server reads nothing more from that
/// client and starts no page for it, until half of the output has left.
inline constexpr std::size_t connection_queue_max = 8u << 20;
/// Most output queued to all clients of a process, bytes. A client may have as much queued as is
/// still free of it.
inline constexpr std::size_t connection_queue_max_in_all = 128u << 20;
/// Output that each client may have queued in any case, bytes, so that a client that reads goes on
/// beside clients that do not.
inline constexpr std::size_t connection_queue_floor = 32u << 10;
/// Most output queued to another server, bytes. Above it the peer is given up; the dialling side
/// dials anew.
inline constexpr std::size_t peer_queue_max = 256u << 20;
/// Answers that a turn of an event loop gathers before they are queued to their connections, bytes.
inline constexpr std::size_t turn_output_max = 1u << 20;
/// Most credit of a follow, bytes; the node does not keep credit beyond it.
inline constexpr std::uint32_t follow_credit_max = 16u << 20;
/// Shares of a server's descriptors: 1 / clients_share for clients, 1 / unknown_share for
/// connections that have not said hello. The rest is for files, storage nodes, sequencers and HTTP
/// pages (W9).
inline constexpr std::uint64_t clients_share = 2;
inline constexpr std::uint64_t unknown_share = 8;
/// Most client connections, however many descriptors there are: each may have
/// connection_queue_floor queued.
inline constexpr std::uint64_t connections_clients_max = 20'000;
/// Most connections that have not said hello. Each holds hello_size_max.
inline constexpr std::uint64_t connections_unknown_max = 256;
/// Longest time-out of a call of the SDK. Longer time-outs are cut to it, so that no sum of times
/// overflows.
inline constexpr std::chrono::milliseconds timeout_max = std::chrono::hours(24 * 365 * 100);

/// Largest message, header included, that is accepted before the peer's hello, bytes.
inline constexpr std::size_t hello_size_max = 8u << 10;
/// Most memory of the blocks into which a server's connections receive, bytes (W10). Above it
/// nothing is read from a client whose message has begun, until there is room; each client may have
/// hello_size_max in any case. Above half of it clients receive into blocks of hello_size_max, so
/// that waiting clients leave room for the others.
inline constexpr std::size_t receiving_bytes_max = 64u << 20;
/// Least rate of an unfinished message while some client waits for room, bytes a second. A slower
/// connection is closed, because its message occupies memory that others wait for.
inline constexpr std::uint64_t message_rate_crowded_min = 64u << 10;
/// Least rate of an unfinished message, bytes a second, averaged over half a minute. A slower
/// connection is closed.
inline constexpr std::uint64_t message_rate_min = 1024;
/// Most names that a process looks up at a time; each look-up takes a thread.
inline constexpr std::size_t lookups_max = 16;
/// Most waiting reads and follows of a connection.
inline constexpr std::size_t readers_per_connection_max = 4096;
/// Most producers that a connection observes (V2). Commits of further producers are told by the
/// leader alone.
inline constexpr std::size_t observed_per_connection_max = 4096;
/// Most replicas of a log.
inline constexpr std::uint32_t replicas_max = 9;
/// Largest distance between a number that a peer names and the highest number heard so far (T1,
/// decision 0027). Terms and indexes grow by one, so a larger jump is an error of the peer. A
/// number that was believed could never be taken back, and close to the end of its type no further
/// number could be minted.
///
/// The distance must cover a member that was away for long. 2^24 log terms are nine hours of 500
/// terms a second. 2^32 Raft terms or entries are 49 days of 1000 a second.
inline constexpr std::uint32_t term_ahead_max = 1u << 24;
inline constexpr std::uint64_t raft_term_ahead_max = 1ull << 32;
inline constexpr std::uint64_t raft_index_ahead_max = 1ull << 32;
/// Highest term that is minted. The number after it is never used, so that no sum wraps.
inline constexpr std::uint32_t term_max = 0xFFFFFFFE;
/// Highest sequence number of an entry, and longest log in bytes: centuries at 1 GB/s, and far from
/// the point where sums wrap.
inline constexpr std::uint64_t sequence_max = 1ull << 62;
inline constexpr std::uint64_t offset_max = 1ull << 62;
/// Highest fencing token; SetFence for the next token is then refused (F2).
inline constexpr std::uint64_t fence_token_max = (1ull << 63) - 1;

// A message must be able to carry the largest run with its fields.
static_assert(message_body_max >= run_size_max + 256);
static_assert(run_size_target <= run_size_max);
// Beside the logs the metadata hold nodes and addresses. A log's status may take a quarter more
// than its metadata.
static_assert(metadata_bytes_max + metadata_bytes_max / 4 + (1u << 20) <= message_body_max);
// Even if waiting clients hold half of the memory, the largest message of another client still
// finds room.
static_assert(receiving_bytes_max / 2 >= std::size_t{message_body_max});
// A hello carries a cluster name; the refusal of a hello carries a sentence.
static_assert(hello_size_max >= text_max + log_name_max + 256);
// A client that reads must be able to have the largest page under way. Eight clients that do not
// read must not use up the budget of all.
static_assert(connection_queue_max >= page_size_max &&
              connection_queue_max_in_all >= 8 * connection_queue_max);
// The queue to a peer must hold several of the largest messages; otherwise ordinary traffic would
// end the connection.
static_assert(peer_queue_max >= 8 * std::size_t{message_body_max});

}  // namespace loglog

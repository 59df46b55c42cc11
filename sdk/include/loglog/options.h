// Options of clients, appends, reads and new logs. Part of <loglog/client.h>.
#pragma once
#include <loglog/entry.h>
#include <loglog/event.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace loglog {

/// Addresses, time-outs and bounds of a client.
struct ClientOptions {
  /// HOST:PORT of any nodes of a single cluster, or EmbeddedCluster::address(); required. HOST is a
  /// name, an IPv4 address, or an IPv6 address in brackets. The client learns the other nodes from
  /// the nodes that it reaches.
  std::vector<std::string> addresses = {};
  /// Shown to operators beside this client's appends (loglog status, the status page). Empty: the
  /// program's name. At most 64 bytes are kept.
  std::string name = {};
  /// Deadline of calls that are given none.
  std::chrono::milliseconds timeout{10'000};
  /// Memory of unfinished appends, bytes of frames: payloads, and entry_overhead for each. An entry
  /// that is larger than the bound goes alone. Appends that ended without a known outcome, and
  /// copies for slow replicas, may take as much again and 16 MiB; beyond that an append is refused
  /// with too_many, whatever block_when_full says. At most 2^62.
  std::uint64_t bytes_in_flight_max = 64u << 20;
  /// true: at bytes_in_flight_max an append waits, in order of arrival, at most until its deadline;
  /// then it is refused with deadline_exceeded. false: it is refused with too_many at once. An
  /// append in a callback never waits, because the callbacks behind it may hold the room.
  bool block_when_full = true;
  /// Eager commit (V1): the leader orders an append while it is being uploaded, which saves a round
  /// trip.
  bool eager_commit = true;
  /// false: a call fails with `unavailable` after half a second if no node has ever answered and
  /// every address was refused, cannot be resolved or does not speak LogLog. The error names
  /// address and cause. true: the call tries until its deadline.
  bool wait_for_cluster = true;
  /// Client-observed commit (V2): storage nodes tell this client which runs are durable, which
  /// saves a hop.
  bool observed_commit = false;
  /// Gets the client's events: connections, the leader, slow replicas. Runs as a callback (see
  /// `executor` and the head of client.h), in the order of the events. It may run before connect()
  /// has returned, so it must not expect its Client to exist. While 1000 events wait for an
  /// executor, further events are dropped. Empty: nobody is told.
  std::function<void(const ClientEvent&)> on_event = {};
  /// Runs the application's callbacks: those of append_then, append_batch_then and of follow, and
  /// on_event. Empty: they run on the client's thread. Gets a function and must have it run
  /// exactly once, in any thread, in the call or later; it must not block and must not throw. The
  /// function runs callbacks one after another and returns when none waits. So the callbacks of a
  /// client keep their order and never run at the same time, whatever threads the executor has.
  ///
  /// A callback in another thread than the client's may block, and may make blocking calls, but for
  /// flush and close with a time. A slow callback delays the callbacks behind it. An append counts
  /// for bytes_in_flight_max until its callback begins. The executor must outlive the client, and
  /// must then still run the functions that it was given: callbacks of appends may run after the
  /// last handle is gone. A callback that is refused in the calling thread (append_then) runs
  /// there.
  std::function<void(std::function<void()>)> executor = {};
  /// false: the clients of this process that say so share a thread, which suits thousands of small
  /// clients. A callback of such a client holds up all of them. true: the client has a thread of
  /// its own, which suits a client that fills a processor, or whose callbacks take long.
  bool own_thread = false;
  /// Name of the client's own thread, for debuggers and top. At most 15 bytes are kept. A client
  /// with a name here has a thread of its own, whatever own_thread says. Empty: "loglog-client".
  std::string thread_name = {};
};

/// Deadline and conditions of an append. Log::append("x", {}) takes all defaults.
struct AppendOptions {
  /// From the call to the outcome; time spent waiting for room counts. 0 or less: refused at once
  /// with deadline_exceeded. nullopt: ClientOptions::timeout.
  std::optional<std::chrono::milliseconds> timeout = {};
  /// The entry is appended only if no entry lies at or above this offset, in other words if the log
  /// ends here for its readers. Take the offset from Entry::next, ReadResult::next or
  /// TailPosition::committed. Otherwise the append is refused with offset_mismatch, also if the log
  /// ends below the offset. The decision is linearizable (F1). Each such entry is a run of its own,
  /// so this suits state machines with a single writer and not bulk appends.
  std::optional<EntryOffset> expected_offset = {};
  /// The writer's fencing token (Log::fence). The append is refused with producer_fenced if a
  /// higher token was set for the log (F2). A token above the log's is accepted and does not raise
  /// it. 0: the append names no token and no fence stops it.
  std::uint64_t fence = 0;
};

/// Amount, waiting time and source of a read.
struct ReadOptions {
  /// Approximate bytes to return, of entries with their entry_overhead; more than 4 MiB count as
  /// 4 MiB. If an entry is there, at least that entry is returned, whatever its size.
  std::size_t max_bytes = 1u << 20;
  /// How long to wait at the committed end for more entries. A node waits at most 10 minutes, so
  /// the result may be empty after that time.
  std::chrono::milliseconds wait{0};
  /// Id of the only storage node to ask, for comparing replicas. No other node is asked in its
  /// place, and the first thing that it cannot give ends the call: not_here (it lags), corrupt,
  /// io_error, not_member, or unavailable if it does not answer before the deadline. Entries before
  /// damaged bytes are returned first. 0: any replica; if a replica fails, another is asked.
  std::uint32_t replica = 0;
  /// With `replica`: report bytes that do not verify to the node, which checks its disk and repairs
  /// them from a peer. Only for offsets where an entry is known to begin. A read from any replica
  /// always reports.
  bool report_damage = false;
  /// Return the stored frames (proto-spec/disk/frame.h), verified, including the log's own, in
  /// ReadResult::frames instead of entries.
  bool frames = false;
  /// Deadline; `wait` is added to it. nullopt: ClientOptions::timeout.
  std::optional<std::chrono::milliseconds> timeout = {};
};

/// Properties of a new log. Replicas, quorum and segment size are fixed for the log's life. A value
/// that is out of range makes create_log fail with invalid_argument.
struct CreateOptions {
  /// Storage nodes that hold the log: 1 to 9, and not more than the cluster has. 0: the smaller of
  /// 3 and the number of nodes.
  std::uint32_t replicas = 0;
  /// Replicas that must hold an entry durably before it is acknowledged: 1 to the number of
  /// replicas. 0: the majority.
  std::uint32_t write_quorum = 0;
  /// Size of a segment, the unit in which trims free space: 65536 to 16 GiB. 0: 64 MiB.
  std::uint64_t segment_bytes = 0;
  /// Retention by size: whole segments of old entries are trimmed while at least this many bytes
  /// stay. At least the size of a segment. 0: no bound.
  std::uint64_t retention_bytes = 0;
  /// Retention by age: whole segments are trimmed if every entry in them is older, by the least
  /// clock of a majority of sequencers. 1 s to 100 years. 0: no bound.
  std::chrono::milliseconds retention_age{0};
};

}  // namespace loglog

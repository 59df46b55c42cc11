// The SDK's core: appends, reads, follows and questions of one client of one cluster. Sans-IO and
// deterministic: the driver brings calls, connections, messages and time, then performs output().
// One thread; not movable. Every call ends in exactly one Completed with last = true and its token,
// never before the call returns to the driver's next output().
//
//   client_machine.cpp    the doors, and the plain questions
//   cluster_view.*        connections, metadata, who leads
//   append_pipeline.*     one producer: runs, commits, terms (§4, §8)
//   run_builder.*         entries to frame images     replica_uploads.*   one run to its replicas
//   resolver.*            A3–A5                       follow_cursor.*     pages to entries
//   machine_reads.cpp     reads and follows           replica_choice.*    which node to read from
//   machine_times.cpp     where a log stood at a time  time_search.*      by the clocks in segment
//   and term starts
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/limits.h"
#include "sdk/core/figures.h"
#include "sdk/core/output.h"

namespace loglog::client {

struct Options {
  /// Addresses ("host:port") of any nodes of the cluster, sequencers or storage nodes; at least
  /// one.
  std::vector<std::string> addresses;
  /// What the leader shows people of this client (W11): its program, and the SDK's version. Both
  /// empty: it says nothing.
  std::string name, version;
  /// Name of the cluster expected; empty: take any.
  std::string cluster_name;
  /// Storage node to prefer for reads, where it holds the log (an embedded one). 0: none.
  NodeId preferred_node{};
  /// Bytes of frames accepted and not yet settled, all logs together. Beyond it append() fails with
  /// too_many.
  std::uint64_t bytes_in_flight_max = 256ull << 20;
  /// Runs of one log between their first upload and their settling.
  std::uint32_t runs_in_flight_max = 8;
  /// A run of half of this size, bytes, is uploaded beside at most so many others; a smaller one
  /// waits until they have arrived.
  std::uint32_t run_size_min = 48u << 10;
  std::int64_t uploads_in_flight_max = 4;
  /// Where a run is cut at the latest, bytes. At most loglog::run_size_target is sensible.
  std::uint32_t run_size_target = loglog::run_size_target;
  /// Eager commit (V1): a run's reference goes to the leader along with its uploads, not after
  /// them. Only where the uploads of the run before were taken by a write quorum within
  /// `eager_upload_max`, and for runs of at most `eager_run_max` bytes: what takes long to arrive
  /// would hold up what is ordered behind it, and saves little by comparison.
  bool eager_commit = true;
  Duration eager_upload_max = 50ms;
  std::uint32_t eager_run_max = 64u << 10;
  /// Client-observed commit (V2): replicas say what is durable, and an append ends when a write
  /// quorum has, or when the leader says so.
  bool observed_commit = false;
  /// How long after a run is committed a replica may still take its upload; then it catches up from
  /// its peers.
  Duration upload_grace = 2s;
  /// How long an answer may take before another node is asked (reads: beyond the wait asked for).
  /// To a distant node this and the other time-outs of answers are longer, by what ClusterView
  /// measures.
  Duration answer_timeout = 2s;
  /// How long a Commit may stay unanswered before it is repeated.
  Duration commit_timeout = 5s;
  /// Pause before connecting again: doubles from min to max, with jitter.
  Duration reconnect_min = 20ms;
  Duration reconnect_max = 1s;
  /// How long status() waits for a sequencer, once the sequencers are known, before it is called
  /// unreachable; longer where finding them took longer.
  Duration status_timeout = 1s;
  /// false: while no node has ever answered, a question whose addresses have all failed ends after
  /// `refused_patience`, not at its deadline. For programs that a person waits for.
  bool wait_for_cluster = true;
  Duration refused_patience = 500ms;
  /// Whether opening a log dials its storage nodes and the leader at once, which saves the first
  /// append or read a round trip.
  bool dial_on_open = false;
  /// A subscription that brings nothing for so long is checked against another replica.
  Duration follow_silence = 3s;
  /// Bytes that a replica may push ahead of what the application consumed.
  std::uint32_t follow_credit = 4u << 20;
};

class ClientMachine {
 public:
  /// `seed`: producer ids and jitter; another one for every client.
  ClientMachine(Options options, std::uint64_t seed);
  ~ClientMachine();
  ClientMachine(const ClientMachine&) = delete;
  ClientMachine& operator=(const ClientMachine&) = delete;

  // ---- Calls. `deadline` may be `never`. Tokens are the caller's and must be unique among calls
  // that have not ended.

  /// Appends one entry. Ends in Appended, or Failure: outcome_unknown, or any other code, which
  /// means that nothing was written and never will be (A6); too_many says that bytes_in_flight_max
  /// is reached: nothing was taken. Under conditions (F1, F2) also: offset_mismatch,
  /// producer_fenced.
  void append(Time now, Token token, LogId log, const Bytes& payload, bool packed, Time deadline,
              const AppendConditions& conditions = {});
  /// Whether append() of that many payload bytes would be taken now.
  bool has_room_for(std::uint64_t payload_bytes) const;
  /// Bytes of frames accepted and not yet settled.
  std::uint64_t bytes_in_flight() const;
  const Figures& figures() const;

  /// Entries from `from` on, about `max_bytes` of them (at least one where there is one). With
  /// `wait`, stays at the committed end for so long until there is more. Ends in Delivered, or
  /// Failure: trimmed, past_end (the leader says that the log ends below `from`), not_an_entry,
  /// no_such_log, unavailable, deadline_exceeded; with a replica named also not_here, not_member,
  /// corrupt, io_error, as it says.
  void read(Time now, Token token, LogId log, Offset from, std::uint32_t max_bytes, Duration wait,
            Time deadline, ReadFrom whom = {});
  /// A stream of Delivered (last = false) until stop(), or until Failure: trimmed, past_end,
  /// not_an_entry, no_such_log.
  void follow(Time now, Token token, LogId log, Offset from);
  /// The application is done with so many bytes (frame bytes: the sum of next − offset) of what
  /// follow() delivered.
  void consumed(Time now, Token token, std::uint64_t bytes);
  /// Ends a follow with Failure cancelled. Unknown tokens are ignored.
  void stop(Time now, Token token);

  /// Ends in PointInTime: where to read from so that nothing is missed that was appended at or
  /// after `wall_ms` (Unix time, milliseconds), by the leaders' clocks: the highest segment or term
  /// start whose clock is below it, else where the log begins. Or in Failure: no_such_log,
  /// unavailable.
  void offset_at(Time now, Token token, LogId log, std::uint64_t wall_ms, Time deadline);
  /// Ends in PointInTime: where the segment begins that holds `offset`, or the log where it begins
  /// later.
  void segment_of(Time now, Token token, LogId log, Offset offset, Time deadline);
  /// Ends in Tail (linearizable, R2) or Failure.
  void tail(Time now, Token token, LogId log, Time deadline);
  /// Ends in LogDescription or Failure no_such_log, unavailable.
  void open_log(Time now, Token token, std::string name, Time deadline);
  /// Ends in LogDescription or Failure log_exists, not_enough_nodes, invalid_argument, unavailable.
  void create_log(Time now, Token token, std::string name, LogOptions options, Time deadline);
  /// Ends in Succeeded or Failure.
  void delete_log(Time now, Token token, std::string name, Time deadline);
  /// Ends in LogDescription with the trim point in force, or Failure: past_end where the log ends
  /// below `offset`.
  void trim_log(Time now, Token token, LogId log, Offset offset, Time deadline);
  /// Sets the log's fencing token (F2), 0: to the next one. Ends in client::Fence, or Failure
  /// producer_fenced: a higher one was set.
  void set_fence(Time now, Token token, LogId log, FenceToken fence, Time deadline);
  /// Replaces the log's retention (R5). Ends in LogDescription, or Failure: invalid_argument,
  /// no_such_log, unavailable.
  void set_retention(Time now, Token token, LogId log, Retention retention, Time deadline);
  /// The node's disk is gone for good; the one that it comes with now takes its place, empty, and
  /// is copied full from the others (C1). `force`: also where too few other replicas are up to
  /// begin without it. Ends in Succeeded, or Failure: invalid_argument says why not.
  void replace_disk(Time now, Token token, NodeId node, bool force, Time deadline);
  /// Ends in Metadatas with all logs, or Failure.
  void list_logs(Time now, Token token, Time deadline);
  /// Ends in ClusterStatus, or Failure unavailable where no sequencer is known by then.
  void status(Time now, Token token, bool logs, Time deadline);
  /// Ends every call: unsettled appends with outcome_unknown (committed already) or client_closed,
  /// others with client_closed.
  void close(Time now);

  // ---- From the driver

  void connected(Time now, const Connected& c);
  void disconnected(Time now, const Disconnected& d);
  void arrived(Time now, Arrived&& a);
  void tick(Time now);
  /// Finishes the step (waiting entries are cut into runs here, so that what arrived together goes
  /// out together) and gives what to perform; the driver clears it afterwards. `wake`: when to call
  /// tick().
  Output& output();

  /// What this client says of itself on a new connection.
  Hello hello() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace loglog::client

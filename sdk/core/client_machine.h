// The SDK's core: appends, reads, follows and questions of a client. It makes no system call and is
// deterministic: the driver (sdk/io/uv_client_driver.h, or the simulator) brings calls,
// connections, messages and time, then performs output(). It belongs to the driver's thread. Every
// call ends in exactly one Completed with last = true and its token, which output() returns after
// the call.
//
//   producers.*             appends: a pipeline for each log
//   append_pipeline.*       a producer: its runs, and their way to a fate (spec/05, spec/07)
//   open_run.*              entries to runs; run_builder.* to frame images
//   run_uploads.*           runs to replicas; replica_uploads.* for a run alone
//   term_session.*          the log's term and its leader
//   commit_order.*          references of runs to the leader
//   fates.*                 what became of entries
//   resolver.*              entries in the log after a change of term (A3 to A5)
//   fate_searches.*         resolve(): an entry whose append ended with an unknown outcome
//   reads.*                 read() (spec/06); page_reader.* pages of a log, from any replica
//   followers.*             follow(); follow_cursor.* pages to verified entries
//   replica_choice.*        the replica to read from
//   time_searches.*         offset_at() (R6); time_search.* for a call alone
//   cluster_calls.*         calls about logs and nodes; status_calls.* for status()
//   questions.*             requests that are repeated until they are answered
//   cluster_view.*          connections, metadata, the leader
//   damage_reports.h        the node to report for bytes that do not verify (K4)
//   client_core.h           the parts above, and which of them uses which
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sdk/core/figures.h"
#include "sdk/core/options.h"
#include "sdk/core/output.h"

namespace loglog::client {

struct ClientCore;

/// Not thread-safe, not movable. Functions that take `now` expect a time that never decreases.
class ClientMachine {
 public:
  /// `seed` draws producer ids and jitter, so every client needs a different seed.
  ClientMachine(Options options, std::uint64_t seed);
  ~ClientMachine();
  ClientMachine(const ClientMachine&) = delete;
  ClientMachine& operator=(const ClientMachine&) = delete;

  // ---- Calls. `deadline` may be `never`. The caller chooses the tokens; they must be unique among
  // calls that have not ended, with bit 62 clear.

  /// Appends an entry. Ends in Appended or Failure. With outcome_unknown the fate is open; any
  /// other code means that the entry was not written and never will be (A6). too_many:
  /// bytes_in_flight_max is reached. Under conditions (F1, F2) also offset_mismatch and
  /// producer_fenced.
  void append(Time now, Token token, LogId log, const Bytes& payload, bool packed, Time deadline,
              const AppendConditions& conditions = {});
  /// Finds out what became of an entry whose append ended with outcome_unknown, in this client or
  /// in another client. Ends in Resolved, or in Failure: outcome_unknown if the log was trimmed
  /// past the place where the entry may have been (A5), or with timed_out if a Commit of the entry
  /// may still be taken at the deadline; no_such_log, not_an_entry; unavailable at the deadline.
  void resolve(Time now, Token token, LogId log, const EntryName& entry, Time deadline);
  /// Whether append() would accept a payload of this size now. An idle client accepts any size.
  bool has_room_for(std::uint64_t payload_bytes) const;
  /// Bytes of frames that are accepted and not settled, or settled and kept for slow replicas.
  std::uint64_t bytes_in_flight() const;
  const Figures& figures() const;

  /// Reads entries from `from` on, about `max_bytes` of them, and at least the first. At the
  /// committed end it waits up to `wait` for more. Ends in Delivered, or in Failure: trimmed;
  /// past_end if the leader says that the log ends below `from`; not_an_entry; no_such_log; at the
  /// deadline the last reason that a replica gave, else unavailable. If `whom` names a replica, its
  /// first refusal ends the read: not_here, not_member, corrupt, io_error.
  void read(Time now, Token token, LogId log, Offset from, std::uint32_t max_bytes, Duration wait,
            Time deadline, ReadFrom whom = {});
  /// Subscribes from `from` on: a stream of Delivered (last = false) that ends in Failure:
  /// cancelled by stop(), or trimmed, past_end, not_an_entry, no_such_log. Has no deadline; while
  /// no replica answers, the stream is silent.
  void follow(Time now, Token token, LogId log, Offset from);
  /// Reports that the application is done with `bytes` of the entries that follow() delivered, in
  /// bytes of frames: the sum of next - offset. Gives the replica credit for as many more.
  void consumed(Time now, Token token, std::uint64_t bytes);
  /// Ends a follow with Failure cancelled. Unknown tokens are ignored.
  void stop(Time now, Token token);

  /// Finds where to read from so that no entry is missed that was appended at or after `wall_ms`
  /// (Unix time, milliseconds; R6): the highest segment or term start whose clock is below it, else
  /// the log's begin. Ends in PointInTime, or in Failure: no_such_log; at the deadline the last
  /// reason that a replica gave, else unavailable.
  void offset_at(Time now, Token token, LogId log, std::uint64_t wall_ms, Time deadline);
  /// Finds where the segment that holds `offset` begins, or the log's begin if that is higher. Ends
  /// as offset_at() does.
  void segment_of(Time now, Token token, LogId log, Offset offset, Time deadline);
  /// Asks the leader for begin and end of the log. Ends in Tail (linearizable, R2) or Failure.
  void tail(Time now, Token token, LogId log, Time deadline);
  /// Looks the log up by name, at any node that knows it. Ends in LogDescription, or in Failure:
  /// no_such_log (the leader's word), unavailable.
  void open_log(Time now, Token token, std::string name, Time deadline);
  /// Creates a log, once however often the request is repeated (T6). Ends in LogDescription, or in
  /// Failure: log_exists, not_enough_nodes, invalid_argument, superseded, unavailable.
  void create_log(Time now, Token token, std::string name, LogOptions options, Time deadline);
  /// Deletes the log that has the name when the leader is asked first (T5). Ends in Succeeded, or
  /// in Failure: no_such_log, unavailable.
  void delete_log(Time now, Token token, std::string name, Time deadline);
  /// Deletes the log that has the id, whatever its name. Ends as the above.
  void delete_log(Time now, Token token, LogId log, Time deadline);
  /// Raises the trim point to `offset` (R3). Ends in LogDescription with the trim point in force,
  /// or in Failure: past_end if the log ends below `offset`. Does not check that an entry begins
  /// there; the caller reads there first.
  void trim_log(Time now, Token token, LogId log, Offset offset, Time deadline);
  /// Sets the log's fencing token (F2); 0: to the next number. Ends in client::Fence, or in
  /// Failure: producer_fenced if a higher token was set, superseded (T6).
  void set_fence(Time now, Token token, LogId log, FenceToken fence, Time deadline);
  /// Replaces the log's retention (R5). Ends in LogDescription, or in Failure: invalid_argument,
  /// no_such_log, superseded (T6), unavailable.
  void set_retention(Time now, Token token, LogId log, Retention retention, Time deadline);
  /// Declares the node's disk lost for good (C1): the empty disk that the node runs with now
  /// becomes the member and is copied full from the other replicas. `force`: even if too few other
  /// replicas are up to begin a term without the old disk. Ends in Succeeded, or in Failure:
  /// invalid_argument with the reason.
  void replace_disk(Time now, Token token, NodeId node, bool force, Time deadline);
  /// Raises the cluster's version (T7). Ends in Succeeded, also if the version is reached already,
  /// or in Failure: invalid_argument with the processes that do not read records of the version;
  /// wrong_version if the leader or this client is too old to know the request.
  void raise_version(Time now, Token token, std::uint8_t version, Time deadline);
  /// Asks a sequencer for all logs. Ends in Metadatas or Failure.
  void list_logs(Time now, Token token, Time deadline);
  /// Asks every sequencer for its status; `logs`: with the list of logs. Ends in ClusterStatus, or
  /// in Failure: unavailable if no sequencer is known by the deadline.
  void status(Time now, Token token, bool logs, Time deadline);
  /// Ends every call: an append whose reference went to a leader with outcome_unknown, every other
  /// call with client_closed. Calls after it fail with client_closed.
  void close(Time now);

  // ---- Input from the driver. Input after close() is ignored.

  /// The connection that output() asked for is up and its peer has said hello.
  void connected(Time now, const Connected& c);
  /// The connection is gone or could not be made.
  void disconnected(Time now, const Disconnected& d);
  void arrived(Time now, Arrived&& a);
  /// Runs the timers that are due.
  void tick(Time now);
  /// Finishes the step and returns the effects to perform. Entries are cut into runs here, so that
  /// entries which arrive together leave together. The driver clears the Output afterwards, and
  /// calls tick() at Output::wake.
  Output& output();

  /// The hello of this client for a new connection (W4).
  Hello hello() const;

 private:
  bool begins(Time now, Token token);

  std::unique_ptr<ClientCore> core_;
};

}  // namespace loglog::client

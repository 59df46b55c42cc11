// The values that cross between the SDK's core and its driver: effects that the core asks for,
// input that the driver brings, and the completions of the application's calls. A completion
// carries the token that the call came in with. The driver owns threads and sockets.
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "proto-spec/session/net.h"
#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"

namespace loglog::client {

/// Identifies a call of the application; chosen by the driver.
using Token = Strong<struct TokenTag, std::uint64_t>;

/// Conditions of an append (F1, F2).
struct AppendConditions {
  /// Append only if no entry lies at or above this offset. no_offset: wherever the log ends.
  Offset expected = no_offset;
  FenceToken fence{};  ///< refuse if the log has a higher token; 0: the append names no token
  bool operator==(const AppendConditions&) const = default;
};

// ---- Completions. Every call ends in exactly one completion; follow() ends in a stream of
// Delivered and a Failure.

/// The entry of an append, as resolve() takes it after an unknown outcome. The client that made it
/// need not exist any more.
struct EntryName {
  ProducerId producer{};  ///< 0: no entry
  Sequence sequence{};    ///< 0: no entry
  Term term{};            ///< of the newest Commit that named the entry; 0: none did
  Offset lowest{};        ///< the entry does not stand below (A3)
};
/// append: the entry is committed at this offset (A6).
struct Appended {
  Offset offset;
  Term term;
  ProducerId producer{};
  Sequence sequence{};
};
/// append: outcome_unknown, or any other code, which means that the entry was not written and never
/// will be (A6). Other calls: why they failed.
struct Failure {
  Error error;
  Offset begins{};  ///< with trimmed: where the log begins
  /// With offset_mismatch: a committed offset; the entries that refute the expectation lie below
  /// it. With past_end: the log's committed end.
  Offset ends{};
  FenceToken fence{};  ///< with producer_fenced: the log's token
  /// The deadline passed; the error is the last temporary reason.
  bool timed_out = false;
  EntryName entry{};  ///< of an append that was accepted
};
/// resolve: `is_committed` false means that the entry is not in the log and never will be. The
/// other fields are those of the entry that was found.
struct Resolved {
  bool is_committed = false;
  Offset offset{}, next{};
  Term term{};
};
/// An entry as read and verified. `payload` is a slice of the received page and shares its memory.
/// `packed`: the payload holds several payloads of append_batch.
struct Entry {
  Offset offset;
  Offset next;  ///< end of its frame
  Term term;
  ProducerId producer;
  Sequence sequence;
  bool packed = false;
  Bytes payload;
};
/// read: entries from the asked offset on; none at the committed end. follow: the next entries;
/// none if only the position moves, over frames of the log's own.
struct Delivered {
  std::vector<Entry> entries;
  Offset next;  ///< where to read on
  /// With ReadFrom::frames: the stored bytes of every frame from the asked offset to `next`.
  std::vector<Bytes> frames{};
};
/// read: the replica to ask, and the form of the result.
struct ReadFrom {
  /// The only storage node to ask: its first refusal ends the read. 0: any replica.
  NodeId replica{};
  /// With `replica`: report bytes that do not verify, so that the node checks and repairs them
  /// (K4). Without `replica` every reader reports.
  bool report = false;
  /// Return the stored bytes of every frame in addition to the entries.
  bool frames = false;
};
/// tail: begin and committed end of the log, linearizable (R2).
struct Tail {
  Offset first;
  Offset committed;
  Term term;
};
/// set_fence: no entry of a lower token lies at `end` or above, now or later; all bytes below `end`
/// are committed.
struct Fence {
  FenceToken token;
  Offset end;
};
/// offset_at, segment_of: the offset that was searched for.
struct PointInTime {
  Offset offset;
};
/// open_log, create_log, trim_log, set_retention: the log's metadata.
struct LogDescription {
  LogInfo info;
};
/// list_logs: the cluster's metadata with all logs.
struct Metadatas {
  ClusterMetadata metadata;
};
/// status: the answers of the sequencers.
struct ClusterStatus {
  std::vector<Status> sequencers;          ///< answers, in order of arrival
  std::vector<SequencerInfo> unreachable;  ///< known sequencers that did not answer in time
};
/// delete_log, replace_disk, raise_version: done.
struct Succeeded {};
using Completion = std::variant<Appended, Failure, Resolved, Delivered, Tail, PointInTime, Fence,
                                LogDescription, Metadatas, ClusterStatus, Succeeded>;

struct Completed {
  Token token;
  Completion result;
  bool last = true;  ///< false: more completions follow for this token (follow)
};

// ---- Network. The core names endpoints by address and has at most a single connection to each.

/// Dial `address`. The driver answers with Connected or Disconnected.
struct Connect {
  ConnectionId connection;  ///< chosen by the core, never used again
  std::string address;
};
using net::CloseConnection;
using net::Send;

// ---- Events

/// A change of the client's view of the cluster, for the application to show. Nothing depends on
/// it.
struct Event {
  /// As ClientEvent::Kind (sdk/include/loglog/event.h), which says when each is told.
  enum class Kind : std::uint8_t {
    connected,
    connection_lost,
    unreachable,
    leader_changed,
    replica_slow
  };
  Kind kind{};
  Role role = Role::client;  ///< of the node; client: unknown
  std::uint32_t node = 0;    ///< 0: unknown
  std::string address{};     ///< empty: unknown
  LogId log{};               ///< with replica_slow
  Error why{};
};

/// Effects of a step. The driver performs connects, sends, closes, events and completed, in this
/// order.
struct Output {
  std::vector<Completed> completed;
  std::vector<Connect> connects;
  std::vector<Send> sends;
  std::vector<CloseConnection> closes;
  std::vector<Event> events;
  Time wake = never;  ///< when to call ClientMachine::tick()
  void clear() {
    completed.clear();
    connects.clear();
    sends.clear();
    closes.clear();
    events.clear();
    wake = never;
  }
};

// ---- Input from the driver

/// Both hellos were exchanged.
struct Connected {
  ConnectionId connection;
  Hello peer;
};
/// The connection ended, or the Connect failed.
struct Disconnected {
  ConnectionId connection;
  Error why;
};
using net::Arrived;

}  // namespace loglog::client

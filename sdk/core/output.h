// What the SDK's core asks its driver to do, and what the driver tells it back. Calls of the
// application come in as requests with a token; their results go out as Completions with the same
// token. The driver owns threads and sockets.
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"

namespace loglog::client {

/// Names one call of the application.
using Token = Strong<struct TokenTag, std::uint64_t>;

/// What an append is committed under (F1, F2).
struct AppendConditions {
  Offset expected = no_offset;  ///< appended only where no entry lies at or above it; no_offset:
                                ///< wherever the log ends
  FenceToken fence{};           ///< refused once a higher token was set for the log; 0: names none
  bool operator==(const AppendConditions&) const = default;
};

// ---- Completions: every call ends in exactly one, follow() in a stream of Delivered and one
// Failure.

/// append: committed at this offset (A6: first of three ways to end).
struct Appended {
  Offset offset;
  Term term;
};
/// append: failed (nothing written and never will be) with any code but outcome_unknown; or
/// outcome_unknown. Other calls: why.
struct Failure {
  Error error;
  Offset begins{};  ///< with trimmed: where the log begins
  Offset ends{};  ///< with offset_mismatch: all that stands in the way lies below, and is committed
  FenceToken fence{};  ///< with producer_fenced: the log's token
};
/// An entry as read. `payload` is a slice of the received page; for an entry that the SDK packed
/// from several, `parts` has them.
struct Entry {
  Offset offset;
  Offset next;  ///< offset after this frame
  Term term;
  ProducerId producer;
  Sequence sequence;
  bool packed = false;
  Bytes payload;
};
/// read: entries from the asked offset on; `next` is where to continue. Empty: at the committed
/// end. follow: the next batch.
struct Delivered {
  std::vector<Entry> entries;
  Offset next;
  std::vector<Bytes> frames{};  ///< with ReadFrom::frames: stored bytes of every frame from the
                                ///< asked offset to `next`
};
/// read: whom to ask and for what.
struct ReadFrom {
  /// This storage node alone: no other is asked instead, and what it cannot show ends the read. 0:
  /// any.
  NodeId replica{};
  /// With `replica`: it is told what does not verify, so that it looks for itself and repairs (K4).
  /// Else any reader tells.
  bool report = false;
  /// Stored bytes of every frame beside the entries.
  bool frames = false;
};
struct Tail {
  Offset first;
  Offset committed;
  Term term;
};
/// set_fence: nothing of a lower token lies at `end` or above, now or later; all below it is
/// committed.
struct Fence {
  FenceToken token;
  Offset end;
};
/// offset_at: what was appended since stands at or behind it.
struct PointInTime {
  Offset offset;
};
struct LogDescription {
  LogInfo info;
};
struct Metadatas {
  ClusterMetadata metadata;
};
struct ClusterStatus {
  std::vector<Status> sequencers;          ///< those that answered
  std::vector<SequencerInfo> unreachable;  ///< those that did not
};
struct Succeeded {};
using Completion = std::variant<Appended, Failure, Delivered, Tail, PointInTime, Fence,
                                LogDescription, Metadatas, ClusterStatus, Succeeded>;

struct Completed {
  Token token;
  Completion result;
  bool last = true;  ///< false: more come for this token (follow)
};

// ---- Network. The core names endpoints by address; the driver keeps at most one connection to
// each.

struct Connect {
  ConnectionId connection;  ///< chosen by the core
  std::string address;
};
struct Send {
  ConnectionId to;
  RequestId request;
  Message message;
};
struct Close {
  ConnectionId connection;
};

struct Output {
  std::vector<Completed> completed;
  std::vector<Connect> connects;
  std::vector<Send> sends;
  std::vector<Close> closes;
  Time wake = never;
  void clear() {
    completed.clear();
    connects.clear();
    sends.clear();
    closes.clear();
    wake = never;
  }
};

// ---- Input from the driver

struct Connected {
  ConnectionId connection;
  Hello peer;
};
/// Also answers a Connect that failed.
struct Disconnected {
  ConnectionId connection;
  Error why;
};
struct Arrived {
  ConnectionId from;
  RequestId request;
  Message message;
};

}  // namespace loglog::client

// Error codes and the error value of every call. Part of <loglog/client.h>.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace loglog {

#ifndef LOGLOG_ERRC
#define LOGLOG_ERRC
/// Why a call failed. Numbers and names are stable; a later version adds codes, so a program must
/// expect codes that it does not know. The sentence at each code is the beginning of
/// CallError::message.
enum class Errc : std::uint16_t {
  /// No error.
  ok = 0,
  /// The request is not valid.
  invalid_argument = 1,
  /// An entry holds at most 16777215 bytes; split it, or store a reference to it.
  entry_too_large = 2,
  /// No log of that name; create it first (loglog logs create NAME).
  no_such_log = 3,
  /// A log of that name exists already; choose another name or delete it first.
  log_exists = 4,
  /// No entry begins at that offset; use an offset that an append or a reader gave.
  not_an_entry = 5,
  /// The log ends before that offset; take an offset that an append or a reader of this log gave.
  past_end = 6,
  /// The log was trimmed past that offset; begin at its first offset.
  trimmed = 7,
  /// The log was deleted.
  log_deleted = 8,
  /// Fewer storage nodes are up than the log needs; start more nodes or ask for fewer replicas.
  not_enough_nodes = 9,
  /// An entry lies at or above the expected offset; read on from there and decide again.
  offset_mismatch = 10,
  /// A newer fencing token was set for the log; another writer has taken over, so stop writing.
  producer_fenced = 11,
  /// It was changed since this request was made; look at how it stands, and decide again.
  superseded = 12,
  /// The position is of another log; a log that was deleted and made again is another one, so begin
  /// at its beginning.
  wrong_log = 13,
  /// This sequencer is not the leader; ask the one it names.
  not_leader = 20,
  /// The leader is still recovering this log; try again shortly.
  not_ready = 21,
  /// This storage node does not hold that log.
  not_member = 22,
  /// The term has changed; resolve unsettled entries and continue in the new term.
  stale_term = 23,
  /// The sender's metadata is older than this node's.
  stale_metadata = 24,
  /// A newer leader has sealed this node.
  fenced = 25,
  /// The node's log is not in the state that the command names.
  wrong_state = 26,
  /// This node is not matched in that term.
  not_matched = 27,
  /// Another sequence number is expected from this producer.
  wrong_sequence = 30,
  /// The same run id was seen with other bytes.
  digest_mismatch = 31,
  /// Whether the entry was written is not known; read the log to find out before appending it
  /// again.
  outcome_unknown = 32,
  /// The deadline passed; nothing was written and nothing will be.
  deadline_exceeded = 33,
  /// The call was cancelled before anything was sent.
  cancelled = 34,
  /// Too few nodes answer; check that the sequencers and storage nodes run and can be reached.
  unavailable = 35,
  /// The client was closed.
  client_closed = 36,
  /// A blocking call in a callback would wait for itself; use append_async or a callback there, or
  /// make the call in another thread.
  would_deadlock = 37,
  /// The client belongs to the process that made it; make another one after fork().
  forked = 38,
  /// The node's staging memory is full; try again after the hint.
  busy = 40,
  /// The disk is full; free space or trim logs.
  no_space = 41,
  /// A limit is reached; wait for requests in flight to finish.
  too_many = 42,
  /// The message is larger than this peer accepts.
  message_too_large = 43,
  /// This node cannot read these bytes (checksum mismatch); another replica has them.
  corrupt = 50,
  /// This node's disk failed; another replica has what it should hold.
  io_error = 51,
  /// This node lost its data or identity and counts as down; move its directory aside, start it,
  /// and run loglog nodes replace-disk.
  data_loss = 52,
  /// The log is halted because its replicas contradict each other; see the alarm in the logs.
  log_halted = 53,
  /// This node does not have these bytes yet.
  not_here = 54,
  /// This sequencer's files are damaged; move its directory aside and start it with an empty one:
  /// it gets from the other sequencers what it had.
  raft_damaged = 55,
  /// The peer does not speak LogLog.
  bad_magic = 60,
  /// The two sides speak no common protocol version; upgrade the older one.
  wrong_version = 61,
  /// The peer belongs to another cluster; check --cluster-name and the addresses.
  wrong_cluster = 62,
  /// The peer on this port has another role; check the addresses.
  wrong_role = 63,
  /// The peer's node id or disk identity is not the one expected; check --id and --data.
  wrong_identity = 64,
  /// The peer sent bytes that are no message.
  malformed_message = 65,
  /// The connection was lost.
  connection_lost = 66,
  /// A message's checksum does not match its bytes.
  checksum_mismatch = 67,
  /// The peer sent a message that has no place here.
  unexpected_message = 68,
  /// The data directory is in use by another process; stop it or choose another directory.
  directory_in_use = 80,
  /// The data directory cannot be read or written; check the disk, and the directory's owner and
  /// permissions.
  directory_unreadable = 81,
  /// The data directory was written by a version with another format; run that version.
  newer_format = 82,
  /// The address cannot be listened on; another process has it, or it is not of this machine.
  address_in_use = 83,
  /// The configuration is not valid.
  bad_configuration = 84,
  /// The operating system refused an operation.
  system_error = 85,
};
#endif

/// The name of the code, for example "no_such_log"; "unknown_error" for a number without a name.
std::string_view name_of(Errc code);

/// Why a call failed.
struct CallError {
  Errc code{};          ///< the stable part: compare this, and never the message
  std::string message;  ///< a sentence for people: the value, the limit, the remedy
  /// true: the same call may be made again and may succeed then, or on another node.
  bool retry = false;
  /// true: the deadline passed; `code` is the last temporary reason, or how the append ended. A
  /// longer time-out may help.
  bool timed_out = false;
  /// With `trimmed`: the offset where the log begins.
  std::uint64_t begins_at = 0;
  /// With `offset_mismatch`: a committed offset; every entry that made the append fail lies below
  /// it. With `past_end`: the committed end of the log.
  std::uint64_t ends_at = 0;
  std::uint64_t fence = 0;  ///< with `producer_fenced`: the log's fencing token

  /// The name of the code, for logs and for people.
  std::string_view name() const { return name_of(code); }
};

}  // namespace loglog

// What the sequencer's core asks its driver to do, and what the driver tells it back. The core
// decides and does nothing itself; the driver performs and decides nothing. One driver is libuv
// with a state directory, the other is the simulator.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

// ---- Disk: Raft state. Saves run strictly one after the other in the order given; each is durable
// (fdatasync) before its
//      SaveDone. A save that finds no space waits for it; any other failure is fatal for the
//      process.

struct HardState {
  RaftTerm term{};
  SequencerId vote{};
  bool operator==(const HardState&) const = default;
};

/// Everything one step wants durable, as one write: in this order snapshot (replaces all below and
/// the log up to its index), hard state, truncation, entries.
struct SaveRaft {
  std::uint64_t ticket = 0;
  std::optional<HardState> hard_state;
  /// Drop entries with index >= this first (0: none).
  RaftIndex truncate_from{};
  std::vector<RaftEntry> entries;
  bool has_snapshot = false;
  RaftIndex snapshot_index{};
  RaftTerm snapshot_term{};
  Bytes snapshot;  ///< encoded ClusterMetadata; written to a file of its own, renamed into place,
                   ///< log rewritten after it
  /// It only makes the log shorter: where the disk has no space for it, the log goes on as it is.
  bool snapshot_may_wait = false;
};
struct SaveDone {
  std::uint64_t ticket = 0;
};
/// What was found at start.
struct RaftDisk {
  HardState hard_state;
  RaftIndex snapshot_index{};
  RaftTerm snapshot_term{};
  Bytes snapshot;
  std::vector<RaftEntry> entries;  ///< consecutive, after the snapshot
  /// Records that were durable once are bad or gone (C3): what is here may lack votes and entries
  /// that were answered for.
  bool lost_records = false;
};

// ---- Network

struct Send {
  ConnectionId to;
  RequestId request;
  Message message;
};
struct CloseConnection {
  ConnectionId connection;
  Error why;  ///< not ok: goes out as Failed with request id 0 first
};
/// The driver dials every other sequencer and every storage node of the configuration and redials
/// with backoff; the core only sees Connected and Disconnected. Of two sequencers the one with the
/// lower id dials.

struct Event {
  enum class Level : std::uint8_t { debug, info, warning, alarm } level;
  std::string text;
};

/// What one step produced. Perform in this order: events, saves, sends, closes. Reused: clear()
/// keeps capacity.
struct Output {
  /// The process must end with this: what was committed cannot be understood (newer_format), and to
  /// leave it out would make another state than the others have. Nothing else is to be performed,
  /// now or later.
  std::optional<Error> fatal;
  std::vector<Event> events;
  std::vector<SaveRaft> saves;
  std::vector<Send> sends;
  std::vector<CloseConnection> closes;
  /// When tick() is wanted next at the latest.
  Time wake = never;
  void clear() {
    events.clear();
    saves.clear();
    sends.clear();
    closes.clear();
    wake = never;
  }
};

// ---- Input (beside SaveDone and tick)

struct Connected {
  ConnectionId connection;
  Hello peer;
  bool dialled = false;       ///< by this side
  std::string from{};         ///< the peer's IP address without port; empty: in this process
  std::string endpoint = {};  ///< the peer's HOST:PORT, for people
};
struct Disconnected {
  ConnectionId connection;
};
struct Arrived {
  ConnectionId from;
  RequestId request;
  Message message;
};

/// Effective configuration; the driver validates it (app/options).
struct Options {
  SequencerId id{};
  std::string cluster_name;
  std::vector<SequencerInfo> sequencers;  ///< 1, 3 or 5, this one included
  std::vector<StorageInfo>
      storage;               ///< disk 0: what the operator configured; registered at first hello
  bool trust_empty = false;  ///< raft::Config
  Duration election_timeout_min = 1000ms;  ///< randomised up to twice this
  Duration heartbeat_interval = 100ms;
  /// A follower whose connection to the leader closed starts pre-vote after a random delay up to
  /// this.
  Duration closed_leader_hint_max = 30ms;
  Duration recovery_step_timeout = 2s;  ///< S8
  Duration resign_max = 2s;             ///< how long a leader that is to stop tries to hand over,
  Duration resign_answers_max =
      200ms;  ///< … and of that, waits for what it has ordered to be durable
  Duration hand_over_again =
      300ms;  ///< one that was asked to take over and does not: another one is asked
  Duration reach_every =
      1s;  ///< S8: storage nodes are pinged, and followers tell the leader which they reach
  Duration watermark_delay =
      1ms;  ///< how long a committed offset waits for an Order to go with, while runs are in flight
  Duration watermark_idle_interval = 50ms;
  /// A log that nobody has asked for since this leader came, and of which all is known to be
  /// committed, gets no term start until somebody does: nothing is written for it.
  bool rest_idle_logs = true;
  Duration retention_every = 200ms;  ///< R5: of one log, the pause between two trims
  /// A run that its replicas miss is dropped by a new term when its producer's connection has been
  /// closed for so long,
  Duration producer_gone_after = 100ms;
  /// or each of them has reported it so often: a node reports again a second after the producer was
  /// asked (V1).
  unsigned missing_reports_max = 2;
  /// Runs ordered and durable nowhere yet, of one connection and of a log: one more is refused with
  /// too_many (V1).
  std::size_t unwritten_runs_per_connection_max = 64;
  std::size_t unwritten_runs_max = 8192;
  /// A connection over which so many runs came that a new term had to drop is closed: each of them
  /// stops all others (V1).
  unsigned dropped_runs_max = 2;
  /// Producers of one log, and their runs not confirmed yet, that the leader remembers in one term.
  /// One more begins a new term for that log (A2).
  std::size_t producers_max = 65'536;
  std::size_t producer_runs_max = 1u << 20;
  std::uint32_t reference_window =
      65'536;  ///< references kept in memory per log for replicas that lag
  std::uint32_t order_window_bytes = 64u
                                     << 20;  ///< most ordered and not yet durable bytes per replica
  /// A replica that comes and lacks more committed bytes or runs than this copies them (S5); less
  /// is ordered to it anew.
  std::uint64_t copy_above_bytes = 1u << 20;
  std::size_t copy_above_runs = 4096;
  /// Logs that are copied to one node at a time (P4): each has a piece of 128 KiB under way.
  std::size_t copies_per_node_max = 8;
  std::uint64_t snapshot_every = 1024;  ///< Raft entries
};

}  // namespace loglog::sequencer

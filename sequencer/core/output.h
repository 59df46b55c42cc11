// The interface between the sequencer's core and its driver: effects that the core wants performed,
// events that the driver reports, and the core's options. The core decides and performs nothing;
// the driver performs and decides nothing. Drivers are io/uv_sequencer_driver.h and the simulator.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto-spec/session/net.h"
#include "proto-spec/vocabulary/bytes.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

// ---- Disk: Raft state. Saves run strictly one after the other in the order given. Each save is
//      durable (fdatasync) before its SaveDone. A save that finds no space waits for space; any
//      other failure is fatal for the process.

/// Term and vote of Raft; durable before any message that depends on them is sent.
struct HardState {
  RaftTerm term{};
  SequencerId vote{};
  bool operator==(const HardState&) const = default;
};

/// Everything that a step wants durable, performed in this order: record version, snapshot (which
/// replaces the log up to its index), then hard state, truncation and entries as a single write.
struct SaveRaft {
  /// Names this save in its SaveDone; ascends. 0: the save has a record version alone.
  std::uint64_t ticket = 0;
  /// T7: the identity names this version or a later one, durably, before anything else of this save
  /// is written. 0: the identity stays as it is.
  std::uint8_t record_version = 0;
  std::optional<HardState> hard_state;
  /// Drop entries whose index is at or above this first; 0: drop none.
  RaftIndex truncate_from{};
  std::vector<RaftEntry> entries;
  bool has_snapshot = false;
  RaftIndex snapshot_index{};
  RaftTerm snapshot_term{};
  /// Encoded ClusterMetadata. The driver writes it to a file of its own and renames that into
  /// place; afterwards it rewrites the log.
  Bytes snapshot;
  /// The save only makes the log shorter. If the disk has no space for it, the log goes on as it
  /// is.
  bool snapshot_may_wait = false;
};
/// The save of this ticket, and all saves before it, are durable.
struct SaveDone {
  std::uint64_t ticket = 0;
};
/// The Raft state that the driver found on disk at the start.
struct RaftDisk {
  HardState hard_state;
  RaftIndex snapshot_index{};
  RaftTerm snapshot_term{};
  Bytes snapshot;
  std::vector<RaftEntry> entries;  ///< consecutive, after the snapshot
  /// T7: the version of records that the identity names.
  std::uint8_t record_version = record_version_first;
  /// Records that were durable are damaged or gone (C3). Votes and entries that this sequencer had
  /// answered for may be missing.
  bool lost_records = false;
};

// ---- Network and log

using net::Arrived;
using net::CloseConnection;
using net::Event;
using net::Send;

/// Open a connection to a storage node or to another sequencer (core/cluster/dialler.h). Answered
/// once, by Connected with `dialled` set or by DialFailed.
struct Dial {
  std::uint32_t number = 0;  ///< names the peer in the answer; not 0
  Role role{};               ///< that the peer's hello must have
  std::uint32_t id = 0;      ///< likewise
  std::string address;
};

/// The effects of a step. The driver performs them in this order: events, saves, sends, dials,
/// closes. The object is reused; clear() keeps the capacity.
struct Output {
  /// The process must end with this error. A committed entry cannot be understood (newer_format),
  /// and a state without it would differ from the other sequencers' state. Nothing else is to be
  /// performed, now or later.
  std::optional<Error> fatal;
  std::vector<Event> events;
  std::vector<SaveRaft> saves;
  std::vector<Send> sends;
  std::vector<Dial> dials;
  std::vector<CloseConnection> closes;
  /// When the core next needs tick(), at the latest.
  Time wake = never;
  void clear() {
    events.clear();
    saves.clear();
    sends.clear();
    dials.clear();
    closes.clear();
    wake = never;
  }
};

// ---- Input (beside SaveDone and tick)

/// A connection stands and both hellos are exchanged.
struct Connected {
  ConnectionId connection;
  Hello peer;
  std::uint32_t dialled = 0;  ///< Dial::number if this side dialled; 0: the peer dialled
  std::string from{};         ///< the peer's IP address without port; empty: a peer in this process
  std::string endpoint = {};  ///< the peer's HOST:PORT, for people
};
/// A dial has failed, so that no connection stands.
struct DialFailed {
  std::uint32_t number = 0;  ///< Dial::number
  /// connection_lost: nothing was reached. Otherwise one of the two sides refused the other.
  Error why;
};
/// A connection that was Connected has ended. It is not reported if this core closed it.
struct Disconnected {
  ConnectionId connection;
  /// The error that the peer named as its reason; connection_lost: it named none.
  Error why{Errc::connection_lost, {}};
};

/// Raft's times; see raft::Config.
struct ElectionTimes {
  Duration timeout_min = 1000ms;  ///< randomised up to twice this
  Duration heartbeat_interval = 100ms;
  /// A follower whose connection to the leader has closed starts its pre-vote after a random delay
  /// of at most this.
  Duration closed_leader_hint_max = 30ms;
};
/// The times of a leader that is asked to stop (spec/04, "Handing over at a stop").
struct ResignTimes {
  Duration in_all_max = 2s;      ///< how long it tries to hand over
  Duration answers_max = 200ms;  ///< of that, to wait for its ordered runs to be committed
  /// If the sequencer that was asked to take over does not do so in this time, the leader asks
  /// another.
  Duration ask_again = 300ms;
};
/// How soon replicas are told the committed offset.
struct WatermarkTimes {
  /// How long a committed offset waits for an Order to travel with while runs are in flight.
  Duration delay = 1ms;
  /// Pause after which a replica that had a shorter tail is told the committed offset again
  /// (spec/05 step 9).
  Duration idle_interval = 50ms;
};
/// V1: a new term drops a run that its replicas miss when the producer's connection has been closed
/// for `producer_gone_after`, or when each replica has reported the run missing `reports_max`
/// times. A node reports again a second after its first report.
struct MissingRunLimits {
  Duration producer_gone_after = 100ms;
  unsigned reports_max = 2;
};
/// S5: a replica that comes back copies if it lacks more committed bytes or runs than this. A
/// smaller gap is ordered to it anew.
struct CopyAbove {
  std::uint64_t bytes = 1u << 20;
  std::size_t runs = 4096;
};

/// Effective configuration of the core. app/sequencer.cpp makes it from SequencerOptions, which
/// validate() has checked.
struct Options {
  SequencerId id{};
  std::string cluster_name;
  std::vector<SequencerInfo> sequencers;  ///< 1, 3 or 5 sequencers, this sequencer included
  /// Storage nodes as the operator configured them, with disk 0. A node registers with its disk at
  /// its first hello.
  std::vector<StorageInfo> storage;
  bool trust_empty = false;  ///< see raft::Config
  ElectionTimes elections{};
  /// S8: deadline of a step of a log's recovery.
  Duration recovery_step_timeout = 2s;
  ResignTimes resigning{};
  /// S8: interval of pings to storage nodes, and of followers' reports to the leader which nodes
  /// they reach.
  Duration reach_every = 1s;
  WatermarkTimes watermarks{};
  /// S7: a log gets no term start while nobody has asked for it since this leader came, and all of
  /// it is known to be committed. So nothing is written for an idle log.
  bool rest_idle_logs = true;
  /// R5: shortest pause between two trims of a log.
  Duration retention_every = 200ms;
  MissingRunLimits missing_runs{};
  /// V1: runs that are ordered and that no replica has written yet, by connection and by log. A
  /// further run is refused with too_many.
  std::size_t unwritten_runs_per_connection_max = 64;
  std::size_t unwritten_runs_max = 8192;
  /// V1: a connection is closed once this many of its runs had to be dropped by a new term, because
  /// each drop stops all other producers.
  unsigned dropped_runs_max = 2;
  /// A2: producers of a log, and their runs, that the leader remembers in a term. A further
  /// producer or run makes the log begin a new term.
  std::size_t producers_max = 65'536;
  std::size_t producer_runs_max = 1u << 20;
  /// References in memory for each log, for replicas that lag.
  std::uint32_t reference_window = 65'536;
  /// Most bytes that are ordered to a replica and not yet durable there.
  std::uint32_t order_window_bytes = 64u << 20;
  CopyAbove copy_above{};
  /// P4: logs that are copied to a node at a time; each has a piece of 128 KiB under way.
  std::size_t copies_per_node_max = 8;
  /// Raft entries between two snapshots of the metadata.
  std::uint64_t snapshot_every = 1024;
  /// T7: records of later versions are not read. Programs differ in it, so it is no option of a
  /// user.
  std::uint8_t record_version_highest = loglog::record_version_highest;
};

}  // namespace loglog::sequencer

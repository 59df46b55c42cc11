// The storage node without its I/O: dispatches messages and admits commands (T2, T3). Its parts
// keep identity and promise, metadata, logs and sessions, and answer clients; each log is a
// LogReplica. One thread; the time comes with each call. The driver (io/uv_storage_driver.h or the
// simulator) performs output() after each call and clears it.
#pragma once
#include <expected>
#include <string>
#include <string_view>

#include "storage-node/core/client_requests.h"
#include "storage-node/core/cluster_copy.h"
#include "storage-node/core/log_table.h"
#include "storage-node/core/node_identity.h"
#include "storage-node/core/peer_reach.h"
#include "storage-node/core/sessions.h"
#include "storage-node/core/space_report.h"
#include "storage-node/core/startup_disk.h"

namespace loglog::storage {

class StorageMachine {
 public:
  /// `seed`: for the random ids of a new disk and of this process.
  StorageMachine(Options options, std::uint64_t seed);
  ~StorageMachine();
  StorageMachine(const StorageMachine&) = delete;
  StorageMachine& operator=(const StorageMachine&) = delete;

  /// Reads the node's files (K1 to K3), before any other call. Fails with wrong_identity,
  /// newer_format, or the disk's error (K7). DATA LOSS (T4) is no failure: the node then serves
  /// reads and metadata; it promises nothing and takes no uploads and no orders.
  Result<void> start(Time now, StartupDisk& disk);

  /// Events from the driver: connections, messages, ended disk operations and time.
  void connected(Time now, const Connected& c);
  void connect_failed(Time now, const ConnectFailed& c);
  void disconnected(Time now, const Disconnected& d);
  void arrived(Time now, Arrived&& a);
  /// Bytes have left the process: readers that were held for this connection go on.
  void written(Time now, const Written& w);
  void disk_done(Time now, DiskDone&& d);
  void tick(Time now);
  /// The log's OpenSegment met a full disk and waits in the driver (K5).
  void opening_waits(Time now, LogId log);
  /// The driver has measured the disk's free space. The leader and monitors are told with the next
  /// report.
  void disk_space(DiskSpace s) { space_.measured(s); }
  /// Begins an orderly stop (spec/04, handing over at a stop). From now on the node takes nothing
  /// from anybody. It writes the ordered runs that it holds and sends Durable for them, then writes
  /// the marks, so that the next start finds them at its tail (K3). Takes at most
  /// Options::stop_max.
  void begin_stop(Time now);
  /// True after begin_stop() if nothing of that work is left or the time is up. Ask it after
  /// output() was performed.
  bool may_stop() const;
  Output& output() { return node_.out; }
  const Output& pending() const { return node_.out; }

  /// The hello that the driver sends on each new connection.
  Hello hello() const { return identity_.hello(); }
  const Identity& identity() const { return node_.identity; }
  /// True once the identity is durable. Before that the node must not be shown to others.
  bool ready() const { return identity_.durable(); }
  bool data_loss() const { return node_.data_loss; }
  /// Whether the node serves its role: it has heard lately from the leader that sealed it, and
  /// every log here is matched in its leader's term. Returns a sentence with the state, or with the
  /// reason against it. The node cannot know that a leader was deposed until another leader seals
  /// it; ask sequencers for that.
  std::expected<std::string, std::string> readiness(Time now) const;
  /// Counters and state for monitors.
  Report report() const;
  /// The state of a log, or null if it is not on this node. For status and tests.
  const LogCore* log(LogId id) const;

 private:
  /// `wait`: the command's term is promised, but the promise is not durable yet (T3).
  enum class Admission { yes, wait, refused };

  /// True while the leader hears of this node's space.
  bool reports() const { return sessions_.leader() != ConnectionId{} && stop_by_ == never; }
  /// Bracket each step: begin() sets the time, end() does the work that follows every step.
  void begin(Time now) { node_.now = now; }
  void end();

  /// Admission of a message: the session's rules, the promise, and the log.
  void dispatch(ConnectionId from, RequestId request, Message&& m);
  Admission admit(ConnectionId from, RequestId request, LogId log, Term term);
  LogReplica* member(ConnectionId from, RequestId request, LogId log);
  template <class M>
  LogReplica* admitted(ConnectionId from, RequestId request, M& m);
  void resume_waiting();
  void resume_readers();
  void give_back_dropped();

  /// Handlers, by message. dispatch() closes a connection that sends a message without a handler.
  void on(ConnectionId from, RequestId request, Seal& m);
  void on(ConnectionId from, RequestId request, GetState& m);
  void on(ConnectionId from, RequestId request, Reconcile& m);
  void on(ConnectionId from, RequestId request, Order& m);
  void on(ConnectionId from, RequestId request, Watermark& m);
  void on(ConnectionId from, RequestId request, TrimTo& m);
  void on(ConnectionId from, RequestId request, Join& m);
  void on(ConnectionId from, RequestId request, Drop& m);
  void on(ConnectionId from, RequestId request, ConfirmTerm& m);
  void on(ConnectionId from, RequestId request, Metadata& m);
  void on(ConnectionId from, RequestId request, Copy& m);
  void on(ConnectionId from, RequestId request, FetchRun& m);
  void on(ConnectionId from, RequestId request, Taken& m);
  void on(ConnectionId from, RequestId request, GiveUp& m);

  void sealed(ConnectionId from, RequestId request, const Seal& m);
  void refuse_number(ConnectionId from, RequestId request, std::string_view what,
                     const std::string& why);
  void adopt_cluster(ClusterId cluster, const std::string& name);
  void keep_newest(ConnectionId newest);
  void close(ConnectionId c, Error why);
  void forget(ConnectionId c);
  void refuse_leader(ConnectionId from, Errc code, const std::string& why);
  void tell_older_copy(ConnectionId from, RequestId request, const Seal& m);
  void refuse_older(ConnectionId from, const std::string& why);
  void save_identity();
  bool stale(ConnectionId from, RequestId request, const LogCore& s, RaftIndex version);

  Node node_;
  NodeIdentity identity_;
  ClusterCopy cluster_;
  LogTable logs_;
  Sessions sessions_;
  ClientRequests clients_;
  /// Commands of a promised term whose promise is not durable yet (T3).
  std::vector<Arrived> waiting_;
  PeerReach reach_;
  SpaceReport space_;
  /// When an orderly stop ends at the latest; never: the node is not stopping.
  Time stop_by_ = never;
};

}  // namespace loglog::storage

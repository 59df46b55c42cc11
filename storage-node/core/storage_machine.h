// The storage node: dispatches messages, keeps sessions, promises, identity and metadata; each log
// is a LogReplica. One thread; time comes with each call; the driver performs output() after each
// call and clears it.
#pragma once
#include <expected>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "storage-node/core/log_replica.h"
#include "storage-node/core/peer_reach.h"
#include "storage-node/core/startup_disk.h"
#include "storage-node/core/tombstone_list.h"

namespace loglog::storage {

class StorageMachine {
 public:
  StorageMachine(Options options, std::uint64_t seed);
  ~StorageMachine();
  StorageMachine(const StorageMachine&) = delete;
  StorageMachine& operator=(const StorageMachine&) = delete;

  /// K1–K3: reads what is on disk. Fails with wrong_identity, newer_format or what the disk answers
  /// (K7); DATA LOSS (T4) is no failure: the node then serves reads and refuses the rest.
  Result<void> start(Time now, StartupDisk& disk);

  void connected(Time now, const Connected& c);
  void connect_failed(Time now, const ConnectFailed& c);
  void disconnected(Time now, const Disconnected& d);
  void arrived(Time now, Arrived&& a);
  /// Less is queued to the connection than before: readers that were held go on.
  void written(Time now, const Written& w);
  void disk_done(Time now, DiskDone&& d);
  void tick(Time now);
  /// The log's OpenSegment met a full disk, and waits in the driver.
  void opening_waits(Time now, LogId log);
  /// The driver has looked at the disk again: the leader and monitors are told.
  void disk_space(DiskSpace s);
  /// The node is to stop: from now on it takes nothing from anybody. What it has been ordered and
  /// holds it writes, and says so; then the marks, so that the next start finds them up to date
  /// (K3). For at most Options::stop_max.
  void begin_stop(Time now);
  /// After begin_stop(): nothing of that is left, or the time is up. Asked after output().
  bool may_stop() const;
  Output& output() { return node_.out; }
  const Output& pending() const { return node_.out; }

  Hello hello() const;
  const Identity& identity() const { return node_.identity; }
  /// A fresh identity is durable: from then on the node may be shown to others.
  bool ready() const { return identity_durable_; }
  bool data_loss() const { return node_.data_loss; }
  /// Whether it serves its role: the leader that has sealed it was heard lately, and every log here
  /// is matched in its leader's term. A sentence that says it, or why not. That a sequencer leads
  /// no longer, only another one's seal tells: ask sequencers for that.
  std::expected<std::string, std::string> readiness(Time now) const;
  /// For monitors.
  Report report() const;
  /// Null: not on this node. For status and tests.
  const LogCore* log(LogId id) const;

 private:
  struct Session {
    Hello peer;
    Time heard{};
    std::set<LogId> users;     // logs that know this connection: readers, observers
    std::size_t observed = 0;  // producers
  };
  enum class Admission { yes, wait, refused };

  Result<void> find_identity(StartupDisk& disk);
  Result<void> find_metadata(StartupDisk& disk);
  Result<void> find_tombstones(StartupDisk& disk);
  void make_identity();
  Result<void> find_logs(StartupDisk& disk);
  Result<void> find_log(StartupDisk& disk, LogId id, const LogInfo* in_metadata);
  void begin(Time now) { node_.now = now; }
  void end();

  void dispatch(ConnectionId from, RequestId request, Message&& m);
  Admission admit(ConnectionId from, RequestId request, LogId log, Term term);
  LogReplica* member(ConnectionId from, RequestId request, LogId log);
  LogReplica* readable(ConnectionId from, RequestId request, LogId log, Offset offset);
  LogReplica* make_unasked(LogId log);
  LogReplica* find(LogId log);
  template <class M>
  LogReplica* admitted(ConnectionId from, RequestId request, M& m);
  void resume_waiting();
  void resume_readers();
  void give_back_dropped();

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
  void on(ConnectionId from, RequestId request, GetMetadata& m);
  void on(ConnectionId from, RequestId request, Upload& m);
  void on(ConnectionId from, RequestId request, Read& m);
  void on(ConnectionId from, RequestId request, GetSegments& m);
  void on(ConnectionId from, RequestId request, Follow& m);
  void on(ConnectionId from, RequestId request, Credit& m);
  void on(ConnectionId from, RequestId request, ReportCorrupt& m);
  void on(ConnectionId from, RequestId request, Observe& m);
  void on(ConnectionId from, RequestId request, Copy& m);
  void on(ConnectionId from, RequestId request, FetchRun& m);
  void on(ConnectionId from, RequestId request, Taken& m);
  void on(ConnectionId from, RequestId request, GiveUp& m);

  void sealed(ConnectionId from, RequestId request, const Seal& m);
  std::string implausible(Term term, Term promised, RaftIndex version) const;
  void refuse_number(ConnectionId from, RequestId request, std::string_view what,
                     const std::string& why);
  void adopt_cluster(ClusterId cluster, const std::string& name);
  void keep_newest(ConnectionId newest);
  std::vector<LogBytes> next_log_bytes();
  void refuse_twin(ConnectionId second);
  void forget(ConnectionId c);
  void refuse_cluster(ConnectionId from, ClusterId theirs);
  std::optional<std::string> goes_back(const ClusterMetadata& m) const;
  bool is_another_log(const LogInfo& named) const;
  bool is_older_copy() const;
  void tell_older_copy(ConnectionId from, RequestId request, const Seal& m);
  void refuse_older(ConnectionId from, const std::string& why);
  void heed_loss();
  void save_identity();
  void save_metadata();
  bool stale(ConnectionId from, RequestId request, const LogCore& s, RaftIndex version);

  Node node_;
  PromiseKeeper promise_;
  TombstoneList tombstones_;
  BootId boot_;
  bool identity_durable_ = false;
  bool start_counted_ = false;  // T4: the promise was written for this process
  std::map<LogId, std::unique_ptr<LogReplica>> logs_;
  std::set<LogId>
      leaving_;  // dropped, their folders gone: given back once nothing works on them any more
  std::map<ConnectionId, Session> sessions_;
  std::vector<Arrived> waiting_;  // commands of a term whose promise is not durable yet (T3)
  ConnectionId leader_{};
  Time leader_heard_{};  // anything at all from there
  RaftIndex seal_version_{};
  Time older_said_at_ = never;  // of a leader whose metadata has gone back
  PeerReach reach_;
  Time report_at_{};
  LogId log_bytes_told_{};  // the last log in the last report
  DiskSpace disk_space_;
  Time alarm_after_{};
  Time twin_alarm_after_{};
  Time stop_by_ = never;  // never: it does not stop
};

}  // namespace loglog::storage

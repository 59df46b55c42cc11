// The sequencer's state machine: Raft for the cluster's metadata and, while it leads, the terms of
// all logs. Sans-IO and deterministic: the driver brings time, connections, messages and finished
// saves, then performs output(). Single-threaded; not movable. Drivers: io/uv_sequencer_driver.h
// and the simulator.
//
//   sequencer_machine.cpp  public calls: connections, messages, time, output
//   machine_raft.cpp       Raft's output, applying commands, winning and losing the lead
//   machine_nodes.cpp      storage nodes: identity, seal (T1-T5), making and dropping logs
//   machine_yield.cpp      handing over to a sequencer that reaches more (S8), or before a stop
//   machine_logs.cpp       log terms: starting them (S8), background recovery
//   machine_clients.cpp    requests of clients
//   machine_status.cpp     answers about status and metadata
//   machine_overview.cpp   the message that a status page shows
#pragma once
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/vocabulary/random.h"
#include "sequencer/core/cluster/hand_over.h"
#include "sequencer/core/cluster/log_table.h"
#include "sequencer/core/cluster/log_tasks.h"
#include "sequencer/core/cluster/peers.h"
#include "sequencer/core/cluster/proposals.h"
#include "sequencer/core/cluster/reach_reports.h"
#include "sequencer/core/cluster/storage_nodes.h"
#include "sequencer/core/cluster_clock.h"
#include "sequencer/core/cluster_picture.h"
#include "sequencer/core/confirmations.h"
#include "sequencer/core/copy_queue.h"
#include "sequencer/core/dropped_runs.h"
#include "sequencer/core/log/log_term.h"
#include "sequencer/core/metadata.h"
#include "sequencer/core/output.h"
#include "sequencer/core/raft/raft.h"
#include "sequencer/core/repeated_warnings.h"
#include "sequencer/core/writers.h"

namespace loglog::sequencer {

/// Calls come in any order after start(); output() ends each step.
class SequencerMachine final : private LogHost {
 public:
  /// `disk`: the state found at the start. `seed`: for ids and jitter; it must differ at every
  /// start.
  SequencerMachine(Options options, const RaftDisk& disk, std::uint64_t seed);
  SequencerMachine(const SequencerMachine&) = delete;
  SequencerMachine& operator=(const SequencerMachine&) = delete;

  /// Call once, before everything else. `wall_ms`: Unix time in milliseconds; only retention (R5)
  /// and the clocks in term and segment starts (R4) read it.
  void start(Time now, std::uint64_t wall_ms);
  /// A connection stands: it may be refused, by Output::closes.
  void connected(Time now, const Connected& c);
  void disconnected(Time now, const Disconnected& d);
  /// A message of a connection that was connected and has not been disconnected.
  void arrived(Time now, Arrived&& a);
  /// A save is durable; in the order of Output::saves.
  void save_done(Time now, SaveDone d);
  /// The own disk gives no more space and half of its reserve is used (`low`), or that is over.
  void space_is_low(Time now, bool low);
  /// Moves time on; to be called at Output::wake at the latest.
  void tick(Time now, std::uint64_t wall_ms);
  /// This sequencer is to stop (spec/04, "Handing over at a stop"). It stands for no election any
  /// more. A leader takes no new commit and answers its ordered runs. Then it asks a sequencer to
  /// take over that has the whole Raft log and reaches the most logs. All of it takes at most
  /// Options::resigning.
  void resign(Time now);
  /// After resign(): true if another sequencer leads, or if nothing can be handed over. Call it
  /// after output().
  bool may_stop() const;
  /// Finishes the step: the orders of all logs that were touched go out, a message for each
  /// replica. The driver performs the result and then clears it.
  Output& output();
  /// What has gathered since the last output(). Unlike output() it finishes no step, so commits
  /// that arrive one after the other in one turn still go out in one Order.
  const Output& pending() const { return out_; }

  /// The hello that this sequencer says on a new connection.
  Hello hello() const;
  const ClusterMetadata& metadata() const { return metadata_.state(); }
  RaftRole role() const { return raft_.role(); }
  raft::Standing standing() const { return raft_.standing(); }
  /// The term that this sequencer leads in; 0: it does not lead, or its term is not committed yet.
  Term leading_term() const { return reign_.term; }
  /// True in effect (a value) if it serves its role: it leads and its term is begun, or it knows
  /// the leader. Value and error are sentences for people.
  std::expected<std::string, std::string> readiness() const;
  /// For monitors.
  Report report(Time now) const;
  SequencerId leader() const { return raft_.leader(); }
  /// Its view of the cluster at the newest time that it was told, with at most `logs_max` logs, the
  /// logs in trouble first. Only the leader of a term sees the condition of nodes and logs. Another
  /// sequencer tells nodes that it reaches from nodes that it does not, and of logs it knows only
  /// the metadata.
  Overview overview(std::size_t logs_max) const;

 private:
  // A connection whose hello was accepted.
  struct Connection {
    Role role{};
    std::uint32_t id = 0;  // node or sequencer
    ClusterId cluster{};
    std::string from;  // IP address
    // V1: it may commit also while its address is suspect, because a run that came over it was
    // committed, or because it had its turn.
    bool may_commit = false;
    bool has_committed = false;  // it has asked for a commit
    unsigned dropped_runs = 0;   // V1: runs that came over it and had to be dropped
    std::uint32_t requests = 0;  // ids given on this connection
    // For people; of clients:
    std::string endpoint, name, version;
  };
  // The time in which this sequencer leads.
  struct Reign {
    Term term{};                     // 0: it does not lead, or its term is not committed yet
    RaftTerm raft_term{};            // in which the term was committed
    InstanceId instance{};           // names the reign in its commands (T1)
    bool new_term_proposed = false;  // a BeginTerm for all logs is proposed
  };

  // LogHost
  bool ready(NodeId id) const override { return nodes_.ready(id); }
  RequestId to_node(NodeId, Message) override;
  void to_client(const Client&, Message) override;
  bool connected(ConnectionId c) const override { return connections_.contains(c); }
  void event(Event::Level, std::string) override;
  void warn(LogId, NodeId, std::string_view kind, std::string) override;
  void opened(LogId log) override { logs_.opened(log); }
  void begin_term(LogId, Term floor) override;
  void run_dropped(ConnectionId) override;
  void trim(LogId, Offset) override;
  DiskId disk_of(NodeId id) const override { return metadata_.disk_of(id); }
  bool has_space(NodeId n, LogId l) const override { return nodes_.has_space(n, l); }
  bool begin_copy(LogId, NodeId, bool urgent) override;
  void end_copy(LogId, NodeId) override;
  bool has_lost(NodeId) const override;
  void lost(NodeId) override;
  void join(LogId, NodeId) override;
  void set_members(LogId, std::vector<Member>) override;
  RaftIndex metadata_version() const override { return metadata_.version(); }
  InstanceId instance() const override { return reign_.instance; }
  std::uint64_t wall_ms() const override { return clock_.stamp(now_); }
  std::optional<std::uint64_t> age_by() const override { return clock_.age_by(now_); }
  Figures& figures() override { return figures_; }
  void written(LogId, ProducerId, ConnectionId, const Reference&) override;
  std::uint64_t disk_bytes(NodeId n, LogId l) const override { return nodes_.disk_bytes(n, l); }

  // machine_raft.cpp
  Bytes first_entry();
  void drain_raft();
  // Only in the mutation build: tests/simulator/mutants
  void admit_in_term(const AdmitDisk& d);
  void tell_standing();
  std::string waits_for_answers() const;
  void apply(const RaftEntry& e);
  bool is_mine(InstanceId instance, RaftTerm proposed_in, RaftTerm raft_term) const;
  void not_understood(const std::string& what);
  void applied(const Command& c, const Applied& result, RaftTerm raft_term);
  void answer_proposal(RaftIndex index, RaftTerm raft_term, const Applied& result);
  bool propose(Command c, std::optional<Client> client = {});
  void lead(Term term);
  void tell_clients();
  void stop_leading();
  void clear_logs(Errc why);
  void snapshot_when_due();

  void sequencer_connected(const Connected& c);

  // machine_nodes.cpp
  void node_connected(const Connected& c);
  void check_node(NodeId id);
  void refuse_lost(NodeId id);
  void push_metadata(NodeId id, StorageNode& n);
  Duration push_pause() const;
  void push_metadata_to_all();
  void seal_node(NodeId id, StorageNode& n);
  bool is_older_copy(NodeId id, const StorageNode& n, const Sealed& m) const;
  void node_sealed(NodeId id, StorageNode& n, const Sealed& m);
  void from_node(NodeId id, RequestId request, Message& m);
  void node_failed(NodeId id, const Failed& m);
  void disbelieve(NodeId id, StorageNode& n, const std::string& why);
  void join_members(LogId log);
  void drop_members(LogId log);
  void joined(NodeId from, LogId log);
  void dropped(NodeId from, LogId log);
  void expire_tasks();
  void tell(const std::vector<Client>& clients, const Message& m);

  // machine_yield.cpp
  void tick_reach();
  void yield_when_better(const std::vector<NodeId>& own);
  void hand_over_when_due();
  bool owes_answers() const;
  bool resigned() const { return hand_over_.resigned(); }

  // machine_overview.cpp
  SequencerSeen see(const SequencerInfo& info) const;
  LogSeen see(const LogInfo& info) const;
  int trouble(const LogTerm* t) const;
  struct Ranked {
    int trouble;
    std::size_t spare;  // replicas that may fail while all are there
    const LogInfo* log;
    std::tuple<int, std::size_t, LogId> order() const {
      return {-trouble, spare, log->id};
    }  // the worst first
  };
  std::vector<Ranked> rank_logs() const;
  ClusterPicture picture() const;
  ClientsSeen clients_seen() const;

  // machine_logs.cpp
  LogTerm* need(LogId log, bool background = false);
  void new_log_term(LogId log, Term term, bool own_seal, bool background);
  void flush_logs();
  void tick_logs();
  void recover_in_background();
  void begin_copies();
  bool can_be_sealed(const Member& m) const;
  void forget_log(LogId log, Errc why);

  // machine_clients.cpp
  void from_client(const Client& c, Message& m);
  void on(const Client& c, const Commit& m) { commit(c, m, {}); }
  void on(const Client& c, const CommitIf& m);
  void commit(const Client& c, const Commit& m, const Conditions& conditions);
  bool admits_commit(ConnectionId c);
  void on(const Client& c, const Cancel& m);
  void on(const Client& c, const OpenLog& m);
  void on(const Client& c, const GetTermSet& m);
  void on(const Client& c, const GetTail& m);
  void on(const Client& c, const CreateLog& m);
  void answer_creation(const Client& c, const CreateLog& m, const LogInfo& there);
  void on(const Client& c, const DeleteLog& m);
  void on(const Client& c, const TrimLog& m);
  void on(const Client& c, const SetFence& m);
  void on(const Client& c, const SetRetention& m);
  void on(const Client& c, const ReplaceDisk& m);
  std::string log_that_needs_disk(NodeId node) const;
  void on(const Client& c, const ClientIs& m);
  void on(const Client& c, const GetMetadata& m);
  void on(const Client& c, const GetStatus& m);
  void on(const Client& c, const GetOverview& m);
  std::vector<Member> choose_members(std::size_t n);
  bool leads_or_refuses(const Client& c);
  LogTerm* open_term(const Client& c, LogId log, Message request);
  void answer_when_confirmed(const Client& c, Message request, Message answer);
  void answer_confirmed();
  Failed not_leader() const;
  SequencerId known_leader() const;
  loglog::Metadata nodes_and_leader() const;

  Options options_;
  Random random_;
  BootId boot_{};
  Time now_{};
  ClusterClock clock_;
  Output out_;
  Figures figures_;
  MetadataState metadata_;
  RaftIndex snapshot_at_{};
  Reign reign_;  // declared before raft_, whose first entry names its instance
  raft::Raft raft_;
  ReachReports reach_;
  HandOver hand_over_;
  std::optional<raft::Standing> standing_told_;

  std::map<ConnectionId, Connection> connections_;
  DroppedRuns dropped_runs_;
  Peers peers_;
  StorageNodes nodes_;

  // While leading:
  Proposals proposals_;
  Confirmations confirmations_{questions_waiting_max};
  LogTable logs_;
  CopyQueue copies_;
  Writers writers_;
  LogTasks tasks_;
  RepeatedWarnings warnings_;
};

}  // namespace loglog::sequencer

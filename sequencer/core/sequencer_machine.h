// The sequencer's state machine: Raft for the cluster's metadata and, while it leads, the terms of
// all logs. Sans-IO and deterministic: the driver brings time, connections, messages and finished
// saves, then performs output(). Single-threaded; not movable. Drivers: io/uv_sequencer_driver.h
// and the simulator.
//
//   sequencer_machine.cpp  public calls: connections, messages, time, output
//   machine_raft.cpp       Raft's output, applying commands, winning and losing the lead
//   machine_yield.cpp      handing over to a sequencer that reaches more (S8), or before a stop
//
// Its parts: SequencerState (shared), LeaderLogs (terms of logs), LogMaking (T5), LeaderNodes
// (storage nodes), StatusView, ClientRequests. A part calls only the parts named before it.
#pragma once
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "sequencer/core/client_requests.h"
#include "sequencer/core/cluster/leader_logs.h"
#include "sequencer/core/cluster/leader_nodes.h"
#include "sequencer/core/cluster/log_making.h"
#include "sequencer/core/sequencer_state.h"
#include "sequencer/core/status_view.h"

namespace loglog::sequencer {

/// Calls come in any order after start(); output() ends each step.
class SequencerMachine {
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
  void dial_failed(Time now, const DialFailed& f);
  /// A message of a connection that was connected and has not been disconnected.
  void arrived(Time now, Arrived&& a);
  /// A save is durable; in the order of Output::saves.
  void save_done(Time now, SaveDone d);
  /// `low`: the own disk gives no more space, and half of its reserve is used. Otherwise the disk
  /// has space again.
  void space_is_low(Time now, bool low);
  /// Moves time on; to be called at Output::wake at the latest.
  void tick(Time now, std::uint64_t wall_ms);
  /// This sequencer is to stop (spec/04, "Handing over at a stop"). It stands for no election any
  /// more. A leader takes no new commit and answers its ordered runs. Then it asks a sequencer to
  /// take over that has the whole Raft log and reaches the most logs. All of it takes at most
  /// Options::resigning.in_all_max.
  void resign(Time now);
  /// After resign(): true if another sequencer leads, or if nothing can be handed over. Call it
  /// after output().
  bool may_stop() const;
  /// Finishes the step: the orders of all logs that were touched go out, a message for each
  /// replica. The driver performs the result and then clears it.
  Output& output();
  /// What has gathered since the last output(). Unlike output() it finishes no step, so commits
  /// that arrive one after the other in one turn still go out in one Order.
  const Output& pending() const { return state_.out; }

  /// The hello that this sequencer says on a new connection.
  Hello hello() const;
  const ClusterMetadata& metadata() const { return state_.metadata.state(); }
  RaftRole role() const { return state_.raft.role(); }
  raft::VoteRight vote_right() const { return state_.raft.vote_right(); }
  /// The term that this sequencer leads in; 0: it does not lead, or its term is not committed yet.
  Term leading_term() const { return state_.reign.term; }
  /// A value if it serves its role: it leads and its term is begun, or it knows the leader.
  /// Otherwise an error. Both are sentences for people.
  std::expected<std::string, std::string> readiness() const { return view_.readiness(); }
  /// For monitors.
  Report report(Time now) const { return view_.report(now); }
  SequencerId leader() const { return state_.raft.leader(); }
  /// Its view of the cluster at the newest time that it was told, with at most `logs_max` logs. If
  /// the cluster has more, the logs in trouble are chosen first. Only the leader of a term sees the
  /// condition of nodes and logs. Another sequencer tells nodes that it reaches from nodes that it
  /// does not, and of logs it knows only the metadata.
  Overview overview(std::size_t logs_max) const { return view_.overview(logs_max); }

 private:
  // sequencer_machine.cpp
  void sequencer_connected(const Connected& c);
  void closed(ConnectionId c);
  void dial_again(std::uint32_t number, const Error& why);
  void answer_opened();
  void flush_logs();

  // machine_raft.cpp
  void drain_raft();
  // Only in the mutation build: tests/simulator/mutants
  void admit_in_term(const AdmitDisk& d);
  void tell_vote_right();
  void apply(const RaftEntry& e);
  bool is_mine(InstanceId instance, RaftTerm proposed_in, RaftTerm raft_term) const;
  void not_understood(const std::string& what);
  void applied(const Command& c, const Applied& result, RaftTerm raft_term);
  void answer_proposal(RaftIndex index, RaftTerm raft_term, const Applied& result);
  void lead(Term term);
  void tell_clients();
  void stop_leading();
  void snapshot_when_due();

  // machine_yield.cpp
  void tick_reach();
  void yield_when_better(const std::vector<NodeId>& own);
  void hand_over_when_due();
  bool owes_answers() const;

  SequencerState state_;
  LeaderLogs logs_{state_};
  LogMaking making_{state_, logs_};
  LeaderNodes nodes_{state_, logs_, making_};
  StatusView view_{state_, logs_};
  ClientRequests clients_{state_, logs_, making_, view_};
  RaftIndex snapshot_at_{};
  std::optional<raft::VoteRight> vote_right_told_;
};

}  // namespace loglog::sequencer

// A log in a term of this leader: seal quorum, base, reconciliation, term start, orders, commits
// and late replicas (spec/04 S2-S8, spec/05 D1-D5 and F1-F2, spec/07 A1-A2, spec/06 R2 and R5). An
// object lives from the moment the log is first needed in the term until the term ends.
// SequencerMachine owns it and is its LogHost. It reads no clock, sends nothing itself, and knows
// no Raft.
//
// Single-threaded, sans-IO; its effects go through LogHost at once. Offsets on a ruler: first <=
// committed <= durable (the W-th largest) <= end of the order stream.
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sequencer/core/figures.h"
#include "sequencer/core/log/commit_point.h"
#include "sequencer/core/log/log_host.h"
#include "sequencer/core/log/log_retention.h"
#include "sequencer/core/log/missing_runs.h"
#include "sequencer/core/log/order_stream.h"
#include "sequencer/core/log/ordering.h"
#include "sequencer/core/log/producer_table.h"
#include "sequencer/core/log/replica_set.h"
#include "sequencer/core/log/tail_rounds.h"
#include "sequencer/core/log/term_history.h"
#include "sequencer/core/log/waiting_answer.h"
#include "sequencer/core/output.h"

namespace loglog::sequencer {

/// See the top of the file. `options` and `host` must outlive it.
class LogTerm {
 public:
  /// sealing: gathering states (S1-S3). recovering: the base is known, replicas are reconciled (S4,
  /// S5). opening: the term start is ordered. open: it is committed, so commits are taken (S7).
  /// halted: the replicas contradict each other.
  enum class Phase : std::uint8_t { sealing, recovering, opening, open, halted };

  /// `own_seal`: this term was begun for the log alone, so its nodes must be sealed for it.
  /// `wanted`: see want().
  LogTerm(const Options& options, LogHost& host, LogInfo info, Term term, bool own_seal,
          bool wanted);

  /// S8: bases of the terms before that gave no peer any bytes. Call before start().
  void pass_over(std::set<NodeId> bases) { passed_over_ = std::move(bases); }
  /// S8: bases that the next term has to pass over if this term ends now.
  std::set<NodeId> passed_over() const;
  /// Asks the nodes that are ready for their states.
  void start(Time now);
  /// Somebody asks for the log. A log that nobody asks for, and of which all is known as committed,
  /// rests once its members are matched (S7). It can be read; its term start is ordered when it is
  /// wanted.
  void want(Time now);
  /// LogHost::ready() has become true for the node.
  void node_ready(Time now, NodeId node);
  /// The node's connection is gone.
  void node_gone(Time now, NodeId node);
  /// T4: another log, or the node's promise, showed that the node's disk has lost bytes.
  void node_lost(Time now, NodeId node);
  /// T5: the node has made the log.
  void joined(Time now, NodeId node);
  /// P4: the log's turn to be copied to the node has come.
  void copy_now(Time now, NodeId node);

  // From storage nodes. `request`: the id of the request that the message answers; 0: none. A
  // message that names another term is ignored.
  void on(Time now, NodeId from, RequestId request, const Sealed& m);
  void on(Time now, NodeId from, RequestId request, const StateIs& m);
  void on(Time now, NodeId from, RequestId request, const Reconciled& m);
  void on(Time now, NodeId from, RequestId request, const Reconciling& m);
  void on(Time now, NodeId from, RequestId request, const Durable& m);
  void on(Time now, NodeId from, RequestId request, const Missing& m);
  void on(Time now, NodeId from, RequestId request, const TermConfirmed& m);
  void on(Time now, NodeId from, RequestId request, const Fenced& m);
  void on(Time now, NodeId from, RequestId request, const NotMember& m);
  void on(Time now, NodeId from, RequestId request, const SegmentsAre& m);
  void on(Time now, NodeId from, RequestId request, const Page& m);

  // From clients. The host sends each answer, now or later.
  void commit(Time now, Client client, const Commit& c, const Conditions& conditions = {});
  /// Applied metadata: the log may have another fencing token (F2), retention (R5) or members (C1).
  void changed(Time now, const LogInfo& info);
  /// F2: answers FenceIs once all that was ordered so far is committed. Call only while the log is
  /// open.
  void tell_fence(Client client);
  /// The producer will not upload these runs again (spec/07, "Cancel").
  void cancel(Time now, const Cancel& c);
  /// R2: answers a linearizable tail.
  void tail(Time now, Client client);

  /// R3: the committed trim point has moved.
  void trimmed(Offset trim);
  /// Sends everything that gathered in this step: orders, committed offsets, R2 rounds. The machine
  /// calls it once at the end of a step.
  void flush(Time now);
  /// Handles deadlines; to be called at wake() at the latest.
  void tick(Time now);
  Time wake() const;
  /// The term ends here: waiting tail requests are answered with `why`. Ordered runs get no answer
  /// (A6).
  void stop(Errc why);

  Phase phase() const { return phase_; }
  bool is_open() const { return phase_ == Phase::open; }
  /// S7: nobody has asked for the log in this term, so it has no term start.
  bool rests() const { return resting_; }
  /// A request for the log can be served without waiting for its members.
  bool serves() const { return is_open() || rests(); }
  /// Some replica reported a run missing, so the log needs ticks about its producer.
  bool has_missing() const { return missing_.any(); }
  /// A producer waits for the answer to an ordered run.
  bool owes_answers() const { return commits_.owes_answers(); }
  bool halted() const { return phase_ == Phase::halted; }
  /// The answer to a client while the log is halted: the log's name and the contradiction.
  Failed halted_answer() const { return {Errc::log_halted, info_.name + ": " + halted_because_}; }
  /// The node has lost bytes of the log or found damage in it.
  bool doubts(NodeId node) const;
  /// Every replica takes uploads and orders, and none of them is far behind. For status only.
  bool is_well(Time now) const;
  /// Enough replicas take uploads and orders for an append to be acknowledged. For status only.
  bool takes_appends() const;
  Term term() const { return term_; }
  Offset committed() const { return commits_.committed(); }
  /// Offset at which the log begins for readers: the trim point in force. The first files of
  /// replicas may begin before it (R1, R3).
  Offset begins() const { return std::max(first_, std::min(info_.trim, known_committed())); }
  /// The committed offset as far as it is known. Before the term start only a log at rest knows it,
  /// from the words of all its members.
  Offset known_committed() const { return resting_ ? ordering_.end() : committed(); }
  const LogInfo& info() const { return info_; }
  /// V2: the disks that count in this term.
  TermSetIs term_set() const;
  TermIs term_is() const {
    return {info_.id, term_, ordering_.term_start(), ordering_.term_start_end()};
  }
  LogStatus status() const;
  LogSeen seen(Time now) const;
  /// For monitors.
  LogReport report(Time now) const;

 private:
  // log_recovery.cpp
  void ask(Time now, Replica& r);
  void ask_again(Time now, Replica& r);
  void pause(Time now, Replica& r);
  void moved_to(Time now, Replica& r, Offset tail);
  void take_state(Time now, Replica& r, const StateIs& m);
  void choose_base(Time now);
  Replica* best_answer(const std::set<NodeId>& passed_over);
  bool awaits_other_answers(Time now) const;
  bool base_gives_nothing() const;
  bool contradicted(const Replica& base);
  void repair(Time now, Replica& r);
  void repair_all(Time now);
  bool front_is_whole(const StateIs& s) const;
  Offset first_of_whole(const StateIs& base) const;
  bool may_mend_front(const Replica& r) const;
  void mend_fronts(Time now);
  bool pick_target(Replica& r, Offset cut, Reconcile& out);
  bool is_far_behind(const Replica& r) const;
  bool copies(Replica& r, const Reconcile& m);
  Offset shown(const Replica& r) const;
  bool ask_where_peers_begin();
  std::vector<NodeId> holders(Offset o, NodeId except) const;
  void take_in_newcomers();
  void members_changed(Time now, const std::vector<Member>& members);
  TermHistory history() const;
  void begin_or_rest(Time now);
  void order_term_start(Time now);
  void halt(const std::string& why);
  void lose(Replica& r, const std::string& why, Time now);
  bool note_chain(NodeId from, Offset o, Chain c);
  bool quorums_reachable() const;
  bool stuck(Time now) const;
  void new_term(Term floor);
  void give_up(const WaitingAnswer& w, Errc why, const std::string& detail = {});
  // log_commit.cpp
  void note_segment(const std::optional<NewSegment>& s);
  void advance_commit(Time now);
  ReplicaState state_of(const Replica& r) const;
  ReplicaSeen seen(const Replica& r, Time now) const;
  Offset durable(const Replica& r) const {
    return resting_ && r.streams() ? ordering_.end() : r.durable;
  }
  void answer_tails();
  void check_missing(Time now);
  LogExtent extent() const;
  bool retains_all() const {
    return retention_.retains_all(first_, ordering_.last_segment(), ordering_.end());
  }
  void retain(Time now);
  // Only in the mutation build: tests/simulator/mutants.
  void choose_again(Time now);
  void admit_in_term(Time now, Replica& r, Member member);
  void place_again(Offset at);

  const Options& options_;
  LogHost& host_;
  LogInfo info_;
  Term term_;
  bool own_seal_;
  Phase phase_ = Phase::sealing;
  std::string halted_because_;
  Time phase_since_{};
  bool new_term_asked_ = false;
  ReplicaSet replicas_;
  std::vector<Member> members_asked_;  // C1: the members that were asked for last
  // Known from the choice of the base on (S3):
  NodeId base_{};
  std::set<NodeId> passed_over_;  // S8: not to be the base if a seal quorum exists without them
  TermHistory base_history_;
  Chain base_chain_{};
  bool wanted_;
  bool resting_ = false;
  Offset first_{};  // where the base begins
  Ordering ordering_;
  ChainRecord chains_;
  CommitPoint commits_;
  MissingRuns missing_;
  TailRounds tails_;
  LogRetention retention_;
};

}  // namespace loglog::sequencer

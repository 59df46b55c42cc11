// A log in a term of this leader: its phases, and the way of each message to the part that decides
// about it. SequencerMachine owns an object from the moment the log is first needed in the term
// until the term ends, and is its LogHost. It reads no clock and knows no Raft.
//
//   replica_set    the replicas and their phases
//   recovery       seal, base, repair, rest and begin (spec/04); base_choice and repair are its own
//   ordering       offsets, segments, orders and watermarks (spec/05 D1-D5)
//   commit_point   commits, the committed offset, answers that wait (S6, A1, A2, F1, F2)
//   missing_runs   runs that nobody uploads (V1)
//   tail_rounds    confirmations of the term (R2)
//   log_retention  trims by bytes and by age (R5)
//   log_view       the picture for people
//
// Single-threaded, sans-IO; effects go through LogHost at once. Offsets on a ruler: first <=
// committed <= durable (the W-th largest) <= end of the order stream.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"
#include "sequencer/core/log/commit_point.h"
#include "sequencer/core/log/log_host.h"
#include "sequencer/core/log/log_retention.h"
#include "sequencer/core/log/log_view.h"
#include "sequencer/core/log/missing_runs.h"
#include "sequencer/core/log/ordering.h"
#include "sequencer/core/log/recovery.h"
#include "sequencer/core/log/replica_set.h"
#include "sequencer/core/log/tail_rounds.h"
#include "sequencer/core/log/waiting_answer.h"

namespace loglog::sequencer {

/// See the top of the file. `options` and `host` must outlive it. Not copyable, because its parts
/// know each other.
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
  void pass_over(std::set<NodeId> bases) { recovery_.pass_over(std::move(bases)); }
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

  Phase phase() const;
  bool is_open() const { return phase() == Phase::open; }
  /// S7: nobody has asked for the log in this term, so it has no term start.
  bool rests() const { return recovery_.rests(); }
  /// A request for the log can be served without waiting for its members.
  bool serves() const { return is_open() || rests(); }
  /// Some replica reported a run missing, so the log needs ticks about its producer.
  bool has_missing() const { return missing_.any(); }
  /// A producer waits for the answer to an ordered run.
  bool owes_answers() const { return commits_.owes_answers(); }
  bool halted() const { return halted_because_.has_value(); }
  /// The answer to a client while the log is halted: the log's name and the contradiction.
  Failed halted_answer() const;
  Term term() const { return term_; }
  Offset committed() const { return commits_.committed(); }
  /// Offset at which the log begins for readers: the trim point in force. The first files of
  /// replicas may begin before it (R1, R3).
  Offset begins() const {
    return std::max(recovery_.first(), std::min(info_.trim, known_committed()));
  }
  /// The committed offset as far as it is known. Before the term start only a log at rest knows it,
  /// from the words of all its members.
  Offset known_committed() const { return rests() ? ordering_.end() : committed(); }
  /// V2: the disks that count in this term.
  TermSetIs term_set() const;
  TermIs term_is() const {
    return {info_.id, term_, ordering_.term_start(), ordering_.term_start_end()};
  }
  /// For people.
  LogView view() const;

 private:
  Replica* find(NodeId from, Term term);
  void halt_if(const Contradiction& why);
  void new_term(Term floor);
  void begin_or_rest(Time now);
  void replica_moved(Time now);
  void advance_commit(Time now);
  void answer_tails();
  void give_up(const WaitingAnswer& w, Errc why, const std::string& detail = {});
  void check_missing(Time now);
  void note_segment(const std::optional<NewSegment>& s);
  LogExtent extent() const;
  bool retains_all() const;
  void retain(Time now);
  // Only in the mutation build: tests/simulator/mutants.
  void place_again(Offset at);

  LogHost& host_;
  LogInfo info_;
  Term term_;
  bool is_open_ = false;  // the term start was committed
  std::optional<std::string> halted_because_;
  bool new_term_asked_ = false;
  ReplicaSet replicas_;
  Ordering ordering_;
  CommitPoint commits_;
  Recovery recovery_;
  MissingRuns missing_;
  TailRounds tails_;
  LogRetention retention_;
};

}  // namespace loglog::sequencer

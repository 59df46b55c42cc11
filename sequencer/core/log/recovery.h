// Recovery of a log in a term (spec/04), and replicas that come late by the same path: their seal
// and state (S1), the base (S2, S3), the way into the stream (S4, S5, by Repair), rest and begin
// (S7), and when a new term could do better (S8). Owned by LogTerm, which halts the log for a
// reason that is returned here, orders the term start, and begins new terms.
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"
#include "sequencer/core/log/base_choice.h"
#include "sequencer/core/log/commit_point.h"
#include "sequencer/core/log/log_host.h"
#include "sequencer/core/log/ordering.h"
#include "sequencer/core/log/repair.h"
#include "sequencer/core/log/replica_set.h"

namespace loglog::sequencer {

/// See the top of the file. All references given to the constructor must outlive it.
class Recovery {
 public:
  /// `own_seal`: this term was begun for the log alone, so its nodes must be sealed for it.
  /// `wanted`: see want().
  Recovery(const Options& options, LogHost& host, const LogInfo& info, Term term, bool own_seal,
           bool wanted, ReplicaSet& replicas, Ordering& ordering, const CommitPoint& commits);
  Recovery(const Recovery&) = delete;
  Recovery& operator=(const Recovery&) = delete;

  /// S8: bases of the terms before that gave no peer any bytes.
  void pass_over(std::set<NodeId> bases) { base_.pass_over(std::move(bases)); }
  /// S8: bases that the next term has to pass over if this term ends before it is open.
  std::set<NodeId> passed_over(bool halted) const;
  /// A node is sealed in this term: the log seals it for itself, or asks for its state.
  void node_ready(Time now, Replica& r);
  /// T4: the replica counts as down for the rest of the term.
  Contradiction lose(Time now, Replica& r, const std::string& why);
  /// A further answer may count now (C1).
  Contradiction members_changed(Time now, const std::vector<Member>& members);

  // Messages of the replica, in this term.
  void sealed(Time now, Replica& r);
  Contradiction state_is(Time now, Replica& r, RequestId request, const StateIs& m);
  void reconciling(Time now, Replica& r, Offset tail);
  /// S5: `matched`: the replica takes orders from now on.
  Contradiction reconciled(Time now, Replica& r, const Reconciled& m, bool& matched);
  Contradiction not_member(Time now, Replica& r);

  /// Further replicas may be repaired, because a replica has moved that they wait for.
  Contradiction repair_all(Time now) { return repair_.repair_all(now, rests_); }
  void mend_fronts(Time now) { repair_.mend_fronts(now, rests_); }
  Contradiction copy_now(Time now, NodeId node) { return repair_.copy_now(now, node, rests_); }
  Contradiction note_chain(NodeId from, Offset o, Chain c) {
    return repair_.note_chain(from, o, c);
  }
  /// The replica lacks the committed run at `missing`, so it is asked for its state, and copies
  /// (P3). `begins`: where the log begins for readers.
  void lacks_committed(Time now, Replica& r, Offset missing, Offset begins);

  /// Somebody asks for the log. False: somebody has asked before.
  bool want(Time now);
  /// The next step of a log whose base is known.
  enum class Next : std::uint8_t {
    wait,
    begin,  ///< order the term start
    rest    ///< S7: nobody has asked for the log, and all of it is known as committed
  };
  /// `retains_all`: retention has nothing to trim.
  Next next(Time now, bool retains_all);
  bool has_base() const { return base_.is_chosen(); }
  bool rests() const { return rests_; }
  /// The term start is ordered.
  void begins(Time now) {
    rests_ = false;
    moved_ = now;
  }
  /// Start of the last term before this term; nullptr: there is none.
  const TermStart* last_term() const {
    return base_.history().terms.empty() ? nullptr : &base_.history().terms.back();
  }
  /// Offset at which the log begins, as far as the replicas show.
  Offset first() const { return base_.first(); }

  /// S8: the log has moved on.
  void moves(Time now) { moved_ = now; }
  /// S8: nothing moves, and a new term with the members that can be reached now could do better.
  bool is_stuck(Time now) const;
  /// Repeats steps whose answers are overdue (S8), and ends waits that lasted too long.
  Contradiction tick(Time now, bool halted);
  /// When tick() or is_stuck() is due. `may_be_stuck`: is_stuck() is asked.
  Time wake(bool may_be_stuck) const;
  // Only in the mutation build: tests/simulator/mutants.
  Contradiction choose_again(Time now);
  void admit_in_term(Time now, Replica& r, Member member);

 private:
  bool is_recovering() const { return base_.is_chosen() && !ordering_.has_begun(); }
  Contradiction choose_base(Time now);
  bool awaits_other_answers(Time now) const;
  Contradiction take_state(Time now, Replica& r, const StateIs& m);
  void note_tail(Time now, Replica& r, Offset tail);
  bool base_gives_nothing() const;
  bool has_source() const;
  bool quorums_reachable() const;

  const Options& options_;
  LogHost& host_;
  const LogInfo& info_;
  Term term_;
  bool own_seal_;
  bool wanted_;
  bool rests_ = false;
  Time moved_{};  // S8: when anything moved last, or the phase began
  ReplicaSet& replicas_;
  Ordering& ordering_;
  const CommitPoint& commits_;
  BaseChoice base_;
  Repair repair_;
};

}  // namespace loglog::sequencer

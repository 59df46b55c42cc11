// The replicas of a log in a term of this leader: the disk of each, its phase, and the offsets that
// it is known to hold. Owned by LogTerm. The other parts of log/ decide what a replica is told;
// this part keeps the sequence of its phases, which ends copies (P4) and voids acknowledgements
// (T4).
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"
#include "sequencer/core/log/log_host.h"

namespace loglog::sequencer {

/// The replica's place in the sequence of recovery; only ReplicaSet changes it.
enum class ReplicaPhase : std::uint8_t {
  absent,       ///< not connected, or not sealed in this term
  joining,      ///< Join was sent to a newcomer
  sealing,      ///< Seal of this log alone was sent
  asked,        ///< GetState was sent
  stated,       ///< its state is known; nothing is under way
  reconciling,  ///< Reconcile was sent
  streaming,    ///< matched in this term; gets orders
  /// DATA LOSS (T4), or the node says that it is no member: it counts as down for the rest of the
  /// term
  lost
};

/// Invariants: acked <= durable and orders.told <= the committed offset; durable <= orders.sent
/// while it streams.
struct Replica {
  /// GetState and its pauses.
  struct Asking {
    RequestId request{};  ///< id of the newest GetState
    Time retry = never;   ///< `stated`: when to ask for its state again
    Time not_before{};    ///< no Reconcile before this time, since the last one failed
    Time again{};         ///< when it was last asked at once because its answer did not fit
    /// Since it was last matched: peers were asked for their first offsets.
    bool peers = false;
    /// `streaming`: its state was asked for only to learn its first offset
    bool first_only = false;
  };
  /// The Reconcile under way, or the wish for it.
  struct Copy {
    Offset target{};  ///< end and chain of the Reconcile under way
    Chain target_chain{};
    Offset reached{};              ///< tail that it has reached, as the node says
    Time moved{};                  ///< when the node said so last
    bool may_run = false;          ///< P4: it is the log's turn, or the copy runs
    bool waits = false;            ///< P4: it stands in the line for its turn
    bool lacks_committed = false;  ///< P3: it lacks a committed run that no peer gave, so it copies
    bool got_nothing = false;      ///< S8: no peer has given it bytes since it last moved
  };
  /// Items and committed offsets that it was told.
  struct Orders {
    Offset sent{};      ///< end of the items ordered to it
    Offset furthest{};  ///< highest value that `sent` has had in this term
    Offset told{};      ///< committed offset that it was told last,
    Offset told_at{};   ///< and its durable offset at that time (D5 takes the smaller of the two)
  };
  /// For its age: an offset committed at `since` that it did not hold then.
  struct Lag {
    Offset lacking{};
    Time since = never;
  };

  Member member;          ///< with the disk that the node is registered with
  bool newcomer = false;  ///< C1: that disk is not the log's member yet
  ReplicaPhase phase = ReplicaPhase::absent;
  Time since{};  ///< when `phase` became its present value
  std::optional<StateIs> state;
  bool joined = false;  ///< was matched in this term (S5)
  Offset furthest{};    ///< longest tail that it has told in this term
  Offset durable{};  ///< end of the bytes that it holds matched in this term; a source for copies
  /// K4: end of the bytes that it held matched before it found damage; it counts again only when
  /// it holds as much
  Offset held{};
  /// S6: highest acknowledgement whose last frame is of this term; 0: none
  Offset acked{};
  Asking asking;
  Copy copy;
  Orders orders;
  Lag lag;

  bool streams() const { return phase == ReplicaPhase::streaming; }
  bool is_lost() const { return phase == ReplicaPhase::lost; }
  /// The end of all that it held matched in this term, also before it found damage (K4).
  Offset held_once() const { return std::max({held, acked, durable}); }
};

/// K3: true if the first files above the trim point are there. A trim removes only files that lie
/// wholly below the trim point, and it is in the metadata before any node hears of it. A replica
/// without any frame begins where it was told to begin.
bool front_is_whole(const StateIs& s, Offset trim);

/// All replicas of a log, in the order of its members.
class ReplicaSet {
 public:
  /// Pause after a Reconcile that failed for want of peers or space.
  static constexpr Duration pause_time = 200ms;

  /// The members of the log with the disks that their nodes are registered with. A disk that the
  /// log does not name is a newcomer (C1).
  ReplicaSet(const LogInfo& info, LogHost& host, Term term);

  /// nullptr: the node has no replica.
  Replica* find(NodeId node);
  auto begin() { return replicas_.begin(); }
  auto end() { return replicas_.end(); }
  auto begin() const { return replicas_.begin(); }
  auto end() const { return replicas_.end(); }
  std::size_t size() const { return replicas_.size(); }
  Replica& operator[](std::size_t i) { return replicas_[i]; }
  const Replica& operator[](std::size_t i) const { return replicas_[i]; }
  std::size_t streaming() const;

  /// A replica that leaves a copy gives its turn back (P4).
  void move(Replica& r, ReplicaPhase phase, Time now);
  /// T4: counts as down for the rest of the term, and its acknowledgements are void.
  void lose(Replica& r, Time now);
  /// S1: GetState is the barrier; its answer counts as the replica's state.
  void ask(Time now, Replica& r);
  /// Asks for the state of a replica whose answer did not fit this leader's view: at once, but only
  /// once in a pause.
  void ask_again(Time now, Replica& r);
  /// Leaves the replica alone until the pause is over, whatever comes meanwhile.
  void pause(Time now, Replica& r);
  /// C1 step 3: asks to make newcomers that have joined (T5) members of the log. `members`: its
  /// members now.
  void take_in_newcomers(const std::vector<Member>& members);
  /// P4: the copy has ended or is not wanted any more.
  void end_copy(Replica& r);
  /// Replicas that may have the bytes of a run: replicas that hold it durably, and replicas that
  /// take orders and are not known to miss it. `misses(node)`: the node is known to miss it.
  template <class Misses>
  std::size_t may_have(Offset end, Misses misses) const {
    return static_cast<std::size_t>(std::ranges::count_if(replicas_, [&](const Replica& r) {
      return !r.is_lost() && (r.durable >= end || (r.streams() && !misses(r.member.node)));
    }));
  }

 private:
  LogHost& host_;
  LogId log_;
  Term term_;
  std::vector<Replica> replicas_;
  std::vector<Member> members_asked_;  // C1: the members that were asked for last
};

}  // namespace loglog::sequencer

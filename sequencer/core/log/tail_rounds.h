// R2: questions for a linearizable tail, and refusals beyond the log's end (F1), wait until members
// have confirmed the term. Owned by LogTerm, which sends the answers that this part returns.
#pragma once
#include <cstddef>
#include <map>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/quorum.h"
#include "proto-spec/vocabulary/time.h"
#include "sequencer/core/connection_counts.h"
#include "sequencer/core/log/log_host.h"
#include "sequencer/core/log/replica_set.h"
#include "sequencer/core/log/waiting_answer.h"

namespace loglog::sequencer {

/// Questions that come while a round is under way need another round, because a round confirms only
/// what came before it.
class TailRounds {
 public:
  /// `round_max`: the deadline of a round.
  TailRounds(LogHost& host, LogId log, Term term, Duration round_max)
      : host_(host), log_(log), term_(term), patience_(round_max) {}

  /// The question waits for the next round.
  void add(WaitingAnswer question);
  /// Questions of this connection that wait.
  std::size_t of(ConnectionId c) const { return by_.of(c); }
  /// Questions that wait for a round to begin.
  std::size_t waiting() const { return waiting_.size(); }
  /// Asks each streaming replica to confirm the term, if a question waits and few rounds are under
  /// way.
  void begin_round(Time now, const ReplicaSet& replicas);
  /// A replica has confirmed the term. `tail`: the end of its log then.
  void confirmed(NodeId from, RequestId request, Offset tail);

  /// Ends the rounds that enough members have confirmed, and returns their questions.
  std::vector<WaitingAnswer> take_confirmed(Quorum q, Offset committed);
  /// Ends the rounds whose deadline has come, and returns their questions.
  std::vector<WaitingAnswer> take_expired(Time now);
  /// The term ends: all questions.
  std::vector<WaitingAnswer> take_all();
  /// When take_expired() is due at the latest.
  Time wake() const;

 private:
  struct Round {
    std::vector<WaitingAnswer> questions;
    std::map<NodeId, RequestId> asked;  // request ids, which are unique by connection only
    std::map<NodeId, Offset> confirmed;
    Time deadline{};
  };
  template <class Ends>
  std::vector<WaitingAnswer> take(Ends ends);

  LogHost& host_;
  LogId log_;
  Term term_;
  Duration patience_;
  std::vector<WaitingAnswer> waiting_;  // for the next round
  std::vector<Round> rounds_;
  ConnectionCounts by_;  // questions by connection, of both lists
};

}  // namespace loglog::sequencer

// The base of a log's term: the most up-to-date member of a seal quorum (S2, S3), its history, and
// the offset at which the log begins. Owned by Recovery, which brings the replicas' states.
#pragma once
#include <optional>
#include <set>
#include <string>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/wire/messages.h"
#include "sequencer/core/log/replica_set.h"
#include "sequencer/core/log/term_history.h"

namespace loglog::sequencer {

/// `info` must outlive it.
class BaseChoice {
 public:
  explicit BaseChoice(const LogInfo& info) : info_(info) {}

  /// S8: bases of the terms before that gave no peer any bytes. They are passed over if a seal
  /// quorum exists without them.
  void pass_over(std::set<NodeId> bases) { passed_over_ = std::move(bases); }
  const std::set<NodeId>& passed_over() const { return passed_over_; }

  /// The answer of the highest rank if the answers are a seal quorum; otherwise nullptr.
  /// `without_passed_over`: the bases to pass over do not answer.
  const Replica* best_answer(const ReplicaSet& replicas, bool without_passed_over) const;
  /// S3: the reason to halt the log: an answer contradicts this base.
  std::optional<std::string> contradiction(const ReplicaSet& replicas, const Replica& base) const;
  /// The replica is the base for the rest of the term.
  void take(const Replica& base, const ReplicaSet& replicas);

  bool is_chosen() const { return is_chosen_; }
  NodeId node() const { return node_; }
  /// The log's terms before this term.
  const TermHistory& history() const { return history_; }
  /// The offset at which the log begins, as far as the replicas show.
  Offset first() const { return first_; }
  /// A replica without damage in front begins at `first`, because the others have trimmed.
  void raise_first(Offset first) { first_ = std::max(first_, first); }
  /// A replica shows that the log begins earlier than the base does.
  void lower_first(Offset first) { first_ = std::min(first_, first); }
  /// The base is to be chosen again. Only in the mutation build: tests/simulator/mutants.
  void forget() { is_chosen_ = false; }

 private:
  Offset first_of_whole(const StateIs& base, const ReplicaSet& replicas) const;

  const LogInfo& info_;
  std::set<NodeId> passed_over_;
  bool is_chosen_ = false;
  NodeId node_{};
  TermHistory history_;
  Offset first_{};
};

}  // namespace loglog::sequencer

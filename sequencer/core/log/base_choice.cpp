// Every seal quorum holds all that may be committed, so its most up-to-date member lacks nothing
// (S2, S3).
#include "sequencer/core/log/base_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "sequencer/core/rules.h"

namespace loglog::sequencer {

/// Newcomers answer for nothing (C1), and a suspect answer raises the seal quorum (S2).
const Replica* BaseChoice::best_answer(const ReplicaSet& replicas, bool without_passed_over) const {
  std::size_t answers = 0;
  bool any_suspect = false;
  const Replica* best = nullptr;
  const auto rank = [this](const Replica& r) {
    return std::tuple(rules::base_rank(r.state->last_frame_term, r.state->tail), !r.state->suspect,
                      front_is_whole(*r.state, info_.trim), r.phase == ReplicaPhase::stated);
  };
  for (const Replica& r : replicas) {
    if (r.is_lost() && rules::lost_member_counts_for_seal()) ++answers;
    if (!r.state || r.is_lost() || !rules::may_answer_seal(r.newcomer) ||
        (without_passed_over && passed_over_.contains(r.member.node)))
      continue;
    ++answers;
    any_suspect = any_suspect || r.state->suspect;
    if (best == nullptr || rank(r) > rank(*best)) best = &r;
  }
  if (answers < rules::seal_quorum(quorum_of(info_)) + rules::extra_seal_answers(any_suspect))
    return nullptr;
  return best;
}

/// A replica knows a committed offset beyond the base's tail, or it holds other bytes at the same
/// tail and term.
std::optional<std::string> BaseChoice::contradiction(const ReplicaSet& replicas,
                                                     const Replica& base) const {
  const StateIs& b = *base.state;
  for (const Replica& r : replicas) {
    if (!r.state || r.is_lost()) continue;
    const StateIs& s = *r.state;
    if (rules::cuts_committed(b.tail, s.committed))
      return fmt::format("node {} knows {} as committed, the most up-to-date answer ends at {}",
                         r.member.node.value, s.committed.value, b.tail.value);
    if (s.last_frame_term == b.last_frame_term && s.tail == b.tail && !s.suspect && !b.suspect &&
        rules::is_contradiction(s.chain == b.chain))
      return fmt::format("nodes {} and {} hold different bytes below {}", r.member.node.value,
                         base.member.node.value, b.tail.value);
  }
  return std::nullopt;
}

void BaseChoice::take(const Replica& base, const ReplicaSet& replicas) {
  is_chosen_ = true;
  node_ = base.member.node;
  history_ = history_of(*base.state);
  first_ = first_of_whole(*base.state, replicas);
}

/// The base's first offset, unless the base's first files are gone (K3).
Offset BaseChoice::first_of_whole(const StateIs& base, const ReplicaSet& replicas) const {
  if (front_is_whole(base, info_.trim)) return base.first;
  std::optional<Offset> first;
  for (const Replica& r : replicas)
    if (r.state && !r.is_lost() && front_is_whole(*r.state, info_.trim) &&
        r.state->first < r.state->tail)
      first = std::max(first.value_or(Offset{}), r.state->first);
  return first.value_or(base.first);
}

}  // namespace loglog::sequencer

// The parts of the protocol's rules (proto-spec/vocabulary/rules.h, spec/04 to 07) that the
// sequencer enforces. Each part is a pure function that decides from plain values, and the code of
// the core acts on its answer. Only this page asks removed(): the mutation build switches a rule
// off here, and in every other build the question costs nothing. A function without parameters says
// whether the core takes an action at all.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/quorum.h"
#include "proto-spec/vocabulary/rules.h"
#include "sequencer/core/term_history.h"

namespace loglog::sequencer::rules {

// ---- T: terms and disks

/// T4_disk: a member is (node, disk), so another disk under the same node id is refused.
inline bool is_foreign_disk(DiskId disk, DiskId registered) {
  return disk != registered && !removed(Rule::T4_disk);
}

/// T4_tail: a tail below the bytes that the node held in this term is DATA LOSS.
inline bool has_lost_tail(Offset tail, Offset held) {
  return tail < held && !removed(Rule::T4_tail);
}

// ---- S: seal and recovery

/// S2_quorum: a seal quorum is N - W + 1 answers.
inline std::size_t seal_quorum(Quorum q) { return q.seal() - (removed(Rule::S2_quorum) ? 1U : 0U); }

/// S2_suspect: a suspect answer may lack its tail, so it raises the seal quorum by an answer.
/// Further suspect answers do not raise it again.
inline std::size_t extra_seal_answers(bool any_suspect) {
  return any_suspect && !removed(Rule::S2_suspect) ? 1U : 0U;
}

/// S2_lost: a member with DATA LOSS does not count for the seal quorum. Without the rule it counts
/// as if it had nothing because there was nothing.
inline bool lost_member_counts_for_seal() { return removed(Rule::S2_lost); }

/// S3_rank: the base has the highest last term; among equals, the longest tail.
inline std::pair<Term, Offset> base_rank(Term last_term, Offset tail) {
  return {removed(Rule::S3_rank) ? Term{} : last_term, tail};
}

/// S3_once: a term has a single base, however long its recovery takes.
inline bool chooses_base_once() { return !removed(Rule::S3_once); }

/// S4_divergence: a replica is cut where its list of term starts and the leader's diverge.
inline Offset cut_point(const TermHistory& ours, const TermHistory& theirs) {
  return removed(Rule::S4_divergence) ? std::min(ours.tail, theirs.tail) : divergence(ours, theirs);
}

/// S4_alarm: a cut at `end`, below an offset that a replica knows as committed, halts the log.
inline bool cuts_committed(Offset end, Offset committed) {
  return end < committed && !removed(Rule::S4_alarm);
}

/// S5_matched: copied bytes come only from a peer that is matched in the term. `matched`: it is
/// matched as far as the copy goes.
inline bool may_give_bytes(bool matched) { return matched || removed(Rule::S5_matched); }

/// S5_chain: after a copy the replica's chain must equal the chain that the leader knows there.
inline bool copied_other_bytes(Chain copied, Chain known) {
  return copied != known && !removed(Rule::S5_chain);
}

/// S6_quorum: the committed offset needs W acknowledgements.
inline std::size_t commit_quorum(Quorum q) {
  return std::max<std::size_t>(1, q.write() - (removed(Rule::S6_quorum) ? 1U : 0U));
}

/// S6_term: an acknowledgement counts only if this term placed the tail's last frame. A replica
/// that was only matched has acknowledged nothing yet.
inline bool match_is_acknowledgement() { return removed(Rule::S6_term); }

/// S6_term: nothing is committed before the whole term start is, because the acknowledgements below
/// its end cover frames of earlier terms alone.
inline bool may_commit_in_term(Offset acknowledged, Offset term_start_end) {
  return acknowledged >= term_start_end || removed(Rule::S6_term);
}

/// S7_commit: no append is taken before the term start is committed; that it is ordered is not
/// enough.
inline bool may_take_appends(bool committed, bool ordered) {
  return committed || (ordered && removed(Rule::S7_commit));
}

/// S7_told: nobody learns the term start's offset before it is committed; that it is ordered is not
/// enough.
inline bool may_tell_term_start(bool committed, bool ordered) {
  return committed || (ordered && removed(Rule::S7_told));
}

/// S7_rest: a log rests only if every matched member knows all of it as committed.
inline bool may_rest(std::size_t know_all, std::size_t matched) {
  return know_all >= matched || removed(Rule::S7_rest);
}

/// S8_deadline: a recovery without movement is begun anew in another term.
inline bool recovery_has_deadline() { return !removed(Rule::S8_deadline); }

/// S8_movement: an answer counts as movement only if its tail is longer than the longest before.
inline bool tail_is_movement(Offset tail, Offset longest) {
  return tail > longest || removed(Rule::S8_movement);
}

/// S8_movement: a match counts as movement only if the replica was not matched already.
inline bool match_is_movement(bool matched_before) {
  return !matched_before || removed(Rule::S8_movement);
}

/// S8_base: a base that gave no peer bytes is passed over if a seal quorum exists without it.
inline bool passes_over_bases() { return !removed(Rule::S8_base); }

// ---- D: orders and acknowledgements

/// D1: an offset is ordered at most once in a term.
inline bool orders_offset_once() { return !removed(Rule::D1); }

/// D4_chain: equal offsets have equal chains; otherwise the log halts.
inline bool is_contradiction(bool equal_chains) {
  return !equal_chains && !removed(Rule::D4_chain);
}

/// D5_matched: the committed offset moves only on a node that is matched in the term, so no other
/// node is told it.
inline bool tells_unmatched_nodes() { return removed(Rule::D5_matched); }

// ---- K: damage on disks

/// K3_front: first files that are missing above the trim point are damage, because no trim explains
/// them.
inline bool lacks_front(Offset first, Offset trim) {
  return first > trim && !removed(Rule::K3_front);
}

/// K4_count: a log with a hole does not count towards W and gives no bytes to peers.
inline bool stops_counting(bool suspect) { return suspect && !removed(Rule::K4_count); }

// ---- C: membership and the sequencers' agreement

/// C1_term: a replaced disk takes no part in any later term, so the new disk waits for the next
/// term.
inline bool new_disk_joins_in_term() { return removed(Rule::C1_term); }

/// C1_term: a member of the term that does not know the log has lost it; a newcomer has not joined
/// yet.
inline bool has_lost_log(bool newcomer) { return !newcomer && !removed(Rule::C1_term); }

/// C1_seal: a new disk answers no seal before it is a member.
inline bool may_answer_seal(bool newcomer) { return !newcomer || removed(Rule::C1_seal); }

// ---- R: reading and trim

/// R2_confirm: a tail is told after members have confirmed the term since the request.
inline bool tail_needs_confirmation() { return !removed(Rule::R2_confirm); }

/// R2_quorum: max(W, N - W + 1) members confirm.
inline std::size_t confirm_quorum(Quorum q) { return removed(Rule::R2_quorum) ? 1U : q.confirm(); }

/// R2_reached: a tail is told after the committed offset has reached the confirmers' largest tail.
inline bool has_reached_tail(Offset committed, Offset largest) {
  return committed >= largest || removed(Rule::R2_reached);
}

// ---- A: appends within a term

/// A1_term: a commit of another term is refused.
inline bool is_of_other_term(Term commit, Term current) {
  return commit != current && !removed(Rule::A1_term);
}

// ---- V: runs that nobody holds, and client-observed commit

/// V1_bound: the leader bounds the ordered runs that no replica holds.
inline bool bounds_unwritten_runs() { return !removed(Rule::V1_bound); }

/// V1_drop: a run that stays missing is dropped by a new term, whatever its producer promises.
/// `holders`: replicas that may have it.
inline bool drops_missing_run(std::size_t holders) {
  return holders == 0 && !removed(Rule::V1_drop);
}

/// V2_ordered: a hole is filled up to the ordered end, not to the end `heard` that the leader knows
/// of, because the node may have told clients more than it has told the leader.
inline Offset end_to_refill(Offset heard, Offset ordered) {
  return removed(Rule::V2_ordered) ? heard : std::max(heard, ordered);
}

// ---- R5: retention

/// R5_bytes: retention leaves at least as many bytes as it names.
inline std::uint64_t retained_bytes(std::uint64_t bytes) {
  return bytes / (removed(Rule::R5_bytes) ? 4 : 1);
}

/// R5_age: retention leaves entries younger than the age that it names, in milliseconds.
inline std::uint64_t retained_age(std::uint64_t ms) { return ms / (removed(Rule::R5_age) ? 4 : 1); }

// ---- F: appends under conditions

/// F1_end: a conditional run is ordered only if no run lies at or above its expected offset.
inline bool nothing_above(Offset expected, Offset entries_end) {
  return expected >= entries_end || removed(Rule::F1_end);
}

/// F1_term: no run of an earlier term may lie there either. Where the last of them ends is not
/// known, so they count as reaching up to the term start.
inline bool earlier_runs_count() { return !removed(Rule::F1_term); }

/// F1_held: a refusal is told after the runs that stand in the way are committed, that is, when the
/// committed offset has reached the value returned.
inline Offset refusal_waits_for(Offset committed, Offset ordered_end) {
  return removed(Rule::F1_held) ? committed : ordered_end;
}

/// F1_beyond: a refusal beyond the end is told after members have confirmed the term.
inline bool refusal_needs_confirmation(bool beyond_end) {
  return beyond_end && !removed(Rule::F1_beyond);
}

/// F1_settled: a refusal beyond the end is final: it uses up the producer's number in the term.
inline bool refusal_uses_up_number() { return !removed(Rule::F1_settled); }

/// F2_refuse: a producer that names a lower fencing token is refused; a producer may name none.
inline bool is_producer_fenced(FenceToken named, FenceToken current) {
  return named != FenceToken{} && named < current && !removed(Rule::F2_refuse);
}

/// F2_held: a token is told after all that was ordered before it is committed, that is, when the
/// committed offset has reached the value returned.
inline Offset token_waits_for(Offset committed, Offset ordered_end) {
  return removed(Rule::F2_held) ? committed : ordered_end;
}

// ---- P: copies between nodes

/// P3_copied: a replica that misses a committed run is copied.
inline bool must_be_copied(Offset missing, Offset committed) {
  return missing < committed && !removed(Rule::P3_copied);
}

/// P4_turns: only a few logs at a time are copied to a node. An urgent copy does not wait.
inline bool may_begin_copy(bool urgent, std::size_t active, std::size_t active_max) {
  return urgent || active < active_max || removed(Rule::P4_turns);
}

/// P4_moves: a copy that moves is neither cancelled nor a reason for a new term.
inline bool copy_is_movement() { return !removed(Rule::P4_moves); }

}  // namespace loglog::sequencer::rules

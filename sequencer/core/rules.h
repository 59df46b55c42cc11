// The parts of the protocol's rules (proto-spec/vocabulary/rules.h, spec/04 to 07) that the
// sequencer enforces. Each part is a pure function that decides from plain values, and the code of
// the core acts on its answer. Only this page asks removed(): the mutation build switches a rule
// off here, and in every other build the question costs nothing. A function without parameters says
// whether the core takes an action at all.
#pragma once
#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "proto-spec/disk/frame.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/quorum.h"
#include "proto-spec/vocabulary/rules.h"
#include "sequencer/core/log/term_history.h"

namespace loglog::sequencer::rules {

// ---- T: terms, members, and changes of the metadata

/// T1_number: a new term's number is above every earlier term's number. `last`: the last term.
/// `above`: the larger of the last term and the highest promise that a node has told.
inline Term next_term(Term above, Term last) {
  const bool repeated = removed(Rule::T1_number) && last != Term{};
  return above + (repeated ? 0 : 1);
}

/// T2_committed: a leader seals only after its BeginTerm is committed and applied.
inline bool awaits_committed_term() { return !removed(Rule::T2_committed); }

/// T4_disk: a member is (node, disk), so another disk under the same node id is refused.
inline bool is_foreign_disk(DiskId disk, DiskId registered) {
  return disk != registered && !removed(Rule::T4_disk);
}

/// T4_lasts: DATA LOSS lasts under every leader until the disk is replaced. `marked`: the metadata
/// mark the node's disk as lost.
inline bool counts_as_lost(bool marked) { return marked && !removed(Rule::T4_lasts); }

/// T4_copy: a new process that finds fewer writes of its promise than the registered count runs on
/// an older copy of the node's directory, which is DATA LOSS.
inline bool is_older_copy(bool new_process, std::uint64_t found, std::uint64_t registered) {
  return new_process && found < registered && !removed(Rule::T4_copy);
}

/// T4_tail: a tail below the bytes that the node held in this term is DATA LOSS.
inline bool has_lost_tail(Offset tail, Offset held) {
  return tail < held && !removed(Rule::T4_tail);
}

/// T5_open: a log opens only after all members have joined.
inline bool may_open(bool all_joined) { return all_joined || removed(Rule::T5_open); }

/// T5_ids: log ids are never reused. A log's id is the Raft index of its creation. `logs`: the
/// number of logs now.
inline LogId new_log_id(RaftIndex creation, std::size_t logs) {
  return removed(Rule::T5_ids) ? LogId{logs + 1} : LogId{creation.value};
}

/// T6_made: a request creates a log only if no log of its name was deleted since the request.
/// `seen`: the version of the metadata that the client knew.
inline bool is_late_creation(RaftIndex seen, RaftIndex last_deletion) {
  return seen < last_deletion && !removed(Rule::T6_made);
}

/// T6_repeat: the repeat of a request is answered like its first copy. `last`: the request that
/// created the log, or that changed it last.
inline bool is_repeat(ChangeId request, ChangeId last) {
  return request != ChangeId{} && request == last && !removed(Rule::T6_repeat);
}

/// T6_seen: a setting changes only if nothing has changed it since the request. Otherwise the
/// client meant to change the older settings and not the newer settings.
inline bool is_superseded(RaftIndex seen, RaftIndex last_change) {
  return seen < last_change && !removed(Rule::T6_seen);
}

/// T6_disk: a disk is replaced only if it is the disk that the request names as gone.
inline bool was_replaced_before(DiskId named, DiskId registered) {
  return named != registered && !removed(Rule::T6_disk);
}

/// T7_read: the cluster's version rises only if every voter and every registered node reads it.
/// `a_process_does_not`: a process is not connected, or has not said that it reads the version.
inline bool may_raise(bool a_process_does_not) {
  return !a_process_does_not || removed(Rule::T7_read);
}

/// T7_named: a directory names a version before it holds a record of that version. So a save names
/// the version of its records.
inline bool names_version_first() { return !removed(Rule::T7_named); }

/// T7_start: a program does not start on a directory that names a version above its own. `highest`:
/// the highest version of records that the program reads.
inline bool may_start(std::uint8_t named, std::uint8_t highest) {
  return named <= highest || removed(Rule::T7_start);
}

/// T7_seal: a leader uses no node whose program does not read the cluster's version. `reads`: the
/// highest version that the program reads.
inline bool may_seal_program(std::uint8_t reads, std::uint8_t cluster_version) {
  return reads >= cluster_version || removed(Rule::T7_seal);
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

// ---- C: replaced disks, write quorums, and the sequencers' Raft

/// C1_term: a replaced disk takes no part in any later term, so its replacement begins a new term
/// for all logs.
inline bool begins_term_for_new_disk() { return !removed(Rule::C1_term); }

/// C1_term: a replaced disk takes no part in any later term, so the new disk waits for the next
/// term.
inline bool new_disk_joins_in_term() { return removed(Rule::C1_term); }

/// C1_term: a member of the term that does not know the log has lost it; a newcomer has not joined
/// yet.
inline bool has_lost_log(bool newcomer) { return !newcomer && !removed(Rule::C1_term); }

/// C1_seal: a new disk answers no seal before it is a member.
inline bool may_answer_seal(bool newcomer) { return !newcomer || removed(Rule::C1_seal); }

/// C1_back: a replaced disk never comes back as a member. `still_named`: a log still names the disk
/// as its member, because the log has not taken in the disk that came in its place.
inline bool is_coming_back(bool still_named) { return still_named && !removed(Rule::C1_back); }

/// C2_default: the default write quorum is the majority.
inline std::uint8_t default_write_quorum(std::uint8_t replicas) {
  return static_cast<std::uint8_t>(replicas / 2 + (removed(Rule::C2_default) ? 0 : 1));
}

/// C2_range: a write quorum is no larger than the number of replicas.
inline bool is_quorum_too_large(std::uint8_t write_quorum, std::uint8_t replicas) {
  return write_quorum > replicas && !removed(Rule::C2_range);
}

/// C3_vote: a sequencer votes once in a Raft term. `given`: the vote that it has given in the term;
/// 0: none.
inline bool may_vote_for(SequencerId candidate, SequencerId given) {
  return given == SequencerId{} || given == candidate || removed(Rule::C3_vote);
}

/// The last entry of a Raft log. Raft compares the term first and the index second.
struct RaftLogEnd {
  RaftTerm term;
  RaftIndex index;
  auto operator<=>(const RaftLogEnd&) const = default;
};

/// C3_current: a vote goes only to a candidate whose log is at least as current as the voter's log.
inline bool is_current(RaftLogEnd candidate, RaftLogEnd voter) {
  return candidate >= voter || removed(Rule::C3_current);
}

/// C3_own_term: a leader commits by counting only entries of its own Raft term.
inline bool may_commit_by_counting(RaftTerm of_entry, RaftTerm own) {
  return of_entry == own || removed(Rule::C3_own_term);
}

/// C3_prevote: an election begins with a pre-vote, so that a sequencer that cannot win deposes no
/// leader.
inline bool begins_with_pre_vote() { return !removed(Rule::C3_prevote); }

/// C3_empty: a sequencer that lost its disk neither votes nor stands until it is up to date.
inline bool withholds_vote_after_loss() { return !removed(Rule::C3_empty); }

/// C3_lost: the same holds if the durable log ends before its mark.
inline bool must_ask_after_lost_records(bool lost_records) {
  return lost_records && !removed(Rule::C3_lost);
}

/// C3_asked: an undecided sequencer decides only after all others have answered, because it must
/// take a term that is not below any term that they know. `has_log`: the sequencer that has just
/// answered has a log.
inline bool may_decide_vote_right(bool all_answered, bool has_log) {
  return all_answered || (has_log && removed(Rule::C3_asked));
}

/// C3_asked: the term of a sequencer after another sequencer has answered with the term that it
/// knows.
inline RaftTerm term_after_answer(RaftTerm own, RaftTerm answered) {
  return removed(Rule::C3_asked) ? own : std::max(own, answered);
}

/// C3_reset: a newcomer counts for a majority only by entries acknowledged anew.
inline bool resets_newcomer() { return !removed(Rule::C3_reset); }

/// C3_link: of two sequencers the lower id dials, so that only a single link between them counts.
/// `dialled`: this sequencer dialled.
inline bool is_dialled_by_lower_id(bool dialled, SequencerId own, SequencerId peer) {
  return dialled == (peer > own) || removed(Rule::C3_link);
}

/// C3_link: a displaced link between sequencers is closed, so that its end dials anew.
inline bool closes_displaced_link() { return !removed(Rule::C3_link); }

/// C3_quorum: a leader whom a majority does not answer any more gives way. `heard`: the sequencers
/// that were heard lately, the leader included.
inline bool must_give_way(std::size_t heard, std::size_t majority) {
  return heard < majority && !removed(Rule::C3_quorum);
}

// ---- K: damage on disks

/// K3_front: first files that are missing above the trim point are damage, because no trim explains
/// them.
inline bool lacks_front(Offset first, Offset trim) {
  return first > trim && !removed(Rule::K3_front);
}

/// K4_count: a log with a hole does not count towards W and gives no bytes to peers.
inline bool stops_counting(bool suspect) { return suspect && !removed(Rule::K4_count); }

// ---- R: reading and trimming

/// R2_confirm: a tail is told after members have confirmed the term since the request.
inline bool tail_needs_confirmation() { return !removed(Rule::R2_confirm); }

/// R2_quorum: max(W, N - W + 1) members confirm.
inline std::size_t confirm_quorum(Quorum q) { return removed(Rule::R2_quorum) ? 1U : q.confirm(); }

/// R2_reached: a tail is told after the committed offset has reached the confirmers' largest tail.
inline bool has_reached_tail(Offset committed, Offset largest) {
  return committed >= largest || removed(Rule::R2_reached);
}

/// R2_logs: the existence or absence of a log is told after a majority has confirmed the lead.
inline bool confirms_lead_first() { return !removed(Rule::R2_logs); }

/// R3_committed: a trim never passes the committed offset.
inline bool is_trim_past_committed(Offset trim, Offset committed) {
  return trim > committed && !removed(Rule::R3_committed);
}

/// R3_back: a trim point never moves back.
inline Offset trim_point(Offset before, Offset asked) {
  return removed(Rule::R3_back) ? asked : std::max(before, asked);
}

// ---- R5: retention

/// R5_clock: a majority's least clock decides age; a majority's greatest clock stamps frames.
inline bool majority_decides_clock() { return !removed(Rule::R5_clock); }

/// R5_minority: while no majority's clocks are known, a stamp says that nobody knows the time.
/// `own`: the leader's clock, in milliseconds.
inline std::uint64_t stamp_of_a_minority(std::uint64_t own) {
  return removed(Rule::R5_minority) ? own : no_clock;
}

/// R5_agree: nothing is trimmed by age while the sequencers' clocks differ. `agree`: the clocks of
/// a majority are known, and all known clocks agree.
inline bool may_judge_age(bool agree) { return agree || removed(Rule::R5_agree); }

/// R5_bytes: retention leaves at least as many bytes as it names.
inline std::uint64_t retained_bytes(std::uint64_t bytes) {
  return bytes / (removed(Rule::R5_bytes) ? 4 : 1);
}

/// R5_age: retention leaves entries younger than the age that it names, in milliseconds.
inline std::uint64_t retained_age(std::uint64_t ms) { return ms / (removed(Rule::R5_age) ? 4 : 1); }

// ---- A: producers and their retries

/// A1_term: a commit of another term is refused.
inline bool is_of_other_term(Term commit, Term current) {
  return commit != current && !removed(Rule::A1_term);
}

/// A1_first: an unknown producer begins right after its settled sequence. Otherwise a late commit
/// of an earlier term could be ordered a second time.
inline bool may_begin_with(Sequence first, Sequence after_settled) {
  return first == after_settled || removed(Rule::A1_first);
}

/// A1_next: a known producer goes on without a gap.
inline bool leaves_gap(Sequence first, Sequence expected) {
  return first > expected && !removed(Rule::A1_next);
}

/// A1_repeat: a repeated commit is answered, not ordered again.
inline bool goes_back(Sequence first, Sequence expected) {
  return first < expected && !removed(Rule::A1_repeat);
}

/// A1_settled: settled sequence numbers may be skipped. `next`: the sequence after the producer's
/// last run.
inline Sequence expected_sequence(Sequence next, Sequence settled) {
  return removed(Rule::A1_settled) ? next : std::max(next, settled + 1);
}

/// A2: a producer is never forgotten within a term.
inline bool remembers_producers() { return !removed(Rule::A2); }

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

// ---- F: appends under conditions

/// F2_back: a log's fencing token never falls.
inline bool lowers_token(FenceToken asked, FenceToken in_force) {
  return asked < in_force && !removed(Rule::F2_back);
}

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

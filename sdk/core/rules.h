// The rules that the SDK enforces (spec/05 to 07): each keeps an answer to the application true.
// Most of them decide whether an append has happened, after its leader or its answer was lost.
//
// A function is a decision that the core's code asks for. Its comment begins with the name of the
// rule in proto-spec/vocabulary/rules.h, and it alone calls removed(), so that a reader finds here
// all that a rule means for the SDK.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/rules.h"

namespace loglog::client::rules {

// ---- R: reading and trimming

/// R1_position: a trimmed position is reported, and the reader's position is not moved: the
/// application must learn that it misses entries.
inline bool reports_trimmed_position() { return !removed(Rule::R1_position); }

/// R3_committed: a trim never passes the committed offset, because it would remove entries that are
/// appended after the request.
inline bool is_beyond_committed(Offset trim, Offset committed) {
  return trim > committed && !removed(Rule::R3_committed);
}

// ---- A: the fate of an append

/// A3_resolve: in a new term a producer resolves its unsettled entries before it commits. In its
/// first term it has none.
inline bool resolves_in(bool first_term) { return !first_term && !removed(Rule::A3_resolve); }

/// A3_from: resolution reads from the committed offset that was known before the entry's first
/// Commit. A later Commit must not raise that offset, since the first may have been ordered
/// already.
inline Offset resolution_start(bool committed_before, Offset known_then, Offset known_now) {
  return committed_before && !removed(Rule::A3_from) ? known_then : known_now;
}

/// A3_until: resolution reads exactly up to the new term's start. A late Commit names an older
/// term, so no entry of it can come to stand above.
inline Offset resolution_end(Offset term_start, Offset known_before) {
  return removed(Rule::A3_until) ? std::min(term_start, known_before) : term_start;
}

/// A4: each entry of a run is judged alone. That the run's first entry is in the log says nothing
/// about the others.
inline bool shares_fate_of_run(bool first_is_found) { return first_is_found && removed(Rule::A4); }

/// A5: an entry in a trimmed range is unknown, not absent. `clipped`: the log was trimmed up to
/// there before it was read. `lowest`: no lower place is possible for the entry.
inline bool may_have_been_trimmed(Offset clipped, Offset lowest) {
  return clipped > lowest && !removed(Rule::A5);
}

/// A6_refusal: a refusal means failed only if no earlier Commit can have been taken. So it is not
/// believed at once: its cause and its sender count, and is_only_commit().
inline bool weighs_refusals() { return !removed(Rule::A6_refusal); }

/// A6_refusal: the refused Commit is the run's only Commit in the term. An earlier copy of a
/// repeated Commit may have been taken.
inline bool is_only_commit(unsigned commits_in_term) { return commits_in_term == 1; }

/// A6_unknown: a deadline that passes after a Commit means outcome unknown. `absent`: the leader
/// has refused the run for good, so that it is certainly not in the log.
inline bool is_outcome_unknown(bool committing, bool absent) {
  return committing && !absent && !removed(Rule::A6_unknown);
}

/// A6_number: the sequence number of a failed entry is given to no other entry. A run that is built
/// anew goes on with the next number and is not set back to its old first number.
inline Sequence number_for_rebuilt(Sequence next, Sequence first_before) {
  return removed(Rule::A6_number) ? first_before : next;
}

// ---- V2: client-observed commit

/// V2_quorum: a client observes a commit after W members have reported it.
inline std::size_t observed_quorum(std::uint8_t write_quorum) {
  return std::max<std::size_t>(1, write_quorum - (removed(Rule::V2_quorum) ? 1U : 0U));
}

/// V2_same: the reports name the term of the client's own Commit. Reports of an older term are
/// forgotten, so that reports of two terms are never counted together.
inline bool forgets_reports_at_new_term() { return !removed(Rule::V2_same); }

/// V2_same: a report of another term is not kept.
inline bool is_report_of(Term term, Term reported) {
  return reported == term || removed(Rule::V2_same);
}

/// V2_same: a report counts for the offset that it names, and for no other offset.
inline Offset reported_offset(Offset named, Offset first_named) {
  return removed(Rule::V2_same) ? first_named : named;
}

/// V2_same: only a run that was committed in the current term counts. Its leader placed the run
/// behind a committed term start (S7).
inline bool was_committed_in_term(unsigned commits_in_term) {
  return commits_in_term > 0 || removed(Rule::V2_same);
}

/// V2_member: the reports come from members of the term's set, as its leader tells it.
inline bool counts_report(bool by_member) { return by_member || removed(Rule::V2_member); }

/// V2_stands: reports count only while their connection stands, because a node that restarted may
/// have lost the run.
inline bool counts_standing_connections_only() { return !removed(Rule::V2_stands); }

// ---- R6: points in time

/// R6_before: a point in time is found at a start frame whose clock is before it. Strictly before,
/// because entries of the same millisecond may lie below that frame. Both: Unix time, milliseconds.
inline bool is_before(std::uint64_t clock, std::uint64_t point) {
  return clock < point + (removed(Rule::R6_before) ? 1000 : 0);
}

// ---- F1: conditional appends

/// F1_gap: a producer moves its expected offset only over a range that it read to be empty.
inline bool may_expect_end(bool gap_is_empty) { return gap_is_empty || removed(Rule::F1_gap); }

}  // namespace loglog::client::rules

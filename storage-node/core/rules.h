// The rules that a storage node enforces to keep data safe, a function for each decision. The text
// of the rules is spec/04 to 07; proto-spec/vocabulary/rules.h lists all of them. The functions are
// pure: they get plain values and say yes, no or a value, and the caller acts. Only here does the
// node ask removed(), by which the mutation score takes a rule away. So a search for the name of
// such a rule ends on this page, and a search for its function ends where the node needs it.
#pragma once
#include <algorithm>
#include <cstdint>

#include "proto-spec/disk/segment.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/rules.h"
#include "proto-spec/wire/messages.h"
#include "storage-node/core/log_tail.h"

namespace loglog::storage::rules {

// ---- T: terms, promises and identity

/// T1_instance: a node binds a term to the first instance that seals with it. It accepts a higher
/// term from any instance, and its present term again only from the instance that holds it.
inline bool may_seal(Term term, InstanceId instance, const Promise& held) {
  return term > held.term || (term == held.term && term != Term{} &&
                              (instance == held.instance || removed(Rule::T1_instance)));
}

/// T2_version: a node refuses metadata older than the log's replica set. The same holds for a Seal
/// that names an older version than the Seal before it.
inline bool is_stale(RaftIndex named, RaftIndex known) {
  return named < known && !removed(Rule::T2_version);
}

/// T2_back: a node refuses a leader whose metadata has gone back to an older state.
inline bool refuses_leader(bool metadata_went_back) {
  return metadata_went_back && !removed(Rule::T2_back);
}

/// T3_durable: the promise is durable before any effect of its term. `written` and `requested` are
/// the counters of the newest write that is durable and of the newest write.
inline bool is_promise_durable(std::uint64_t written, std::uint64_t requested) {
  return written >= requested || removed(Rule::T3_durable);
}

/// T3_slots: the promise file has two slots, written in turn. The parity of the counter selects the
/// slot, so each write raises the counter by 1.
inline std::uint64_t promise_counter_step() { return removed(Rule::T3_slots) ? 2 : 1; }

/// T3_twice: both slots hold the promise before the node answers for it.
inline bool writes_both_slots() { return !removed(Rule::T3_twice); }

/// T3_fence: a node refuses every command whose term is below its promise.
inline bool is_fenced(Term commanded, Term promised) {
  return commanded < promised && !removed(Rule::T3_fence);
}

/// T3_fence: work that was begun in a term goes on only while that term is the promised term.
inline bool is_promised_term(Term term, Term promised) {
  return term == promised || removed(Rule::T3_fence);
}

/// T4_identity: logs without an identity file are DATA LOSS, because they belong to a disk whose
/// identity is lost.
inline bool is_identity_lost(bool has_logs) { return has_logs && !removed(Rule::T4_identity); }

/// T4_promise: an unreadable promise is DATA LOSS, because the node may have forgotten a newer
/// leader.
inline bool is_promise_lost(bool unreadable) { return unreadable && !removed(Rule::T4_promise); }

/// T4_lasts: DATA LOSS lasts under every leader until the disk is replaced. `registered`: the
/// metadata names this disk as lost.
inline bool is_disk_lost(bool registered) { return registered && !removed(Rule::T4_lasts); }

/// T4_copy: a directory whose promise count is below the registered count is DATA LOSS, because it
/// is an older copy of the disk.
inline bool is_older_copy(std::uint64_t found, std::uint64_t registered) {
  return registered > found && !removed(Rule::T4_copy);
}

/// T5_join: only Join creates a log on a node. Any other command for a log that is not here is
/// refused.
inline bool only_join_creates_logs() { return !removed(Rule::T5_join); }

/// T5_tombstone: a dropped log leaves a tombstone, which a restart finds again.
inline bool keeps_tombstones() { return !removed(Rule::T5_tombstone); }

/// T7_start: a program does not start on a directory that names a version above its own, and takes
/// no metadata of that version. `highest`: the highest version of records that the program reads.
inline bool may_start(std::uint8_t named, std::uint8_t highest) {
  return named <= highest || removed(Rule::T7_start);
}

/// T7_named: a directory names a version before it holds a record of that version. So the identity
/// is written before the copy of the metadata, and commands wait for it.
inline bool names_version_first() { return !removed(Rule::T7_named); }

// ---- S: seal and recovery

/// S1_barrier: a node reports its state only when nothing is in flight.
inline bool may_report_state(bool write_in_flight) {
  return !write_in_flight || removed(Rule::S1_barrier);
}

/// S1_ack: after a Seal, no acknowledgement of a lower term. The connection for acknowledgements
/// goes to the new leader at once, even while a write of the older term is in flight.
inline bool switches_leader(bool write_in_flight) {
  return !write_in_flight || !removed(Rule::S1_ack);
}

/// S1_ack: an acknowledgement is checked when it is sent. `of_matched_term`: the log is matched in
/// the promised term, and that term placed the tail's last frame.
inline bool may_acknowledge(bool of_matched_term) {
  return of_matched_term || removed(Rule::S1_ack);
}

/// S4_compare: a cut runs only on the state that its Reconcile names.
inline bool is_expected_state(const Tail& here, const Reconcile& m) {
  return (here.end == m.expected_tail && here.chain == m.expected_chain &&
          here.last_term == m.expected_last_term) ||
         removed(Rule::S4_compare);
}

/// S4_alarm: a cut below a known committed offset halts the log. A re-base is no such cut, because
/// the committed bytes that it drops are trimmed or are copied again.
inline bool cuts_committed_bytes(const Reconcile& m, Offset committed, Offset end) {
  return !m.rebase && m.cut < std::min(committed, end) && !removed(Rule::S4_alarm);
}

/// S5_matched: copied bytes come only from a peer that is matched in the term, because bytes of an
/// unmatched log may be cut.
inline bool may_copy_from(bool is_matched, Term matched, Term asked) {
  return (is_matched && matched == asked) || removed(Rule::S5_matched);
}

/// S5_chain: after a copy, tail and chain are compared with the leader's.
inline bool matches_target(const Tail& here, Offset target, Chain target_chain) {
  return here.end == target && (here.chain == target_chain || removed(Rule::S5_chain));
}

// ---- D: order and durability

/// D2: an order must follow exactly the frame that it names. `end` and `last_term` are those of the
/// last frame that is ordered here.
inline bool follows_queue(const Order& m, Offset end, Term last_term) {
  return (m.previous_end == end && m.previous_term == last_term) || removed(Rule::D2);
}

/// D2_newest: orders come only over the sequencer's newest connection.
inline bool closes_older_connections() { return !removed(Rule::D2_newest); }

/// D3: a run matches its digest, when it is staged and when it is ordered. The reference includes
/// the digest, so bytes belong to a name if both references are equal.
inline bool is_same_run(const Reference& bytes, const Reference& named) {
  return bytes == named || removed(Rule::D3);
}

/// D4_sync: a node acknowledges only bytes that are synced.
inline bool syncs_groups() { return !removed(Rule::D4_sync); }

/// D5_matched: the committed offset moves only on a node that is matched in the term.
inline bool may_learn_committed(bool matched) { return matched || removed(Rule::D5_matched); }

/// D5_own: a node's committed offset never passes its own durable tail.
inline Offset committed_here(Offset leader_committed, Offset durable_end) {
  return removed(Rule::D5_own) ? leader_committed : std::min(leader_committed, durable_end);
}

/// D5_back: a node's committed offset never moves back.
inline bool moves_committed(Offset before, Offset now) {
  return now > before || (now < before && removed(Rule::D5_back));
}

/// D6_pinned: ordered runs do not expire from staging.
inline bool may_expire(bool ordered) { return !ordered || removed(Rule::D6_pinned); }

/// D6_space: the next run to be written always finds staging space. No limit holds for a run that
/// is ordered, so that a full memory cannot stop the log.
inline bool ordered_runs_pass_limits() { return !removed(Rule::D6_space); }

// ---- K: disk

/// K3_marks: bad bytes below the mark make the log suspect, because they may have been
/// acknowledged.
inline bool is_suspect(bool damaged, Offset end, Offset mark) {
  return (damaged || end < mark) && !removed(Rule::K3_marks);
}

/// K3_front: missing first files that no trim explains are damage.
inline bool misses_front(Offset first_kept, Offset trimmed) {
  return first_kept > trimmed && !removed(Rule::K3_front);
}

/// K3_front: missing files do not move the offset at which a log begins for readers, so that they
/// ask another replica.
inline Offset first_for_readers(Offset first_kept, Offset trimmed) {
  return removed(Rule::K3_front) ? first_kept : std::min(first_kept, trimmed);
}

/// K3_cut: a cut lowers the marks first. The marks that name an open hole are written in any case.
inline bool writes_marks_before_cut(bool hole_stays_open) {
  return hole_stays_open || !removed(Rule::K3_cut);
}

/// K5_reserve: space is reserved before bytes are ordered into it. A new file is prepared with its
/// space in any case.
inline bool needs_reserved_space(bool opens_file) {
  return opens_file || !removed(Rule::K5_reserve);
}

/// K7_error: an error of listing, opening or reading at start does not mean absence; it ends the
/// start.
inline bool ends_start_on_error() { return !removed(Rule::K7_error); }

// ---- J: the node's journal. The parts in store/journal ask these functions.

/// J1_sync: the groups of a record are durable only after the record is synced.
inline bool syncs_records() { return !removed(Rule::J1_sync); }

/// J2_free: a journal file is written again only if no log needs a record in it.
inline bool may_write_again(bool occupied) { return !occupied || removed(Rule::J2_free); }

/// J2_slot: a journal file's slot is durable before a record goes there.
inline bool syncs_slot() { return !removed(Rule::J2_slot); }

/// J3_begun: a sync covers the bytes that were written before it began. `now`: the last record with
/// bytes there when the sync ends.
inline RecordNumber sync_covers(RecordNumber begun, RecordNumber now) {
  return removed(Rule::J3_begun) ? now : begun;
}

/// J3_ended: marks that are written with a sync name the floor that earlier syncs have reached, and
/// not the floor that this sync will reach.
inline RecordNumber floor_in_marks(RecordNumber reached, RecordNumber after_this_sync) {
  return removed(Rule::J3_ended) ? after_this_sync : reached;
}

/// J3_durable: marks name no record that is not durable, because a torn record's number is used
/// again.
inline RecordNumber floor_named(RecordNumber floor, RecordNumber newest_durable) {
  return removed(Rule::J3_durable) ? floor : std::min(floor, newest_durable);
}

/// J3_open: a group begins a new segment only after all bytes of the segment before are synced.
inline bool may_open_segment(bool synced) { return synced || removed(Rule::J3_open); }

/// J4_marks: bytes leave the segments only after the marks name a floor at or above the last record
/// with bytes there. `named`: see named_by_slots().
inline bool may_lose_bytes(RecordNumber named, RecordNumber last) {
  return named >= last || removed(Rule::J4_marks);
}

/// J4_slots: the marks name a floor only if both slots do, because rot of the newer slot makes the
/// older slot count.
inline RecordNumber named_by_slots(RecordNumber older, RecordNumber newer) {
  return removed(Rule::J4_slots) ? newer : std::min(older, newer);
}

/// J4_skip: a replay skips the records up to the log's floor, because their bytes may have been cut
/// since.
inline bool is_replayed(RecordNumber record, RecordNumber floor) {
  return record > floor || removed(Rule::J4_skip);
}

/// J5_loss: a record that is missing below the newest durable record was lost; it does not end the
/// journal.
inline bool is_loss() { return !removed(Rule::J5_loss); }

/// J5_suspect: a lost record may have held bytes of every log whose floor is below it.
inline bool misses_bytes(RecordNumber floor, RecordNumber lost) {
  return floor < lost && !removed(Rule::J5_suspect);
}

/// J5_chain: a record counts only if the record after it names its checksum.
inline bool is_successor(std::uint64_t previous, std::uint64_t checksum) {
  return previous == checksum || removed(Rule::J5_chain);
}

/// J6_one: one write of the journal is under way at a time.
inline bool may_begin_write(bool under_way) { return !under_way || removed(Rule::J6_one); }

/// J6_wipe: a torn record is wiped before its number is used again, because the next record may
/// bring the bytes that the torn record lacks.
inline bool wipes_torn_records() { return !removed(Rule::J6_wipe); }

/// J7_missing: a journal that must exist and does not is DATA LOSS.
inline bool is_journal_missing(bool must_exist, bool exists) {
  return must_exist && !exists && !removed(Rule::J7_missing);
}

/// J7_foreign: a journal of another cluster or disk is DATA LOSS.
inline bool is_foreign_journal(bool differs) { return differs && !removed(Rule::J7_foreign); }

/// J9_barrier: a log is not at rest while its group waits for a record or for the record's sync.
inline bool awaits_record(bool held) { return held && !removed(Rule::J9_barrier); }

// ---- R: reads and trims

/// R1_committed: a reader sees nothing at or past the committed offset, and nothing that is not
/// durable here.
inline Offset readable_end(Offset committed, Offset durable_end) {
  return removed(Rule::R1_committed) ? durable_end : std::min(committed, durable_end);
}

/// R1_lagging: a node that lags does not claim that the log has no more entries. Only a matched
/// node knows the log's end, and it lags while it misses committed bytes.
inline bool may_claim_end(Offset at, Offset committed, Offset leader_committed, bool is_matched) {
  return (at >= committed && at >= leader_committed && is_matched) || removed(Rule::R1_lagging);
}

/// R3_committed: a trim never passes the committed offset. `readable_end` is the committed offset
/// as far as the log is durable here.
inline Offset trim_limit(Offset wanted, Offset readable_end) {
  return removed(Rule::R3_committed) ? wanted : std::min(wanted, readable_end);
}

// ---- V: observed commits

/// V2_sent: a node reports only while it is matched in the term and has no hole. `acknowledged`:
/// the node may acknowledge the run to the leader of the term that ordered it.
inline bool may_report_run(bool acknowledged, bool has_hole) {
  return (acknowledged && !has_hole) || removed(Rule::V2_sent);
}

// ---- P: transfers between peers

/// P1_asked: a node bounds the bytes that it has asked of its peers, over all its logs.
inline bool bounds_asked_bytes() { return !removed(Rule::P1_asked); }

/// P1_asked: bytes are asked for only while they keep within the limit.
inline bool may_ask_for(std::uint64_t bytes, std::uint64_t limit) {
  return bytes <= limit || !bounds_asked_bytes();
}

/// P2_given: a node bounds the bytes queued for its peers, whatever they ask for. A peer of which
/// nothing is under way is always served, so that the largest run passes.
inline bool may_give(std::uint64_t under_way_to_peer, bool fits) {
  return under_way_to_peer == 0 || fits || removed(Rule::P2_given);
}

}  // namespace loglog::storage::rules

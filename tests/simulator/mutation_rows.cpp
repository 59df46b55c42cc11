// A row is {name, rules, plans, argument}. An argument names the row or the unit test that proves
// the rule in another way.
#include "tests/simulator/mutation_rows.h"

namespace loglog::simulator {

namespace {
/// Why no run can find the rules of the journal. Unit tests of storage-node/core/store/journal do;
/// their titles have the rules' names.
constexpr std::string_view no_journal = "the journal is not wired into the simulated node yet";
}  // namespace

const std::vector<MutationRow>& mutation_rows() {
  using enum Rule;
  static const std::vector<MutationRow> rows = {
      {"T1_number", {T1_number}},
      {"T1_instance",
       {T1_instance},
       "split leaders",
       "no second instance gets the number: it is minted where a BeginTerm is applied, one to each "
       "Raft index (T1_number, C3), and used by "
       "the instance that this command names alone (T2_committed). Row T1 removes the number too"},
      {"T1", {T1_number, T1_instance}},
      {"T2_committed", {T2_committed}},
      {"T7_read", {T7_read}, "raised"},
      {"T7_named", {T7_named}, "raised"},
      {"T7_start", {T7_start}, "raised"},
      {"T7_seal",
       {T7_seal},
       "raised",
       "a program that is too old comes only between the leader's question and the commit, or with "
       "an empty directory, and a careful operator does neither: no plan does. A unit test of the "
       "sequencer does (a node whose program does not read the version takes no part)"},
      {"T2_version",
       {T2_version},
       "leaders replaced",
       "a log's nodes are given once, by MakeLog. A disk takes another's place by a command that "
       "begins a term (C1_term), so a message "
       "about "
       "the older set is of an older term (T3_fence); a seal of a higher term comes with its own "
       "BeginTerm applied (T2_committed)"},
      {"T2_back", {T2_back}, "old_directories"},
      {"T3_twice", {T3_twice}, "rotten_promises"},
      {"T3_durable", {T3_durable}, "split"},
      {"T3_slots", {T3_slots}, "torn_promises"},
      {"T3_fence", {T3_fence}, "slow_disks leaders split"},
      {"T4_disk", {T4_disk}, "lost_disks"},
      {"T4_identity",
       {T4_identity},
       "lost_files lost_names",
       "a node that finds no identity makes a new one, which is another disk than the member's: "
       "T4_disk refuses it. Row "
       "T4_identity+T4_disk removes both"},
      {"T4_identity+T4_disk", {T4_identity, T4_disk}, "lost_names"},
      {"T4_promise",
       {T4_promise},
       "lost_files",
       "a promise that cannot be read has a count of 0, which is below what the cluster was told: "
       "T4_copy finds the node. Row "
       "T4_promise+T4_copy removes both"},
      {"T4_promise+T4_copy", {T4_promise, T4_copy}, "lost_files"},
      {"T4_copy", {T4_copy}, "older_copies"},
      {"T4_tail", {T4_tail}, "lost_tails"},
      {"T4_lasts", {T4_lasts}, "found_losses"},
      {"T4+T5_join", {T4_disk, T4_tail, T5_join}, "lost_disks"},
      {"T5_join", {T5_join}, "lost_witnesses lost_logs"},
      {"T5_open", {T5_open}, "names kills"},
      {"T5_tombstone",
       {T5_tombstone},
       "names",
       "no JOIN comes after a DROP: the deletion is committed before, its id is given to no other "
       "log (T5_ids), an older leader is fenced "
       "(T3_fence), and nothing but JOIN makes a log (T5_join). It counts once a node can leave a "
       "set and come back. Row "
       "T5_tombstone+T5_ids removes both"},
      {"T5_tombstone+T5_ids", {T5_tombstone, T5_ids}, "names"},
      {"T5_ids", {T5_ids}, "names"},
      {"T6_made", {T6_made}, "late_commands"},
      {"T6_repeat", {T6_repeat}, "late_commands"},
      {"T6_seen", {T6_seen}, "late_commands"},
      {"T6_disk", {T6_disk}, "late_replacements"},
      {"S1_barrier",
       {S1_barrier},
       "split slow_disks",
       "what is in flight when the state is told is acknowledged to nobody, since the node is "
       "matched no more (S1_ack), and a cut made for "
       "the told tail does not run on the longer one (S4_compare). Row S1 removes both"},
      {"S1_ack",
       {S1_ack},
       "split slow_disks",
       "an acknowledgement sent after SEAL is of the one group that was in flight, and the state "
       "waits for it (S1_barrier): the tail told "
       "holds all that was acknowledged. Row S1 removes both"},
      {"S1", {S1_barrier, S1_ack}, "split"},
      {"S2_quorum", {S2_quorum}, "strands slow_disks"},
      {"S2_suspect", {S2_suspect}, "decay"},
      {"S2_lost", {S2_lost}, "lost_witnesses"},
      {"S3_rank", {S3_rank}, "strands"},
      {"S3_once", {S3_once}, "mute"},
      {"S4_compare",
       {S4_compare},
       "late_orders",
       "a second guard: over the one connection that counts (D2_newest) a leader orders nothing "
       "between the state it was told and its "
       "command. Row S4_compare+D2_newest removes both"},
      {"S4_compare+D2_newest", {S4_compare, D2_newest}, "late_orders"},
      {"S4_divergence", {S4_divergence}, "strands storm"},
      {"S4_durable", {S4_durable}, "late_cuts"},
      {"S4_alarm",
       {S4_alarm},
       "",
       "a net: S2, S3, S4_divergence, S6 and K3 leave no cut below what a node knows as committed; "
       "with S6_term removed too it is what "
       "stands between a halted log and a lost entry (row S4_alarm+S6_term)"},
      {"S4_alarm+S6_term", {S4_alarm, S6_term}, "eights"},
      {"S5_matched", {S5_matched}, "two_logs"},
      {"S5_chain",
       {S5_chain},
       "",
       "a net below S5_matched: a peer that is matched in the term holds the leader's bytes (S4, "
       "D2), and each frame that is copied "
       "proves its log, place and payload; what it stops shows with S5_matched and the next net "
       "removed (row S5+D4_chain)"},
      {"S5", {S5_matched, S5_chain}, "two_logs"},
      {"S5+D4_chain", {S5_matched, S5_chain, D4_chain}, "two_logs"},
      {"S6_quorum", {S6_quorum}, "minimal_core leaders"},
      {"S6_term", {S6_term}, "eights"},
      {"S7_commit",
       {S7_commit},
       "",
       "a Commit names its term (A1_term), and a client learns a term from TermIs alone, which "
       "goes out once the term start is "
       "committed (S7_told); row S7 removes both"},
      {"S7_told", {S7_told}, "eights"},
      {"S7", {S7_commit, S7_told}, "eights"},
      {"S7_rest", {S7_rest}, "resting"},
      {"S8_deadline", {S8_deadline}, "lost_base"},
      {"S8_movement", {S8_movement}, "parted"},
      {"S8_base",
       {S8_base},
       "parted",
       "a new term chooses among the first answers that are a seal quorum, in an order of chance: "
       "without the rule some later term leaves "
       "that base out by itself. The rule bounds the time that this takes"},
      {"D1", {D1}, "forgotten"},
      {"D2", {D2}, "wire split"},
      {"D2_newest", {D2_newest}, "newest"},
      {"D3", {D3}, "bits"},
      {"D3+A6_number", {D3, A6_number}, "clients wire"},
      {"D4_sync", {D4_sync}, "power page_cache"},
      {"D4_chain",
       {D4_chain},
       "",
       "a net: D2, D3 and S5 leave no two replicas with other bytes below an offset that both "
       "acknowledge; what it stops shows with one "
       "of them removed (rows D4_chain+D2, S5+D4_chain)"},
      {"D4_chain+D2", {D4_chain, D2}, "wire"},
      {"D5_matched", {D5_matched}, "decay storm strands"},
      {"D5_own", {D5_own}, "network"},
      {"D5_back", {D5_back}, "eights"},
      {"D6_pinned",
       {D6_pinned},
       "",
       "the order queue holds the bytes of what was ordered (OrderQueue::Ordered::frames); the pin "
       "keeps them counted, and found by "
       "FetchRun. Where they are gone, as after a crash, Missing and UploadAgain bring them, or a "
       "new term drops the run (D1), which "
       "nobody has acknowledged (D4_sync)"},
      {"D6_space", {D6_space}, "crowded_of_all"},
      {"K1", {K1}, "failed_syncs"},
      {"K2", {K2}, "failed_syncs"},
      {"K3_marks", {K3_marks}, "decay"},
      {"K3_cut", {K3_cut}, "dark"},
      {"K3_front", {K3_front}, "first_files"},
      {"K4_count", {K4_count}, "decay"},
      {"K5_reserve", {K5_reserve}, "filling_disks"},
      {"K6", {K6}, "decay bits"},
      {"K7_error", {K7_error}, "failing_starts"},
      {"J1_sync", {J1_sync}, "", no_journal},
      {"J2_free", {J2_free}, "", no_journal},
      {"J2_slot", {J2_slot}, "", no_journal},
      {"J3_begun", {J3_begun}, "", no_journal},
      {"J3_ended", {J3_ended}, "", no_journal},
      {"J3_durable", {J3_durable}, "", no_journal},
      {"J3_open", {J3_open}, "", no_journal},
      {"J4_marks", {J4_marks}, "", no_journal},
      {"J4_slots", {J4_slots}, "", no_journal},
      {"J4_skip", {J4_skip}, "", no_journal},
      {"J5_loss", {J5_loss}, "", no_journal},
      {"J5_suspect", {J5_suspect}, "", no_journal},
      {"J5_chain", {J5_chain}, "", no_journal},
      {"J6_one", {J6_one}, "", no_journal},
      {"J6_wipe", {J6_wipe}, "", no_journal},
      {"J7_missing", {J7_missing}, "", no_journal},
      {"J7_foreign", {J7_foreign}, "", no_journal},
      {"J9_barrier", {J9_barrier}, "", no_journal},
      {"C1_term", {C1_term}, "replaced replaced_of_five"},
      {"C1_back",
       {C1_back},
       "replaced replaced_of_five",
       "what it prevents takes an append on the new disk, a leader that dies before it has made "
       "that the member, and an operator who puts "
       "the old one back at that moment. Unit tests of the metadata and of the sequencer do (an "
       "old disk never comes back)"},
      {"C1_seal", {C1_seal}, "replaced replaced_of_five"},
      {"C2_default", {C2_default}, "minimal_core"},
      {"C2_range", {C2_range}, "questions"},
      {"C3_saved", {C3_saved}, "flaps power"},
      {"C3_vote", {C3_vote}, "voters"},
      {"C3_current", {C3_current}, "flaps power"},
      {"C3_own_term", {C3_own_term}, "old_entries"},
      {"C3_prevote", {C3_prevote}, "comebacks"},
      {"C3_empty", {C3_empty}, "newcomers newcomers_of_five"},
      {"C3_lost", {C3_lost}, "damaged_raft_logs"},
      {"C3_asked",
       {C3_asked},
       "newcomers newcomers_of_five",
       "what it prevents takes a vote, the loss of that voter's disk, and two leaders that do not "
       "hear each other and both hear the "
       "newcomer, within one election. Unit tests of Raft do (the highest term of all others is "
       "taken over before anything else)"},
      {"C3_reset",
       {C3_reset},
       "newcomers newcomers_of_five",
       "what it prevents takes an entry of which a minority of five has told the leader, one of "
       "that minority losing its disk at that "
       "moment. A unit test of Raft does (what it held counts no more)"},
      {"C3_link", {C3_link}, "second_processes"},
      {"C3_quorum", {C3_quorum}, "deaf_leader"},
      {"R1_committed", {R1_committed}, "slow_disks strands"},
      {"R1_position", {R1_position}, "trims"},
      {"R1_lagging", {R1_lagging}, "rereads"},
      {"R2_confirm", {R2_confirm}, "every_disk leaders"},
      {"R2_quorum", {R2_quorum}, "two_leaders"},
      {"R2_reached", {R2_reached}, "observers"},
      {"R2_logs", {R2_logs}, "stale_leaders"},
      {"R3_committed", {R3_committed}, "wild_trims"},
      {"R3_back", {R3_back}, "wild_trims"},
      {"R5_bytes", {R5_bytes}, "retention"},
      {"R5_age", {R5_age}, "retention_by_age"},
      {"R5_clock", {R5_clock}, "astray_clocks"},
      {"R5_minority", {R5_minority}, "astray_clocks"},
      {"R5_agree",
       {R5_agree},
       "astray_clocks",
       "one clock of three is wrong at a time, and a majority of the others decides (R5_clock). It "
       "counts where a majority was set "
       "alike, which no rule can tell from the right time but by waiting. Row R5_clock+R5_agree "
       "removes both"},
      {"R5_clock+R5_agree", {R5_clock, R5_agree}, "astray_clocks"},
      {"R6_before", {R6_before}, "points_in_time"},
      {"A1_term", {A1_term}, "late_commits"},
      {"A1_first", {A1_first}, "narrow"},
      {"A1_next", {A1_next}, "narrow"},
      {"A1_repeat", {A1_repeat}, "network"},
      {"A1_settled", {A1_settled}, "clients wire"},
      {"A2", {A2}, "network"},
      {"A3_resolve", {A3_resolve}, "kills"},
      {"A3_from", {A3_from}, "lost_answers"},
      {"A3_until", {A3_until}, "kills"},
      {"A4", {A4}, "amnesia"},
      {"A5", {A5}, "clipped"},
      {"A6_refusal", {A6_refusal}, "clients amnesia"},
      {"A6_unknown", {A6_unknown}, "wire"},
      {"A6_number", {A6_number}, "wire"},
      {"V1_bound", {V1_bound}, "running_ahead"},
      {"V1_drop", {V1_drop}, "stalled_uploads"},
      {"V2_quorum", {V2_quorum}, "observers"},
      {"V2_same", {V2_same}, "observers"},
      {"V2_member",
       {V2_member},
       "observers replaced",
       "a node is matched in a term by its leader alone, which matches the disks of its term's set "
       "(T4_disk), and a disk that is replaced "
       "begins another term (C1_term): nobody else says RunDurable of the term"},
      {"V2_stands", {V2_stands}, "observed_tails"},
      {"V2_sent",
       {V2_sent},
       "observers",
       "a node that is sealed by a later term answers it once what was in flight is durable "
       "(S1_barrier), so that what it says of it is "
       "found in the base"},
      {"V2_sent+S1", {V2_sent, S1_barrier}, "late_observations"},
      {"V2_ordered",
       {V2_ordered},
       "observers",
       "what it prevents takes a node that the leader does not hear, damage below its mark in the "
       "same term, and its peers away when it "
       "is filled: no weather makes that by chance. A unit test of the sequencer does (a hole is "
       "filled to what was ordered)"},
      {"F1_end", {F1_end}, "conditions"},
      {"F1_term", {F1_term}, "conditions"},
      {"F1_held", {F1_held}, "conditions"},
      {"F1_beyond", {F1_beyond}, "divided_writers"},
      {"F1_settled", {F1_settled}, "beyond"},
      {"F1_gap", {F1_gap}, "conditions"},
      {"F2_refuse", {F2_refuse}, "fences"},
      {"F2_back", {F2_back}, "fences"},
      {"F2_held", {F2_held}, "fences"},
      {"P1_asked", {P1_asked}, "short_gaps"},
      {"P2_given", {P2_given}, "greedy_peers"},
      {"P3_copied", {P3_copied}, "starved"},
      {"P4_turns",
       {P4_turns},
       "many_logs",
       "without it nothing breaks: what is asked for is bounded over all logs (P1_asked), and a "
       "copy that moves lives (P4_moves). It lets "
       "the first of many logs be whole soon. A unit test of the sequencer counts the copies of a "
       "node that comes back to many logs"},
      {"P4_moves",
       {P4_moves},
       "large_runs",
       "what it prevents takes a copy that goes on for longer than ten steps of a recovery, on a "
       "link that is not slow enough to count as "
       "silent: minutes of simulated time. Unit tests of the sequencer do (a copy that moves is "
       "not cancelled, and no reason for a new "
       "term)"},
  };
  return rows;
}

}  // namespace loglog::simulator

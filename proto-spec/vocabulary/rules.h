// The rules that keep data safe (spec/04 to 07), by name, with a sentence each. The mutation score
// (tests/simulator) builds the cores with LOGLOG_MUTATIONS, removes a rule at run time, and must
// then find the damage that the rule prevents. In every other build removed() is a constant false,
// so the switches cost nothing.
//
// A rule with separable parts has a switch for each part. Each component has a page, core/rules.h,
// with a function for every part that it enforces. Only these functions call removed(), so that a
// search for a rule's name ends at the decision that enforces it.
//
// Five rules have no such function, because no decision of a core enforces them. An operation of
// the disk does, or the order of operations. The mutation score removes these rules in the
// simulator's disks and processes.
// - S4_durable: TruncateLog in storage-node/io/posix_segment_directory.cpp ends with an fsync, and
//   a store tells News::cut only after its DiskDone (GroupWriter::done()).
// - K1: SegmentDirectory::make_durable() runs before the core reads a file.
// - K2: StorageDriver::disk_done() gives the core no further result, and the process ends.
// - K6: in posix_segment_directory.cpp only UnlinkSegments keeps a file to be written again, and
//   only if it is `trimmed`, as LogStore::trim() says. TruncateLog keeps none.
// - C3_saved: an answer is the `then` of its save, and Raft::save_done() alone calls it.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#ifdef LOGLOG_MUTATIONS
#include <bitset>
#endif

// clang-format off
#define LOGLOG_RULES(X)                                                                           \
  X(T1_number)     /* a new term's number is above every earlier term's number */                 \
  X(T1_instance)   /* a node binds a term to the first instance that seals with it */             \
  X(T2_committed)  /* a leader seals only after its BeginTerm is committed and applied */         \
  X(T2_version)    /* a node refuses metadata older than the log's replica set */                 \
  X(T2_back)       /* a node refuses a leader whose metadata has gone back to an older state */   \
  X(T3_durable)    /* the promise is durable before any effect of its term */                     \
  X(T3_slots)      /* the promise file has two slots, written in turn */                          \
  X(T3_twice)      /* both slots hold the promise before the node answers for it */               \
  X(T3_fence)      /* a node refuses every command whose term is below its promise */             \
  X(T4_disk)       /* a member is (node, disk); another disk under the same node id is refused */ \
  X(T4_identity)   /* logs without an identity file are DATA LOSS */                              \
  X(T4_promise)    /* an unreadable promise is DATA LOSS */                                       \
  X(T4_lasts)      /* DATA LOSS lasts under every leader until the disk is replaced */            \
  X(T4_tail)       /* a tail below the acknowledged offset of this term is DATA LOSS */           \
  X(T4_copy)       /* a directory whose promise count is below the registered count is DATA       \
                      LOSS */                                                                     \
  X(T5_join)       /* only Join creates a log on a node */                                        \
  X(T5_open)       /* a log opens only after all members have joined */                           \
  X(T5_tombstone)  /* a dropped log leaves a tombstone */                                         \
  X(T5_ids)        /* log ids are never reused */                                                 \
  X(T6_made)       /* a request creates a log only if no log of its name was deleted since the    \
                      request */                                                                  \
  X(T6_repeat)     /* the repeat of a creation is answered with the log that the first copy       \
                      created */                                                                  \
  X(T6_seen)       /* a setting changes only if nothing has changed it since the request */       \
  X(T6_disk)       /* a disk is replaced only if it is the disk that the request names as gone */ \
  X(T7_read)       /* the cluster's version rises only if every voter and every registered node   \
                      reads it */                                                                 \
  X(T7_named)      /* a directory names a version before it holds a record of that version */     \
  X(T7_start)      /* a program does not start on a directory that names a version above its      \
                      own */                                                                      \
  X(T7_seal)       /* a leader seals no node whose program does not read the cluster's version */ \
  X(S1_barrier)    /* a node reports its state only when nothing is in flight */                  \
  X(S1_ack)        /* after a Seal, no acknowledgement of a lower term (checked when it is sent,  \
                      D4) */                                                                      \
  X(S2_quorum)     /* a seal quorum is N - W + 1 answers */                                       \
  X(S2_suspect)    /* a suspect answer raises the seal quorum by an answer */                     \
  X(S2_lost)       /* members with DATA LOSS do not count for the seal quorum */                  \
  X(S3_rank)       /* the base has the highest last term; among equals, the longest tail */       \
  X(S3_once)       /* a term has a single base */                                                 \
  X(S4_compare)    /* a cut runs only on the state that its Reconcile names */                    \
  X(S4_divergence) /* a cut goes to the point where the lists of term starts diverge */           \
  X(S4_durable)    /* a cut is durable before new bytes are written */                            \
  X(S4_alarm)      /* a cut below a known committed offset halts the log */                       \
  X(S5_matched)    /* copied bytes come only from a peer that is matched in the term */           \
  X(S5_chain)      /* after a copy, tail and chain are compared with the leader's */              \
  X(S6_quorum)     /* the committed offset needs W acknowledgements */                            \
  X(S6_term)       /* an acknowledgement counts only if this term placed the tail's last frame */ \
  X(S7_commit)     /* no append is taken before the term start is committed */                    \
  X(S7_told)       /* nobody learns the term start's offset before it is committed */             \
  X(S7_rest)       /* every matched member of a resting log knows all of it as committed */       \
  X(S8_deadline)   /* a recovery without movement is begun anew in another term */                \
  X(S8_movement)   /* only a longer tail or another matched replica counts as movement */         \
  X(S8_base)       /* a base that gave no peer bytes is passed over if a seal quorum exists       \
                      without it */                                                               \
  X(D1)            /* an offset is ordered at most once in a term */                              \
  X(D2)            /* an order must follow exactly the frame that it names */                     \
  X(D2_newest)     /* orders come only over the sequencer's newest connection */                  \
  X(D3)            /* a run matches its digest, when it is staged and when it is ordered */       \
  X(D4_sync)       /* a node acknowledges only bytes that are synced */                           \
  X(D4_chain)      /* equal offsets have equal chains; otherwise the log halts */                 \
  X(D5_matched)    /* the committed offset moves only on a node that is matched in the term */    \
  X(D5_own)        /* a node's committed offset never passes its own durable tail */              \
  X(D5_back)       /* a node's committed offset never moves back */                               \
  X(D6_pinned)     /* ordered runs do not expire from staging */                                  \
  X(D6_space)      /* the next run to be written always finds staging space */                    \
  X(K1)            /* bytes found at start are made durable before they are reported */           \
  X(K2)            /* a failed write ends the process */                                          \
  X(K3_marks)      /* bad bytes below the mark make the log suspect */                            \
  X(K3_front)      /* missing first files that no trim explains are damage */                     \
  X(K3_cut)        /* a cut lowers the marks first */                                             \
  X(K4_count)      /* a log with a hole does not count towards W and gives no bytes to peers */   \
  X(K5_reserve)    /* space is reserved before bytes are ordered into it */                       \
  X(K6)            /* a file is reused only if its old bytes lie below every offset that its log  \
                      will get */                                                                 \
  X(K7_error)      /* an error of listing, opening or reading at start does not mean absence */   \
  X(J1_sync)       /* a journalled group is acknowledged only after its record is synced */       \
  X(J2_free)       /* a journal file is written again only if no log needs a record in it */      \
  X(J2_slot)       /* a journal file says durably from which record on it counts before a record  \
                      goes there */                                                               \
  X(J3_begun)      /* a sync makes durable only what was written before it began */               \
  X(J3_ended)      /* marks name the journal floor that earlier syncs have reached */             \
  X(J3_durable)    /* marks name no record that is not durable */                                 \
  X(J3_open)       /* a segment begins only after the segment before is synced */                 \
  X(J4_marks)      /* bytes leave the segments only after the marks name the records that hold    \
                      them */                                                                     \
  X(J4_slots)      /* both slots of the marks name them */                                        \
  X(J4_skip)       /* a replay skips records up to the log's journal floor */                     \
  X(J5_loss)       /* a missing record below the newest durable record was lost */                \
  X(J5_suspect)    /* a lost record makes every log suspect whose floor is below it */            \
  X(J5_chain)      /* a record counts only if the record after it names its checksum */           \
  X(J6_one)        /* one write of the journal is under way at a time */                          \
  X(J6_wipe)       /* a torn record is wiped before its number is used again */                   \
  X(J7_missing)    /* a journal that must exist and does not is DATA LOSS */                      \
  X(J7_foreign)    /* a journal of another cluster or disk is DATA LOSS */                        \
  X(J9_barrier)    /* a log waits for its record before its state is told */                      \
  X(C1_term)       /* a replaced disk takes no part in any later term */                          \
  X(C1_back)       /* a replaced disk never comes back as a member */                             \
  X(C1_seal)       /* a new disk answers no seal before it is a member */                         \
  X(C2_default)    /* the default write quorum is the majority */                                 \
  X(C2_range)      /* 1 <= W <= N */                                                              \
  X(C3_saved)      /* term, vote and entries are durable before the sequencer answers for them */ \
  X(C3_vote)       /* a sequencer votes once in a Raft term */                                    \
  X(C3_current)    /* a vote goes only to a candidate whose log is at least as current */         \
  X(C3_own_term)   /* a leader commits by counting only entries of its own Raft term */           \
  X(C3_prevote)    /* pre-vote */                                                                 \
  X(C3_empty)      /* a sequencer that lost its disk neither votes nor stands until it is up to   \
                      date */                                                                     \
  X(C3_lost)       /* the same holds if the durable log ends before its mark */                   \
  X(C3_asked)      /* an undecided sequencer takes a term not below any term that the others      \
                      know */                                                                     \
  X(C3_reset)      /* a newcomer counts for a majority only by entries acknowledged anew */       \
  X(C3_link)       /* a displaced link between sequencers is closed, so that its end dials        \
                      anew */                                                                     \
  X(C3_quorum)     /* check-quorum */                                                             \
  X(R1_committed)  /* a reader sees nothing at or past the committed offset */                    \
  X(R1_position)   /* a trimmed position is reported; the reader's position is not moved */       \
  X(R1_lagging)    /* a node that lags does not claim that the log has no more entries */         \
  X(R2_confirm)    /* a tail is told after members have confirmed the term since the request */   \
  X(R2_quorum)     /* max(W, N - W + 1) members confirm */                                        \
  X(R2_reached)    /* a tail is told after committed has reached the confirmers' largest tail */  \
  X(R2_logs)       /* the absence of a log is told after a majority has confirmed the lead */     \
  X(R3_committed)  /* a trim never passes the committed offset */                                 \
  X(R3_back)       /* a trim point never moves back */                                            \
  X(A1_term)       /* a commit of another term is refused */                                      \
  X(A1_first)      /* an unknown producer begins right after its settled sequence */              \
  X(A1_next)       /* a known producer goes on without a gap */                                   \
  X(A1_repeat)     /* a repeated commit is answered, not ordered again */                         \
  X(A1_settled)    /* settled sequence numbers may be skipped */                                  \
  X(A2)            /* a producer is never forgotten within a term */                              \
  X(A3_resolve)    /* in a new term a producer resolves its unsettled entries before it           \
                      commits */                                                                  \
  X(A3_from)       /* resolution reads from the committed offset known before the first commit */ \
  X(A3_until)      /* resolution reads exactly up to the new term's start */                      \
  X(A4)            /* each entry of a run is judged alone */                                      \
  X(A5)            /* an entry in a trimmed range is unknown, not absent */                       \
  X(A6_refusal)    /* a refusal means failed only if no earlier commit can have been taken */     \
  X(A6_unknown)    /* a deadline that passes after a commit means outcome unknown */              \
  X(A6_number)     /* the sequence number of a failed entry is given to no other entry */         \
  X(V1_bound)      /* the leader bounds the ordered runs that no replica holds */                 \
  X(V1_drop)       /* a run that stays missing is dropped by a new term, whatever its producer    \
                      promises */                                                                 \
  X(V2_quorum)     /* a client observes a commit after W members have reported it */              \
  X(V2_same)       /* the reports name the term and offset of the client's own commit */          \
  X(V2_member)     /* the reports come from members of the term's set, as its leader tells it */  \
  X(V2_stands)     /* reports count only while their connection stands; a restarted node may have \
                      lost them */                                                                \
  X(V2_sent)       /* a node reports only while it is matched in the term and has no hole */      \
  X(R5_bytes)      /* retention leaves at least as many bytes as it names */                      \
  X(R5_age)        /* retention leaves entries younger than the age that it names */              \
  X(R5_clock)      /* a majority's least clock decides age; a majority's greatest clock stamps    \
                      frames */                                                                   \
  X(R5_minority)   /* while no majority's clocks are known, a stamp says that nobody knows the    \
                      time */                                                                    \
  X(R5_agree)      /* nothing is trimmed by age while the sequencers' clocks differ */            \
  X(R6_before)     /* a point in time is found at a start frame whose clock is before it */       \
  X(F1_end)        /* a conditional run is ordered only if no run lies at or above its expected   \
                      offset */                                                                   \
  X(F1_term)       /* no run of an earlier term may lie there either */                           \
  X(F1_held)       /* a refusal is told after the runs that stand in the way are committed */     \
  X(F1_beyond)     /* a refusal beyond the end is told after members have confirmed the term */   \
  X(F1_settled)    /* a refusal beyond the end is final: it uses up the producer's number in the  \
                      term */                                                                     \
  X(F1_gap)        /* a producer moves its expected offset only over a range that it read to be   \
                      empty */                                                                    \
  X(F2_refuse)     /* a producer that names a lower fencing token is refused */                   \
  X(F2_back)       /* a log's fencing token never falls */                                        \
  X(F2_held)       /* a token is told after all that was ordered before it is committed */        \
  X(P1_asked)      /* a node bounds the bytes that it has asked of its peers, over all its        \
                      logs */                                                                     \
  X(P2_given)      /* a node bounds the bytes queued for its peers, whatever they ask for */      \
  X(P3_copied)     /* a replica that misses a committed run is copied */                          \
  X(P4_turns)      /* only a few logs at a time are copied to a node */                           \
  X(P4_moves)      /* a copy that moves is neither cancelled nor a reason for a new term */       \
  X(V2_ordered)    /* a hole is filled up to the ordered end, not to the end that the leader      \
                      heard */
// clang-format on

namespace loglog {

/// A rule, or a separable part of it. The order is that of the table.
enum class Rule : std::uint8_t {
#define LOGLOG_RULE(name) name,
  LOGLOG_RULES(LOGLOG_RULE)
#undef LOGLOG_RULE
};

/// Names in the order of Rule.
inline constexpr std::array rule_names{
#define LOGLOG_RULE(name) std::string_view{#name},
    LOGLOG_RULES(LOGLOG_RULE)
#undef LOGLOG_RULE
};

/// The name in the table, for example "S4_compare".
constexpr std::string_view name_of(Rule r) { return rule_names[static_cast<std::size_t>(r)]; }

/// The rule of that name; nullopt for a name that is not in the table.
constexpr std::optional<Rule> rule_named(std::string_view name) {
  for (std::size_t i = 0; i < rule_names.size(); ++i)
    if (rule_names[i] == name) return static_cast<Rule>(i);
  return std::nullopt;
}

/// True if the running experiment has switched the rule off. `removed_rules` is set before a
/// simulator run and read by the cores; it is not synchronised.
#ifdef LOGLOG_MUTATIONS
inline std::bitset<rule_names.size()> removed_rules;
inline bool removed(Rule r) { return removed_rules.test(static_cast<std::size_t>(r)); }
/// True in the mutation build alone. `if constexpr (mutations)` keeps a misbehaving function out of
/// every other binary.
inline constexpr bool mutations = true;
#else
constexpr bool removed(Rule) { return false; }
inline constexpr bool mutations = false;
#endif

}  // namespace loglog

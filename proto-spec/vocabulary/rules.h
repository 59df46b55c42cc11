// The rules that keep data safe (spec/04 to 07), by name. Simulator builds can remove one and must
// then find what it prevents; everywhere else removed() is a constant false, and nothing of this is
// left in the program.
//
// A rule with separable parts has a switch for each. The line that enforces a part asks removed()
// itself, so that a search for the rule's name ends at its place in the code.
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
#define LOGLOG_RULES(X)                                                                                        \
  X(T1_number)       /* a term's number is above all that were */                                              \
  X(T1_instance)     /* a node binds a term to the first instance that seals with it */                        \
  X(T2_committed)    /* a leader seals only once its begin term is committed and applied */                    \
  X(T2_version)      /* a node refuses older metadata of the replica set */                                    \
  X(T2_back)         /* nor a leader whose metadata has gone back */                                           \
  X(T3_durable)      /* the promise is durable before any effect of its term */                                \
  X(T3_slots)        /* two slots, written in turn */                                                          \
  X(T3_twice)        /* both hold the promise before it is answered for */                                     \
  X(T3_fence)        /* every command below the promise is refused */                                          \
  X(T4_disk)         /* a member is (node, disk): another disk under the same id is refused */                 \
  X(T4_identity)     /* logs without an identity are DATA LOSS */                                              \
  X(T4_promise)      /* an unreadable promise is DATA LOSS */                                                  \
  X(T4_lasts)        /* and lasts until the disk is replaced, whoever leads */                                 \
  X(T4_tail)         /* a tail below what was acknowledged in this term is DATA LOSS */                        \
  X(T4_copy)         /* a directory with fewer writes of the promise than were told of is DATA LOSS */         \
  X(T5_join)         /* only JOIN makes a log on a node */                                                     \
  X(T5_open)         /* a log opens once all members have joined */                                            \
  X(T5_tombstone)    /* a dropped log leaves a tombstone */                                                    \
  X(T5_ids)          /* log ids are never reused */                                                            \
  X(T6_made)         /* a log is made by a request only where none of its name was deleted since it was asked */ \
  X(T6_repeat)       /* and its repeat is answered with what it made */                                        \
  X(T6_seen)         /* a setting is changed only where nothing has changed it since that was asked */         \
  X(T6_disk)         /* a disk is replaced only where it is the one that was said to be gone */                \
  X(S1_barrier)      /* the state is told only when nothing is in flight */                                    \
  X(S1_ack)          /* no acknowledgement of a lower term after SEAL (D4: checked when it is sent) */         \
  X(S2_quorum)       /* N - W + 1 answers */                                                                   \
  X(S2_suspect)      /* one answer more where one is suspect */                                                \
  X(S2_lost)         /* DATA LOSS members do not answer */                                                     \
  X(S3_rank)         /* the base has the highest term first, then the longest tail */                          \
  X(S3_once)         /* one base a term */                                                                     \
  X(S4_compare)      /* a cut runs only on the state it names */                                               \
  X(S4_divergence)   /* and at the point where the term lists part */                                          \
  X(S4_durable)      /* a cut is durable before new bytes */                                                   \
  X(S4_alarm)        /* a cut below a known committed offset halts the log */                                  \
  X(S5_matched)      /* bytes come from a peer that is matched in the term */                                  \
  X(S5_chain)        /* and are checked against the leader's tail and chain */                                 \
  X(S6_quorum)       /* W acknowledgements */                                                                  \
  X(S6_term)         /* whose last frame is of this term */                                                    \
  X(S7_commit)       /* no append before the term start is committed */                                        \
  X(S7_told)         /* and nobody is told where it is */                                                      \
  X(S7_rest)         /* without one, all of the log is known as committed where it is matched */               \
  X(S8_deadline)     /* a recovery that does not move is begun anew in another term */                         \
  X(S8_movement)     /* only a longer tail or one more matched replica is movement */                          \
  X(S8_base)         /* a base that gave nobody bytes is not chosen again where a seal quorum does without */  \
  X(D1)              /* an offset is ordered once in a term */                                                 \
  X(D2)              /* orders follow exactly the frame they name */                                           \
  X(D2_newest)       /* and come over the sequencer's newest connection */                                     \
  X(D3)              /* a run is what its digest says, when staged and when ordered */                         \
  X(D4_sync)         /* acknowledged only when synced */                                                       \
  X(D4_chain)        /* equal offsets have equal chains, or the log halts */                                   \
  X(D5_matched)      /* committed moves only on a node matched in the term */                                  \
  X(D5_own)          /* and never past its own tail */                                                         \
  X(D5_back)         /* and never back */                                                                      \
  X(D6_pinned)       /* ordered runs do not expire */                                                          \
  X(D6_space)        /* the next run to be written always has space */                                         \
  X(K1)              /* what is found at start is made durable before it is reported */                        \
  X(K2)              /* a failed write ends the process */                                                     \
  X(K3_marks)        /* bad bytes below the mark make the log suspect */                                       \
  X(K3_front)        /* files missing in front that no trim explains are damage */                             \
  X(K3_cut)          /* a cut takes the marks down with it */                                                  \
  X(K4_count)        /* a log with a hole does not count towards W and gives no bytes */                       \
  X(K5_reserve)      /* space is reserved before bytes are ordered into it */                                  \
  X(K6)              /* a file is written again only where its bytes stand below all that its log will get */    \
  X(K7_error)        /* an error of listing, opening or reading at a start is not absence */                        \
  X(C1_term)         /* a disk that is replaced takes no part in the terms from then on */                     \
  X(C1_back)         /* and never comes back */                                                                \
  X(C1_seal)         /* and the new one answers no seal before it is a member */                               \
  X(C2_default)      /* the default write quorum is the majority */                                            \
  X(C2_range)        /* 1 <= W <= N */                                                                         \
  X(C3_saved)        /* term, vote and entries are durable before they are answered for */                     \
  X(C3_vote)         /* one vote a term */                                                                     \
  X(C3_current)      /* a vote only for a log that is as current */                                            \
  X(C3_own_term)     /* only entries of the own term are committed by counting */                              \
  X(C3_prevote)      /* pre-vote */                                                                            \
  X(C3_empty)        /* one that lost its disk neither votes nor stands before a leader has brought it up to date */  \
  X(C3_lost)         /* nor one whose durable log ends before its mark */                                     \
  X(C3_asked)        /* of a term not below any that the others knew */                                        \
  X(C3_reset)        /* who counts from then on what it holds anew */                                          \
  X(C3_link)         /* a link between sequencers that is displaced is closed, so that it is dialled anew */     \
  X(C3_quorum)       /* check-quorum */                                                                        \
  X(R1_committed)    /* nothing at or past committed is shown */                                               \
  X(R1_position)     /* a trimmed position is told, not moved */                                               \
  X(R1_lagging)      /* a node that lags does not say that there is no more */                                 \
  X(R2_confirm)      /* a tail is told once members confirm the term after the request */                      \
  X(R2_quorum)       /* max(W, N - W + 1) of them */                                                           \
  X(R2_reached)      /* and once committed has reached the largest tail among them */                          \
  X(R2_logs)         /* that there is no such log is told once a majority confirms the lead */                    \
  X(R3_committed)    /* trim never passes committed */                                                         \
  X(R3_back)         /* and never moves back */                                                                \
  X(A1_term)         /* a commit of another term is refused */                                                 \
  X(A1_first)        /* an unknown producer begins right after what it has settled */                          \
  X(A1_next)         /* a known one goes on without a gap */                                                   \
  X(A1_repeat)       /* a repeat is answered, not ordered again */                                             \
  X(A1_settled)      /* settled entries may be skipped */                                                      \
  X(A2)              /* a producer is never forgotten within a term */                                         \
  X(A3_resolve)      /* unsettled entries are resolved before anything is committed in a new term */           \
  X(A3_from)         /* from what was known before the first commit */                                         \
  X(A3_until)        /* to exactly the new term's start */                                                     \
  X(A4)              /* each entry of a run for itself */                                                      \
  X(A5)              /* what trim has clipped is unknown, not absent */                                        \
  X(A6_refusal)      /* a refusal means failed only where no earlier commit can have been taken */             \
  X(A6_unknown)      /* a deadline that passes after a commit is outcome unknown */                            \
  X(A6_number)       /* a failed entry's number is given to no other */                                        \
  X(V1_bound)        /* the leader bounds the runs it has ordered and no replica holds */                      \
  X(V1_drop)         /* a run that stays missing is dropped by a new term, whoever still promises it */                              \
  X(V2_quorum)       /* a client observes a commit once W members */                                           \
  X(V2_same)         /* say the same term and offset, those of its commit */                                   \
  X(V2_member)       /* members of the term's own set, as its leader tells it */                               \
  X(V2_stands)       /* over connections that stand: one that began anew may have lost what it said */         \
  X(V2_sent)         /* a node says it only while matched in the term, with no hole */                         \
  X(R5_bytes)        /* retention leaves as many bytes as it names */                                          \
  X(R5_age)          /* and what is not older than it names */                                                 \
  X(R5_clock)        /* by the least clock of a majority of sequencers, and stamped with the greatest of one */ \
  X(R5_agree)        /* and not while their clocks differ */                                                   \
  X(R6_before)       /* a point in time is found at what stood before it */                                    \
  X(F1_end)          /* a conditional run goes in only where no run was ordered at or above its offset */      \
  X(F1_term)         /* nor may one of an earlier term lie there */                                            \
  X(F1_held)         /* a refusal is told once what stands in the way is committed */                          \
  X(F1_beyond)       /* and where the offset is beyond the end, once members confirm the term */               \
  X(F1_settled)      /* and once for all: the producer's number is used up in the term */                      \
  X(F1_gap)          /* a producer moves its offset only over what it has read to hold no entry */             \
  X(F2_refuse)       /* a producer that names a lower fencing token is refused */                              \
  X(F2_back)         /* a log's fencing token never falls */                                                   \
  X(F2_held)         /* and is told once all that was ordered before is committed */                           \
  X(P1_asked)        /* a node asks its peers for a bounded number of bytes at a time, over all its logs */    \
  X(P2_given)        /* and bounds what it has queued for them, whatever they ask for */                       \
  X(P3_copied)       /* a replica that misses a committed run is copied */                                     \
  X(P4_turns)        /* a few logs at a time are copied to a node */                                           \
  X(P4_moves)        /* a copy that moves is neither cancelled nor a reason for a new term */                  \
  X(V2_ordered)      /* and a hole is filled to what was ordered, not to what the leader heard acknowledged */
// clang-format on

namespace loglog {

enum class Rule : std::uint8_t {
#define LOGLOG_RULE(name) name,
  LOGLOG_RULES(LOGLOG_RULE)
#undef LOGLOG_RULE
};

inline constexpr std::array rule_names{
#define LOGLOG_RULE(name) std::string_view{#name},
    LOGLOG_RULES(LOGLOG_RULE)
#undef LOGLOG_RULE
};

constexpr std::string_view name_of(Rule r) { return rule_names[static_cast<std::size_t>(r)]; }

constexpr std::optional<Rule> rule_named(std::string_view name) {
  for (std::size_t i = 0; i < rule_names.size(); ++i)
    if (rule_names[i] == name) return static_cast<Rule>(i);
  return std::nullopt;
}

#ifdef LOGLOG_MUTATIONS
inline std::bitset<rule_names.size()> removed_rules;
inline bool removed(Rule r) { return removed_rules.test(static_cast<std::size_t>(r)); }
#else
constexpr bool removed(Rule) { return false; }
#endif

}  // namespace loglog

// One log in one term of this leader: seal quorum, base, reconciliation, term start, orders,
// commits, late replicas (design §5, S2–S8, D1–D5, A1–A2, F1–F2, R2, R5). Lives from the moment the
// log is first needed in the term until the term ends.
//
// Single-threaded, sans-IO; what it wants done goes through LogHost at once. Offsets on one ruler:
// first ≤ committed ≤ durable (W-th largest) ≤ end of the order stream.
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sequencer/core/connection_counts.h"
#include "sequencer/core/figures.h"
#include "sequencer/core/order_stream.h"
#include "sequencer/core/output.h"
#include "sequencer/core/producer_table.h"
#include "sequencer/core/term_history.h"
#include "sequencer/core/unwritten_runs.h"

namespace loglog::sequencer {

/// What a log needs of the machine around it.
class LogHost {
 public:
  virtual ~LogHost() = default;
  /// Connected, of the right identity (T4), and sealed node-wide with this leader's term.
  virtual bool ready(NodeId) const = 0;
  /// The request's id; 0 when the node is not connected and nothing was sent.
  virtual RequestId to_node(NodeId, Message) = 0;
  virtual void to_client(const Client&, Message) = 0;
  virtual bool connected(ConnectionId) const = 0;
  virtual void event(Event::Level, std::string) = 0;
  /// A warning about one node in one log that may come again at once: `kind` is a literal that
  /// names its place in the code.
  virtual void warn(LogId, NodeId, std::string_view kind, std::string) = 0;
  /// The log's term start is committed.
  virtual void opened(LogId) = 0;
  /// A new term for this log alone (S8, A2), above `floor`.
  virtual void begin_term(LogId, Term floor) = 0;
  /// V1: a run that came over this connection was never uploaded, and a new term drops it.
  virtual void run_dropped(ConnectionId) = 0;
  /// R5: entries below may go.
  virtual void trim(LogId, Offset) = 0;
  /// The disk that the node is registered with.
  virtual DiskId disk_of(NodeId) const = 0;
  /// False: the node says that its disk gives no space for the log, so it refuses uploads (K5). For
  /// status only.
  virtual bool has_space(NodeId, LogId) const = 0;
  /// P4: whether the node may begin to copy the log. If not, copy_now() is called once it may.
  virtual bool begin_copy(LogId, NodeId, bool urgent) = 0;
  virtual void end_copy(LogId, NodeId) = 0;
  /// T4: the disk that the node is registered with lacks bytes that it had acknowledged.
  virtual bool has_lost(NodeId) const = 0;
  /// That was found here: every later leader is to know it too.
  virtual void lost(NodeId) = 0;
  /// T5: the node is to make the log; then joined().
  virtual void join(LogId, NodeId) = 0;
  /// C1: these disks are the log's members from now on.
  virtual void set_members(LogId, std::vector<Member>) = 0;
  virtual RaftIndex metadata_version() const = 0;
  virtual InstanceId instance() const = 0;
  /// R4: what is written into the log as the time.
  virtual std::uint64_t wall_ms() const = 0;
  /// R5: by which entries are old; nullopt: not known now.
  virtual std::optional<std::uint64_t> age_by() const = 0;
  virtual Figures& figures() = 0;
  /// A producer was answered over this connection. For status only.
  virtual void written(LogId, ProducerId, ConnectionId, const Reference&) = 0;
  /// What the log's files take on the node's disk, bytes; 0: not told yet. For status only.
  virtual std::uint64_t disk_bytes(NodeId, LogId) const = 0;
};

/// What a run is committed under.
struct Conditions {
  Offset expected = no_offset;  ///< F1: no entry lies at or above it; no_offset: none is named
  FenceToken fence{};           ///< F2: the producer's token; 0: none is named
};

class LogTerm {
 public:
  enum class Phase : std::uint8_t { sealing, recovering, opening, open, halted };

  /// `own_seal`: this term was begun for the log alone, so its nodes must be sealed for it.
  /// `wanted`: see want().
  LogTerm(const Options& options, LogHost& host, LogInfo info, Term term, bool own_seal,
          bool wanted);

  /// S8: bases of the terms before that gave nobody bytes. Before start().
  void pass_over(std::set<NodeId> bases) { passed_over_ = std::move(bases); }
  /// What the next term has to pass over, if this one ends now.
  std::set<NodeId> passed_over() const;
  void start(Time now);
  /// Somebody asks for it. One that nobody asks for, and of which all is committed, rests once its
  /// members are matched: they can be read, and its term start is ordered when it is wanted.
  void want(Time now);
  void node_ready(Time now, NodeId node);
  void node_gone(Time now, NodeId node);
  /// T4: its disk has lost bytes, which showed in some log.
  void node_lost(Time now, NodeId node);
  /// It has made the log.
  void joined(Time now, NodeId node);
  /// It is the log's turn to be copied to the node.
  void copy_now(Time now, NodeId node);

  // From storage nodes. `request`: the id it answers, 0 none.
  void on(Time now, NodeId from, RequestId request, const Sealed& m);
  void on(Time now, NodeId from, RequestId request, const StateIs& m);
  void on(Time now, NodeId from, RequestId request, const Reconciled& m);
  void on(Time now, NodeId from, RequestId request, const Reconciling& m);
  void on(Time now, NodeId from, RequestId request, const Durable& m);
  void on(Time now, NodeId from, RequestId request, const Missing& m);
  void on(Time now, NodeId from, RequestId request, const TermConfirmed& m);
  void on(Time now, NodeId from, RequestId request, const Fenced& m);
  void on(Time now, NodeId from, RequestId request, const NotMember& m);
  void on(Time now, NodeId from, RequestId request, const SegmentsAre& m);
  void on(Time now, NodeId from, RequestId request, const Page& m);

  // From clients; each is answered through the host, now or later.
  void commit(Time now, Client client, const Commit& c, const Conditions& conditions = {});
  /// The metadata has another fencing token (F2), retention (R5) or members (C1) now.
  void changed(Time now, const LogInfo& info);
  /// Answered with FenceIs once all that was ordered so far is committed. While open.
  void tell_fence(Client client);
  void cancel(Time now, const Cancel& c);
  void tail(Time now, Client client);

  /// The committed trim point has moved (R3).
  void trimmed(Offset trim);
  /// Sends what gathered in this step: orders, committed offsets, R2 rounds.
  void flush(Time now);
  void tick(Time now);
  Time wake() const;
  /// The term ends here: pending tail requests are answered with `why`.
  void stop(Errc why);

  Phase phase() const { return phase_; }
  bool is_open() const { return phase_ == Phase::open; }
  bool rests() const { return resting_; }
  /// What it is asked for is done without a wait for its members.
  bool serves() const { return is_open() || rests(); }
  bool has_missing() const { return !missing_.empty(); }
  /// A producer waits for a run that is ordered.
  bool owes_answers() const { return !in_flight_.empty(); }
  bool halted() const { return phase_ == Phase::halted; }
  /// What a client is told of a log that is halted: its name, and what its replicas say.
  Failed halted_answer() const { return {Errc::log_halted, info_.name + ": " + halted_because_}; }
  /// It has lost what it held, or found damage.
  bool doubts(NodeId node) const;
  /// Every replica takes uploads and orders, and none of them is far behind. For status only.
  bool is_well(Time now) const;
  /// So many replicas take uploads and orders that an append is acknowledged. For status only.
  bool takes_appends() const;
  Term term() const { return term_; }
  Offset committed() const { return committed_; }
  /// Where the log begins for readers: the trim point in force, which the replicas' first files may
  /// begin before (R1, R3).
  Offset begins() const { return std::max(first_, std::min(info_.trim, known_committed())); }
  /// Before the term start only a log at rest knows it: by what all its members say.
  Offset known_committed() const { return resting_ ? stream_.end() : committed_; }
  const LogInfo& info() const { return info_; }
  TermSetIs term_set() const;
  TermIs term_is() const { return {info_.id, term_, term_start_, term_start_end_}; }
  LogStatus status() const;
  LogSeen seen(Time now) const;
  /// For monitors.
  LogReport report(Time now) const;

 private:
  enum class At : std::uint8_t {
    absent,       ///< not connected or not sealed
    joining,      ///< Join sent to a newcomer
    sealing,      ///< Seal of this log sent
    asked,        ///< GetState sent
    stated,       ///< its state is known, nothing under way
    reconciling,  ///< Reconcile sent
    streaming,    ///< matched in this term, gets orders
    lost  ///< DATA LOSS (T4), or it says it is no member: counts as down for the rest of the term
  };
  struct Replica {
    Member member;          // with the disk that the node is registered with
    bool newcomer = false;  // C1: which is not the log's member's (yet)
    At at = At::absent;
    Time since{};        // when it came to `at`
    Time retry = never;  // `stated`: ask for its state again then
    std::optional<StateIs> state;
    bool joined = false;       // was matched in this term
    bool asked_peers = false;  // where they begin now, since it was matched last
    bool asked_first = false;  // `streaming`: its state was asked for, to learn where it begins now
    bool got_nothing = false;  // no peer gave it bytes, since it last moved (S8)
    Time repair_after{};       // no Reconcile before, since the last one failed
    Time asked_again{};  // its state was asked for at once, because what it answered did not fit
    Offset furthest{};   // longest tail that it has told in this term
    Offset durable{};    // what it holds matched in this term, for copying
    Offset held{};   // what it held matched in this term before damage: less does not make it whole
                     // again (K4)
    Offset acked{};  // S6: highest acknowledgement whose last frame is of this term; 0 none
    Offset sent{};   // ordered to it so far
    Offset ordered{};  // the highest that `sent` ever was
    Offset told{};     // committed offset that it was told,
    Offset told_at{};  //   … and its durable offset then (D5 takes the smaller)
    Offset target{};   // of the Reconcile under way
    Chain target_chain{};
    bool may_copy = false;         // it is the log's turn, or the copy runs
    bool waits_for_copy = false;   // its turn will come
    bool lacks_committed = false;  // and no peer gave it: it copies (P3)
    Offset copied{};               // by the Reconcile under way, as the node says
    Time moved{};                  // and when the node said so last
    RequestId request{};           // of the newest GetState
    Offset lacking{};  // committed since behind_since at the latest, and not durable here
    Time behind_since = never;
  };
  struct MissingRun {
    Reference run;
    std::map<NodeId, unsigned> reports;
    Time gone_since = never;  // producer's connection noticed closed
    bool cancelled = false;
  };
  struct Held {  // an answer that has to wait; the committed offset is put in when it is told
    Client client;
    Message answer;
    Offset until{};  // F1, F2: what must be committed first
    Offset end_max =
        no_offset;  // F1: where the log ended when it was judged; nothing later is told as its end
  };
  struct TailRound {  // R2
    std::vector<Held> answers;
    std::map<NodeId, RequestId> asked;  // ids count per connection
    std::map<NodeId, Offset> confirmed;
    Time deadline{};
  };
  struct InFlight {
    ProducerId producer;
    Sequence first;
    Offset end;
    Time since;
  };
  struct SegmentQuestion {  // R5
    NodeId node;
    RequestId id;
    Offset start;  // whose clock is asked for; no_offset: the list
    Time deadline;
  };

  // log_recovery.cpp
  Replica* find(NodeId node);
  void move(Replica& r, At at, Time now);
  void ask(Time now, Replica& r);
  void ask_again(Time now, Replica& r);
  void pause(Time now, Replica& r);
  void moved_to(Time now, Replica& r, Offset tail);
  void take_state(Time now, Replica& r, const StateIs& m);
  void choose_base(Time now);
  Replica* best_answer(const std::set<NodeId>& passed_over);
  bool awaits_other_answers(Time now) const;
  bool base_gives_nothing() const;
  void choose_again(Time now);
  bool contradicted(const Replica& base);
  void repair(Time now, Replica& r);
  void repair_all(Time now);
  bool front_is_whole(const StateIs& s) const;
  Offset first_of_whole(const StateIs& base) const;
  bool may_mend_front(const Replica& r) const;
  void mend_fronts(Time now);
  bool pick_target(Replica& r, Offset cut, Reconcile& out);
  bool is_far_behind(const Replica& r) const;
  bool copies(Replica& r, const Reconcile& m);
  void end_copy(Replica& r);
  Offset shown(const Replica& r) const;
  bool ask_where_peers_begin();
  std::vector<NodeId> holders(Offset o, NodeId except) const;
  void take_in_newcomers();
  void admit_in_term(Time now, Replica& r, Member member);
  void members_changed(Time now, const std::vector<Member>& members);
  TermHistory history() const;
  void begin_or_rest(Time now);
  void order_term_start(Time now);
  void halt(const std::string& why);
  void lose(Replica& r, const std::string& why, Time now);
  bool note_chain(NodeId from, Offset o, Chain c);
  std::size_t seal_quorum() const;
  bool quorums_reachable() const;
  bool stuck(Time now) const;
  void new_term(Term floor);
  // log_conditions.cpp
  bool conditions_hold(Client client, const Commit& c, const Conditions& conditions);
  bool may_hold(Client client, const Commit& c);
  void refuse_beyond(Client client, const Commit& c, Offset end);
  void answer_held();
  void tell(Held& held);
  void give_up(const Held& held, Errc why, const std::string& detail = {});
  // log_commit.cpp
  void place(Reference run, Bytes frame);
  void roll_segment(Time now, std::uint32_t run_length);
  void open_segment(Time now);
  bool segment_is_idle() const;
  void advance_commit(Time now);
  void answer_committed(Time now);
  void note_lag(Replica& r, Time now);
  ReplicaState state_of(const Replica& r) const;
  ReplicaSeen seen(const Replica& r, Time now) const;
  Offset durable(const Replica& r) const {
    return resting_ && r.at == At::streaming ? stream_.end() : r.durable;
  }
  void refuse(const Client& client, const Commit& c, Errc why, Sequence expected = {});
  void send_orders(Replica& r);
  void tell_committed(Replica& r);
  void prune_window(Time now);
  void start_tail_round(Time now);
  void answer_tails();
  void check_missing(Time now);
  void place_again(Offset at);
  // log_retention.cpp
  bool has_retention() const { return info_.options.retention != Retention{}; }
  std::uint64_t retained_ms() const;
  Duration segment_span() const;
  bool may_retain_less() const;
  bool retains_all() const;
  Offset allowed_by_bytes() const;
  void note_segment(Offset begin, std::uint64_t newest_below);
  void look_at_ages(Time now);
  void retain(Time now);
  void roll_idle_segment(Time now);
  void ask_about_segments(Time now, Offset start);
  bool answers_segment_question(NodeId from, RequestId request, bool list);
  void plan_retention(Time now);
  std::size_t may_have(Offset at, const MissingRun& m, unsigned reports) const;
  bool too_many_unwritten(ConnectionId connection);

  const Options& options_;
  LogHost& host_;
  LogInfo info_;
  Term term_;
  bool own_seal_;
  Phase phase_ = Phase::sealing;
  std::string halted_because_;
  Time phase_since_{};
  bool new_term_asked_ = false;
  std::vector<Replica> replicas_;
  std::vector<Member> members_asked_;  // C1: the last that were asked for
  // From the base on (S3):
  NodeId base_{};
  std::set<NodeId> passed_over_;  // S8: not to be the base, where a seal quorum does without them
  TermHistory base_history_;
  Chain base_chain_{};
  bool wanted_;
  bool resting_ = false;
  bool ordering_ = false;  // the term start was ordered
  Offset first_{};
  Offset last_segment_{};
  Offset term_start_{};
  Offset term_start_end_{};
  Offset committed_{};
  Time commit_moved_{};
  OrderStream stream_;
  ChainRecord chains_;
  ProducerTable producers_;
  std::deque<InFlight> in_flight_;
  UnwrittenRuns unwritten_;
  std::map<Offset, MissingRun> missing_;
  std::set<ProducerId> cancelled_;   // gave up some run: will not upload it again
  std::vector<Held> tails_waiting_;  // for the next round
  std::vector<TailRound> tail_rounds_;
  ConnectionCounts tails_by_;  // of both
  Offset entries_end_{};       // F1: no entry lies at or above it, nor was one ordered there
  std::deque<Held> held_;      // by what they wait for, ascending
  Time segment_since_{};       // the open segment began then, or was found at the term start
  Time last_run_{};            // was ordered then; at the latest, for those of earlier terms
  // R5: where segments begin, above where the log does, and the wall clock, milliseconds, that all
  // below is not younger than; 0: not asked for yet.
  std::map<Offset, std::uint64_t> segments_;
  Offset listed_to_{};              // no_offset: those of earlier terms are all known
  Offset aged_{};                   // all below is older than the retention allows
  Offset trim_asked_{};             // by retention
  Time retain_after_{};             // no further trim before,
  Time ask_after_{};                //   … and no question
  std::size_t segments_asked_ = 0;  // rotates over the replicas
  std::optional<SegmentQuestion> segment_question_;
  Time retention_due_ = never;
  Time watermark_due_ = never;  // a replica has not been told the newest committed offset: no Order
                                // is waited for any longer,
  Time idle_due_ = never;       // … or was told it while its tail was shorter
};

}  // namespace loglog::sequencer

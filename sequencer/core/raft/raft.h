// Raft for a fixed set of voters: elections with pre-vote, replication, snapshots, read index,
// check-quorum, and voters that lost their disk (C3). Sans-IO: messages, finished saves and ticks
// go in; saves, messages and committed entries come out. It does not know the commands that it
// replicates. Single-threaded; only SequencerMachine and the tests drive it.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "proto-spec/vocabulary/random.h"
#include "sequencer/core/output.h"
#include "sequencer/core/raft/raft_log.h"

namespace loglog::sequencer::raft {

/// Timing and voters; see sequencer/core/output.h for the effective defaults.
struct Config {
  SequencerId id{};
  std::vector<SequencerId> voters;         ///< 1, 3 or 5, this sequencer included
  Duration election_timeout_min = 1000ms;  ///< randomised up to twice this
  Duration heartbeat_interval = 100ms;     ///< at least three fit into an election timeout
  /// Time in which a snapshot is not sent again over a connection that stands. At 10 Mbit/s, 8 MiB
  /// take 7 s.
  Duration snapshot_patience = 10s;
  /// Bound of the random delay before a pre-vote after the leader's connection closed, and after a
  /// split vote.
  Duration closed_leader_hint_max = 30ms;
  std::size_t append_bytes_max = 1u << 20;  ///< for each AppendEntries message
  /// An empty disk counts as a new disk without asking the others. This gives up C3.
  bool trust_empty = false;
  /// Whether this program can read a snapshot that ends at the entry; empty: any snapshot.
  std::function<bool(const Bytes&, RaftIndex)> can_read{};
  /// Highest version of records that this program reads (T7).
  std::uint8_t record_version_highest = loglog::record_version_highest;
};

/// The right to vote after a start (C3). Only a voter votes and stands for election.
enum class VoteRight : std::uint8_t {
  voter,
  /// The disk is empty or has lost records, and not all others have answered yet.
  undecided,
  /// The cluster existed before, so the disk was lost; no leader has brought this sequencer up to
  /// date yet.
  newcomer
};
/// The vote on a newcomer's disk: it votes for nobody, also after a restart.
inline constexpr SequencerId votes_not_yet{0xFFFFFFFF};

/// Effects of a step, for the owner to perform. A message that depends on a save comes out only
/// after that save is done.
struct Output {
  std::vector<SaveRaft> saves;  ///< strictly in order; each is durable before its save_done()
  std::vector<std::pair<SequencerId, Message>> sends;
  bool install_snapshot = false;  ///< take this state before applying `committed`
  Bytes snapshot;
  RaftIndex snapshot_index{};
  std::vector<RaftEntry> committed;  ///< to apply, in order; each entry comes out once
  /// Tokens of read_index() that may be answered once `committed` is applied.
  std::vector<std::uint64_t> reads;
  /// Tokens whose leadership was not confirmed; nothing may be answered for them.
  std::vector<std::uint64_t> failed_reads;
  bool role_changed = false;
  /// Messages that were refused because no correct peer sends them.
  std::vector<std::string> alarms;
  Time wake = never;

  void clear();
};

/// State of a follower.
struct Follower {
  /// 0: no leader of this term is known. `leader_seen`: when the leader's last message came; a
  /// pre-vote is refused while that is recent.
  SequencerId leader{};
  Time election_deadline{};
  Time leader_seen{};
};
/// State of a candidate: first the pre-vote, which changes no term, then the vote itself.
struct Candidate {
  bool pre_vote = true;
  std::set<SequencerId> granted;
  std::set<SequencerId> refused;
  Time election_deadline{};
};
/// A follower as the leader sees it. `match` < `next`; `match` <= `sent`.
struct Progress {
  /// Index of the next entry to send, and the newest entry that the peer has durably.
  RaftIndex next{};
  RaftIndex match{};
  /// Newest entry sent, answered or not.
  RaftIndex sent{};
  Time heard{};
  std::uint64_t round = 0;  ///< highest round that the peer has echoed
  /// Until then the peer is asking the others about its empty disk and takes nothing (C3).
  Time undecided_until{};
  /// A snapshot that was sent and not answered; it is not sent again.
  RaftIndex snapshot{};
  Time snapshot_until{};  ///< before this time
};
/// A read_index() that waits until a majority echoes `round` or a later round.
struct PendingRead {
  std::uint64_t token;
  std::uint64_t round;
  RaftIndex index;
};
/// State of a leader. Each heartbeat and each read_index() begins a new round.
struct Leader {
  std::map<SequencerId, Progress> peers;
  RaftIndex first_own{};  ///< index of the first entry of this term
  Time heartbeat_due{};
  std::uint64_t round = 0;
  std::vector<PendingRead> reads;
};

/// The state machine of Raft, spec/04 (C3, "Links between sequencers").
class Raft {
 public:
  /// `disk`: the state found at the start. `first_entry` makes the command that a new leader
  /// appends first, the entry of its own term; an empty function makes an empty command.
  Raft(Config config, const RaftDisk& disk, std::uint64_t seed, std::function<Bytes()> first_entry);

  /// Call once, before everything else.
  void start(Time now);
  void peer_connected(Time now, SequencerId peer);
  void peer_disconnected(Time now, SequencerId peer);
  /// Takes RequestVote, Vote, AppendEntries, Appended, InstallSnapshot, Campaign, AskVoteRight and
  /// VoteRightIs; ignores all others. A message that no correct peer sends changes nothing and
  /// gives an alarm.
  void receive(Time now, SequencerId from, const Message& m);
  /// The save of this ticket is durable. Tickets come in the order of Output::saves.
  void save_done(Time now, std::uint64_t ticket);
  /// To be called at Output::wake at the latest.
  void tick(Time now);

  /// Leader only: appends a command and tells its index. False: this sequencer does not lead.
  bool propose(Time now, Bytes command, RaftIndex& index);
  /// Leader only (R2): the token comes back in Output::reads once a majority has confirmed the lead
  /// after this call, otherwise in Output::failed_reads.
  void read_index(Time now, std::uint64_t token);
  /// Leader only: asks a voter that has the whole log to stand for election at once, without a
  /// pre-vote. The leader goes on until it sees the new term. False: this sequencer does not lead,
  /// or the voter lacks entries or was not heard lately.
  bool hand_over(Time now, SequencerId to);
  /// From now on it stands for no election. It goes on voting, and a leader goes on leading.
  void resign(Time now);
  /// Replaces the entries up to `applied` by `snapshot`, the application's state there. `applied`
  /// must have come out in Output::committed.
  void compact(RaftIndex applied, Bytes snapshot);

  RaftRole role() const;
  VoteRight vote_right() const { return vote_right_; }
  /// While undecided: the voters that have not answered the newest round yet.
  std::vector<SequencerId> unanswered() const;
  RaftTerm term() const { return hard_.term; }
  /// 0: no leader is known.
  SequencerId leader() const;
  RaftIndex committed() const { return commit_; }
  bool is_leader() const { return std::holds_alternative<Leader>(role_); }
  /// Leader only: an entry of its own term is committed, so its commit index is current (R2).
  bool own_term_committed() const;
  /// Elections since the start in which it stood, without pre-votes, and the elections that it won.
  std::uint64_t elections_stood() const { return elections_stood_; }
  std::uint64_t elections_won() const { return elections_won_; }
  Output& output() { return out_; }

 private:
  // on_vote.cpp
  void on_request_vote(Time now, SequencerId from, const RequestVote& m);
  void on_vote(Time now, SequencerId from, const Vote& m);
  void on_campaign(Time now, SequencerId from, const Campaign& m);
  void campaign(Time now, bool pre_vote);
  void ask_for_vote(SequencerId voter);
  bool can_win(const Candidate& c) const;
  void won(Time now);
  // on_append.cpp
  void on_append(Time now, SequencerId from, const AppendEntries& m);
  void on_snapshot(Time now, SequencerId from, const InstallSnapshot& m);
  void on_appended(Time now, SequencerId from, const Appended& m);
  void send_entries(Time now, SequencerId to, bool even_if_empty);
  void send_snapshot(Time now, SequencerId to, Progress& p, bool even_if_empty);
  void broadcast(Time now, bool even_if_empty);
  void advance_commit();
  void answer_reads();

  // plausible.cpp
  std::string implausible(SequencerId from, const Message& m) const;
  std::string implausible_entries(SequencerId from, const AppendEntries& m) const;
  std::string implausible_snapshot(SequencerId from, const InstallSnapshot& m) const;
  std::string implausible_answer(const Appended& m) const;
  bool contradicts_committed(RaftIndex index, RaftTerm term) const;
  void refuse(SequencerId from, const Message& m, const std::string& why);
  void alarm(std::string text);

  // on_vote_right.cpp
  void lost_records(const RaftDisk& disk);
  void on_ask_vote_right(Time now, SequencerId from, const AskVoteRight& m);
  void on_vote_right(SequencerId from, const VoteRightIs& m);
  void ask_vote_right(Time now);
  void decide();
  void regain_vote(RaftTerm term, RaftIndex committed);

  void step_down(Time now, RaftTerm term, SequencerId leader);
  void save(SaveRaft s, std::function<void()> then);
  void save(HardState h, std::function<void()> then = nullptr);
  void send(SequencerId to, Message m) { out_.sends.emplace_back(to, std::move(m)); }
  void commit_to(RaftIndex index);
  Duration random_timeout();
  Duration short_delay();
  std::size_t majority() const { return config_.voters.size() / 2 + 1; }
  void set_wake();

  Config config_;
  Random random_;
  std::function<Bytes()> first_entry_;
  HardState hard_;
  RaftLog log_;
  RaftIndex commit_{};
  RaftIndex handed_out_{};  ///< newest committed entry given to the application
  RaftIndex saved_{};       ///< newest entry that is durable on the own disk
  std::variant<Follower, Candidate, Leader> role_;
  std::set<SequencerId> up_;  ///< voters that are connected
  // A save under way; saves finish in order.
  struct PendingSave {
    std::uint64_t ticket;
    /// The term at the request. If the term has moved on by then, `then` is dropped, because its
    /// answer would speak for the old term.
    RaftTerm term;
    std::function<void()> then;
  };
  std::vector<PendingSave> saving_;
  std::uint64_t tickets_ = 0;
  std::uint64_t elections_stood_ = 0, elections_won_ = 0;
  Time now_{};
  Time alarm_after_{};  // no alarm about a refused message before
  bool resigned_ = false;
  VoteRight vote_right_ = VoteRight::voter;
  // While undecided (C3): all that each voter has said, added up; and the voters that have answered
  // the newest round.
  std::map<SequencerId, VoteRightIs> answers_;
  std::set<SequencerId> answered_;
  std::uint64_t ask_round_ = 1;
  Time ask_due_ = never;
  // The disk has lost records, so the cluster existed before, whatever the others say.
  bool had_log_ = false;
  bool regaining_vote_ = false;  // the vote that makes it a voter is being saved
  Output out_;
};

}  // namespace loglog::sequencer::raft

// Raft for a fixed set of voters: elections with pre-vote, replication, snapshots, read index,
// check-quorum, and voters whose disk is empty. Sans-IO: messages, saves and ticks go in; saves,
// messages and committed entries come out. One thread.
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

struct Config {
  SequencerId id{};
  std::vector<SequencerId> voters;         ///< 1, 3 or 5, this one included
  Duration election_timeout_min = 1000ms;  ///< randomised up to twice this
  Duration heartbeat_interval = 100ms;     ///< several fit into an election timeout
  /// A snapshot that was sent is not sent again for so long while the connection stands: at 10
  /// Mbit/s, 8 MiB take 7 s.
  Duration snapshot_patience = 10s;
  Duration closed_leader_hint_max =
      30ms;  ///< pre-vote after the leader's connection closed, and again after a split vote
  std::size_t append_bytes_max = 1u << 20;  ///< per AppendEntries message
  bool trust_empty =
      false;  ///< an empty disk is taken for a new one without asking the others: gives C3 up
};

/// What an empty disk means (C3). Only a voter votes and stands for election.
enum class Standing : std::uint8_t {
  voter,
  undecided,  ///< the disk is empty; not all others have answered yet
  newcomer  ///< there is a cluster already, so the disk was lost; no leader has brought this one up
            ///< to date yet
};
/// The vote that a newcomer's disk names.
inline constexpr SequencerId votes_not_yet{0xFFFFFFFF};

struct Output {
  std::vector<SaveRaft> saves;  ///< strictly in order, each durable before its save_done
  std::vector<std::pair<SequencerId, Message>> sends;
  bool install_snapshot = false;  ///< take this state before applying `committed`
  Bytes snapshot;
  RaftIndex snapshot_index{};
  std::vector<RaftEntry> committed;  ///< to apply, in order
  std::vector<std::uint64_t>
      reads;  ///< tokens of read_index() that may be answered once `committed` is applied
  std::vector<std::uint64_t> failed_reads;
  bool role_changed = false;
  std::vector<std::string>
      alarms;  ///< messages that were refused because no correct peer sends them
  Time wake = never;

  void clear();
};

/// What a follower does while it is one.
struct Follower {
  SequencerId leader{};
  Time election_deadline{};
  Time leader_seen{};
};
/// Pre-vote first, then the vote itself (C3).
struct Candidate {
  bool pre_vote = true;
  std::set<SequencerId> granted;
  std::set<SequencerId> refused;
  Time election_deadline{};
};
struct Progress {
  RaftIndex next{};
  RaftIndex match{};
  RaftIndex sent{};  ///< optimistic: what was sent and not yet answered
  Time heard{};
  std::uint64_t round = 0;  ///< highest round echoed
  Time
      undecided_until{};  ///< it takes nothing before it has decided what its empty disk means (C3)
  RaftIndex snapshot{};   ///< sent, and not answered yet: not sent again
  Time snapshot_until{};  ///<   … before this
};
struct PendingRead {
  std::uint64_t token;
  std::uint64_t round;
  RaftIndex index;
};
struct Leader {
  std::map<SequencerId, Progress> peers;
  RaftIndex first_own{};  ///< index of the first entry of this term
  Time heartbeat_due{};
  std::uint64_t round = 0;
  std::vector<PendingRead> reads;
};

class Raft {
 public:
  /// `first_entry` gives the command that a new leader appends first (its own-term entry); empty
  /// function: an empty command.
  Raft(Config config, const RaftDisk& disk, std::uint64_t seed, std::function<Bytes()> first_entry);

  void start(Time now);
  void peer_connected(Time now, SequencerId peer);
  void peer_disconnected(Time now, SequencerId peer);
  /// RequestVote, Vote, AppendEntries, Appended, InstallSnapshot, Campaign, AskStanding,
  /// StandingIs; others are ignored. One that no correct peer sends changes nothing and gives an
  /// alarm.
  void receive(Time now, SequencerId from, const Message& m);
  void save_done(Time now, std::uint64_t ticket);
  void tick(Time now);

  /// Leader only: appends a command and tells its index; false otherwise.
  bool propose(Time now, Bytes command, RaftIndex& index);
  /// Leader only (R2): the token comes back in Output.reads once a majority has confirmed the
  /// leadership after this call.
  void read_index(Time now, std::uint64_t token);
  /// Leader only: asks a voter that has the whole log to stand for election at once, without a
  /// pre-vote; the leader stays one until it sees the new term. False: not leader, or that voter
  /// lacks entries or was not heard lately.
  bool hand_over(Time now, SequencerId to);
  /// From now on it stands for no election; it goes on voting, and leading where it leads.
  void resign(Time now);
  /// The state up to `applied` is in `snapshot`; entries up to there may go.
  void compact(RaftIndex applied, Bytes snapshot);

  RaftRole role() const;
  Standing standing() const { return standing_; }
  /// While undecided: those that have not answered yet.
  std::vector<SequencerId> unanswered() const;
  RaftTerm term() const { return hard_.term; }
  SequencerId leader() const;
  RaftIndex committed() const { return commit_; }
  bool is_leader() const { return std::holds_alternative<Leader>(role_); }
  bool own_term_committed() const;
  /// Elections in which it stood, pre-votes apart, and those that it won; since the start.
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
  bool too_far(RaftIndex i) const;
  bool contradicts_committed(RaftIndex index, RaftTerm term) const;
  void refuse(SequencerId from, const Message& m, const std::string& why);

  // on_standing.cpp
  void lost_records(const RaftDisk& disk);
  void on_ask_standing(Time now, SequencerId from, const AskStanding& m);
  void on_standing(SequencerId from, const StandingIs& m);
  void ask_standing(Time now);
  void decide();
  void graduate(RaftTerm term, RaftIndex committed);

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
  RaftIndex handed_out_{};  ///< committed entries given to the application
  RaftIndex saved_{};       ///< own log durable up to here
  std::variant<Follower, Candidate, Leader> role_;
  std::set<SequencerId> up_;  ///< voters that are connected
  struct PendingSave {
    std::uint64_t ticket;
    RaftTerm
        term;  ///< at the time of the request: what it unlocks is dropped when the term moved on
    std::function<void()> then;
  };
  std::vector<PendingSave> saving_;
  std::uint64_t tickets_ = 0;
  std::uint64_t elections_stood_ = 0, elections_won_ = 0;
  Time now_{};
  Time alarm_after_{};
  bool resigned_ = false;
  Standing standing_ = Standing::voter;
  // While undecided: what each has said, the highest term of it; who has said it in the newest
  // round.
  std::map<SequencerId, StandingIs> answers_;
  std::set<SequencerId> answered_;
  std::uint64_t ask_round_ = 1;
  Time ask_due_ = never;
  bool had_log_ =
      false;  // its disk has lost records: whatever the others say, there is a cluster already
  bool graduating_ = false;  // what makes it a voter is being saved
  Output out_;
};

}  // namespace loglog::sequencer::raft

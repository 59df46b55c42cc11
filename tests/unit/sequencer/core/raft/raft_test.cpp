// The Raft core by hand (C3 and R2): a voter, with the test as its peers and its disk. Messages
// that no correct voter sends must change nothing.
// Histories of whole clusters are in raft_random_test.cpp, stories in
// tests/scenarios/raft_test.cpp.
#include "sequencer/core/raft/raft.h"

#include <doctest/doctest.h>

#include <string>

#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/wire/field_codec.h"

using namespace loglog;
using namespace loglog::sequencer;
using raft::Raft;

namespace {

constexpr SequencerId one{1}, two{2}, three{3};
constexpr Time begin = Time{} + 1h;

RaftEntry entry(std::uint64_t term, std::uint64_t index) {
  return {RaftTerm{term}, RaftIndex{index}, Bytes::copy_of("x")};
}

/// A disk in Raft term `term` with `entries` entries of term `entry_term`.
RaftDisk disk(std::uint64_t term, std::uint64_t entry_term, std::uint64_t entries) {
  RaftDisk d;
  d.hard_state.term = RaftTerm{term};
  for (std::uint64_t i = 1; i <= entries; ++i) d.entries.push_back(entry(entry_term, i));
  return d;
}

/// Voter 1 of three. The test plays voters 2 and 3 and the disk: nothing is saved before
/// save_all().
struct Voter {
  Raft raft;
  Time now = begin;

  explicit Voter(const RaftDisk& d, std::function<bool(const Bytes&, RaftIndex)> can_read = {})
      : raft({.id = one, .voters = {one, two, three}, .can_read = std::move(can_read)}, d, 7,
             nullptr) {
    raft.start(now);
  }

  void receive(SequencerId from, Message m) { raft.receive(now, from, m); }
  void save_all() {
    while (!raft.output().saves.empty()) {
      const std::uint64_t ticket = raft.output().saves.front().ticket;
      raft.output().saves.erase(raft.output().saves.begin());
      raft.save_done(now, ticket);
    }
  }
  /// The messages of type M that were sent to `to` and not forgotten.
  template <class M>
  std::vector<M> sent(SequencerId to) {
    std::vector<M> out;
    for (const auto& [whom, m] : raft.output().sends)
      if (const auto* x = std::get_if<M>(&m); x != nullptr && whom == to) out.push_back(*x);
    return out;
  }
  void forget_sends() { raft.output().sends.clear(); }
  /// Lets an election timeout pass.
  void time_out() {
    now += 2s;
    raft.tick(now);
  }
  /// Makes the voter leader of the next term with the vote of 2. Its first entry is not saved yet.
  void win() {
    time_out();
    receive(two, Vote{raft.term() + 1, true, true});
    save_all();
    receive(two, Vote{raft.term(), false, true});
    REQUIRE(raft.is_leader());
  }
};

}  // namespace

TEST_CASE("raft: a snapshot that replaces a longer log takes back what counts as saved (C3)") {
  Voter v(disk(2, 2, 10));
  // The log was saved up to 10; after the snapshot only index 5 counts as saved.
  v.receive(two, InstallSnapshot{RaftTerm{3}, two, RaftIndex{5}, RaftTerm{3}, 1,
                                 Bytes::copy_of("state")});
  v.save_all();
  v.win();  // appends entry 6
  v.receive(two, Appended{v.raft.term(), true, RaftIndex{6}, 1});
  CHECK(v.raft.committed() == RaftIndex{5});  // entry 6 is durable at 2 alone
  v.save_all();
  CHECK(v.raft.committed() == RaftIndex{6});
}

TEST_CASE(
    "raft: a snapshot that brings nothing new is answered for only when what is committed is saved "
    "(C3)") {
  Voter v(disk(1, 1, 0));
  v.receive(two,
            AppendEntries{RaftTerm{1}, two, {}, {}, RaftIndex{2}, 1, {entry(1, 1), entry(1, 2)}});
  REQUIRE(v.raft.committed() == RaftIndex{2});
  // The snapshot is older than the log, but the committed entries are not saved yet.
  v.receive(two, InstallSnapshot{RaftTerm{1}, two, RaftIndex{1}, RaftTerm{1}, 2,
                                 Bytes::copy_of("state")});
  CHECK(v.sent<Appended>(two).empty());
  v.save_all();
  REQUIRE(v.sent<Appended>(two).size() == 2);
  CHECK(v.sent<Appended>(two).back().match == RaftIndex{2});
}

TEST_CASE(
    "raft: a refused pre-vote tells the voter's own term, and who is behind takes it over (C3)") {
  SUBCASE("the voter") {
    Voter v(disk(5, 1, 3));
    // A pre-vote of a lower term is refused with the voter's own term.
    v.receive(two, RequestVote{RaftTerm{4}, true, two, RaftIndex{9}, RaftTerm{3}});
    REQUIRE(v.sent<Vote>(two).size() == 1);
    CHECK(v.sent<Vote>(two)[0].term == RaftTerm{5});
    CHECK_FALSE(v.sent<Vote>(two)[0].granted);
    v.forget_sends();
    // A pre-vote of a higher term is granted and changes no term.
    v.receive(two, RequestVote{RaftTerm{6}, true, two, RaftIndex{9}, RaftTerm{3}});
    REQUIRE(v.sent<Vote>(two).size() == 1);
    CHECK(v.sent<Vote>(two)[0].term == RaftTerm{6});
    CHECK(v.sent<Vote>(two)[0].granted);
    CHECK(v.raft.term() == RaftTerm{5});
  }
  SUBCASE("the candidate") {
    Voter v(disk(3, 3, 9));
    v.time_out();
    REQUIRE(v.raft.role() == RaftRole::candidate);
    // A refusal with a higher term ends the candidacy and brings the term.
    v.receive(two, Vote{RaftTerm{5}, true, false});
    CHECK(v.raft.term() == RaftTerm{5});
    CHECK(v.raft.role() == RaftRole::follower);
    v.forget_sends();
    v.time_out();
    REQUIRE(v.sent<RequestVote>(two).size() == 1);
    CHECK(v.sent<RequestVote>(two)[0].term == RaftTerm{6});
    // A granted pre-vote names the term that was asked for and is no news of a term.
    v.receive(two, Vote{RaftTerm{9}, true, true});
    CHECK(v.raft.term() == RaftTerm{5});
  }
}

TEST_CASE("raft: an answer to an older reign's message confirms no read of this one (R2)") {
  Voter v(disk(5, 1, 3));
  v.receive(two, AppendEntries{RaftTerm{3}, two, RaftIndex{3}, RaftTerm{1}, {}, 50, {}});
  v.receive(two, InstallSnapshot{RaftTerm{3}, two, RaftIndex{3}, RaftTerm{1}, 50,
                                 Bytes::copy_of("state")});
  REQUIRE(v.sent<Appended>(two).size() == 2);
  // The round must be 0: round numbers of an older term could confirm a read of this term.
  for (const Appended& a : v.sent<Appended>(two)) {
    CHECK_FALSE(a.success);
    CHECK(a.term == RaftTerm{5});
    CHECK(a.round == 0);
  }
}

TEST_CASE(
    "raft: a voter whose connection comes up during an election is asked, not only after the "
    "timeout") {
  Voter v(disk(1, 1, 1));
  v.time_out();
  v.forget_sends();
  // The new connection gets the pre-vote request at once.
  v.raft.peer_connected(v.now, two);
  REQUIRE(v.sent<RequestVote>(two).size() == 1);
  CHECK(v.sent<RequestVote>(two)[0] ==
        RequestVote{RaftTerm{2}, true, one, RaftIndex{1}, RaftTerm{1}});
  CHECK(v.sent<RequestVote>(three).empty());
  v.receive(two, Vote{RaftTerm{2}, true, true});
  v.forget_sends();
  // The candidate's own vote is not durable, so it may ask nobody for a vote yet.
  v.raft.peer_connected(v.now, three);
  CHECK(v.sent<RequestVote>(three).empty());
  v.save_all();
  v.forget_sends();
  v.raft.peer_connected(v.now, three);
  REQUIRE(v.sent<RequestVote>(three).size() == 1);
  CHECK(v.sent<RequestVote>(three)[0] ==
        RequestVote{RaftTerm{2}, false, one, RaftIndex{1}, RaftTerm{1}});
  v.receive(three, Vote{RaftTerm{2}, false, true});
  CHECK(v.raft.is_leader());
}

TEST_CASE(
    "raft: after a split vote the next pre-vote comes soon, but not while a voter may still "
    "agree") {
  Voter v(disk(1, 1, 1));
  bool gone = false;
  SUBCASE("voter 3 is gone") { gone = true; }
  SUBCASE("voter 3 is slow") {}
  v.raft.peer_connected(v.now, two);
  if (!gone) v.raft.peer_connected(v.now, three);
  v.time_out();
  v.receive(two, Vote{RaftTerm{2}, true, true});
  v.save_all();
  v.receive(two, Vote{RaftTerm{2}, false, false});  // 2 voted for itself
  v.forget_sends();
  v.now += 30ms;
  v.raft.tick(v.now);
  // If 3 is gone, nobody can complete the quorum and the next pre-vote begins; if 3 may answer, the
  // candidate waits.
  REQUIRE(v.sent<RequestVote>(two).size() == (gone ? 1 : 0));
  if (gone)
    CHECK(v.sent<RequestVote>(two)[0] ==
          RequestVote{RaftTerm{3}, true, one, RaftIndex{1}, RaftTerm{1}});
  CHECK(v.raft.term() == RaftTerm{2});
  if (gone) return;
  v.receive(three, Vote{RaftTerm{2}, false, true});
  CHECK(v.raft.is_leader());
}

namespace {

/// The newest hard state that waits for the disk.
std::optional<HardState> last_saved(Voter& v) {
  std::optional<HardState> out;
  for (const SaveRaft& s : v.raft.output().saves)
    if (s.hard_state) out = s.hard_state;
  return out;
}

}  // namespace

TEST_CASE(
    "raft: with an empty disk it votes for nobody and stands for nothing before all others have "
    "answered (C3)") {
  Voter v(RaftDisk{});
  REQUIRE(v.raft.vote_right() == raft::VoteRight::undecided);
  CHECK(v.sent<AskVoteRight>(two).size() == 1);
  v.time_out();
  // C3: an empty directory neither stands nor votes nor acknowledges.
  CHECK(v.raft.role() == RaftRole::follower);
  CHECK(v.sent<AskVoteRight>(three).size() == 2);  // asked again with each heartbeat
  v.receive(two, RequestVote{RaftTerm{4}, false, two, RaftIndex{9}, RaftTerm{3}});
  CHECK_FALSE(v.sent<Vote>(two).back().granted);
  v.receive(two, RequestVote{RaftTerm{4}, true, two, RaftIndex{9}, RaftTerm{3}});
  CHECK_FALSE(v.sent<Vote>(two).back().granted);
  v.receive(two, AppendEntries{RaftTerm{3}, two, {}, {}, {}, 1, {entry(3, 1)}});
  CHECK(v.sent<Appended>(two).empty());
  // Sequencer 2 has answered that it has a log; 3 has not answered.
  v.receive(two, VoteRightIs{1, RaftTerm{3}, true});
  CHECK(v.raft.vote_right() == raft::VoteRight::undecided);
  CHECK(v.raft.unanswered() == std::vector{three});
  SUBCASE("there is a cluster: the highest term of all others is taken over before anything else") {
    v.receive(three, VoteRightIs{1, RaftTerm{7}, true});
    REQUIRE(v.raft.vote_right() == raft::VoteRight::newcomer);
    // The highest term is adopted durably with a vote for nobody.
    CHECK(v.raft.term() == RaftTerm{7});
    CHECK(last_saved(v) == HardState{RaftTerm{7}, raft::votes_not_yet});
    v.save_all();
    v.receive(two, AppendEntries{RaftTerm{3}, two, {}, {}, RaftIndex{1}, 1, {entry(3, 1)}});
    // The leader of term 3 may have been deposed with the help of the vote that is lost.
    CHECK_FALSE(v.sent<Appended>(two).back().success);
    CHECK(v.raft.vote_right() == raft::VoteRight::newcomer);
  }
  SUBCASE(
      "one without a log may have lost it: the others are asked once more, and the highest of "
      "their terms counts") {
    // 3 has no log and may have lost it since 2 answered, so another round begins.
    v.receive(three, VoteRightIs{1, RaftTerm{2}, false});
    CHECK(v.raft.vote_right() == raft::VoteRight::undecided);
    v.receive(two, VoteRightIs{1, RaftTerm{3}, true});  // an answer to the round before
    CHECK(v.raft.unanswered() == std::vector{two});
    v.receive(two, VoteRightIs{2, RaftTerm{4}, true});
    REQUIRE(v.raft.vote_right() == raft::VoteRight::newcomer);
    CHECK(v.raft.term() == RaftTerm{4});
  }
  SUBCASE("answers to what it was before are nothing to it") {
    // Both messages answer requests of the life before the loss.
    v.save_all();
    v.receive(two, Vote{RaftTerm{9}, false, false});
    v.receive(two, Appended{RaftTerm{9}, false, RaftIndex{4}, 1});
    CHECK(v.raft.output().saves.empty());
    CHECK(v.raft.term() == RaftTerm{});
  }
  SUBCASE("an answer of nobody counts twice") {
    v.receive(two, VoteRightIs{1, RaftTerm{3}, true});
    CHECK(v.raft.vote_right() == raft::VoteRight::undecided);
  }
}

TEST_CASE(
    "raft: a voter whose log has lost records votes no more before a leader has brought it up to "
    "date (C-4, C-5)") {
  RaftDisk d = disk(5, 4, 3);
  d.hard_state.vote = two;
  // The storage found bad bytes below the mark (spec/02 R2).
  d.lost_records = true;
  Voter v(d);
  REQUIRE(v.raft.vote_right() == raft::VoteRight::undecided);
  CHECK(v.sent<AskVoteRight>(two).size() == 1);
  v.time_out();
  CHECK(v.raft.role() == RaftRole::follower);
  v.receive(three, RequestVote{RaftTerm{6}, false, three, RaftIndex{9}, RaftTerm{4}});
  CHECK_FALSE(v.sent<Vote>(three).back().granted);
  v.receive(two, AskVoteRight{1});
  // So that no new cluster begins beside the old cluster.
  CHECK(v.sent<VoteRightIs>(two).back().has_log);
  // All others answer, and this sequencer's own log makes it a newcomer in any case.
  v.receive(two, VoteRightIs{1, RaftTerm{3}, false});
  v.receive(three, VoteRightIs{2, RaftTerm{3}, false});
  v.receive(two, VoteRightIs{3, RaftTerm{3}, false});
  REQUIRE(v.raft.vote_right() == raft::VoteRight::newcomer);
  CHECK(last_saved(v) == HardState{RaftTerm{5}, raft::votes_not_yet});
  v.save_all();
  // None of the old entries counts, because nobody knows which of them a lost record had taken
  // back.
  v.receive(two, AppendEntries{
                     RaftTerm{6}, two, RaftIndex{3}, RaftTerm{4}, RaftIndex{4}, 1, {entry(6, 4)}});
  CHECK_FALSE(v.sent<Appended>(two).back().success);
  CHECK(v.sent<Appended>(two).back().match == RaftIndex{0});
}

TEST_CASE("raft: where no other has a log, it is a new cluster's and votes (C3)") {
  Voter v(RaftDisk{});
  v.receive(two, VoteRightIs{1, RaftTerm{0}, false});
  v.receive(three, VoteRightIs{2, RaftTerm{2}, false});
  CHECK(v.raft.vote_right() == raft::VoteRight::undecided);
  v.receive(two, VoteRightIs{3, RaftTerm{0}, false});
  REQUIRE(v.raft.vote_right() == raft::VoteRight::voter);
  CHECK(last_saved(v) == HardState{RaftTerm{2}, one});  // in term 2 it may have voted
  v.save_all();
  // The first vote is in a term above all terms that the others named.
  v.receive(three, RequestVote{RaftTerm{2}, false, three, {}, {}});
  CHECK_FALSE(v.sent<Vote>(three).back().granted);
  v.receive(three, RequestVote{RaftTerm{3}, false, three, {}, {}});
  v.save_all();
  CHECK(v.sent<Vote>(three).back().granted);
}

TEST_CASE(
    "raft: a newcomer votes once it holds what a leader knew as committed, with an entry of its "
    "term, durably (C3)") {
  RaftDisk d;
  d.hard_state = {RaftTerm{5}, raft::votes_not_yet};
  Voter v(d);
  REQUIRE(v.raft.vote_right() == raft::VoteRight::newcomer);
  // Whether a vote in `term` is granted.
  const auto votes = [&](std::uint64_t term) {
    v.receive(three, RequestVote{RaftTerm{term}, false, three, RaftIndex{99}, RaftTerm{term}});
    v.save_all();
    return v.sent<Vote>(three).back().granted;
  };
  CHECK_FALSE(votes(6));
  // The committed index is 3 and the newcomer holds 2 entries.
  v.receive(two,
            AppendEntries{RaftTerm{6}, two, {}, {}, RaftIndex{3}, 1, {entry(4, 1), entry(4, 2)}});
  v.save_all();
  CHECK(v.raft.vote_right() == raft::VoteRight::newcomer);
  // It holds all that the leader called committed. But no entry of the leader's own term is
  // committed, so the leader may know too little.
  v.receive(two, AppendEntries{RaftTerm{6},
                               two,
                               RaftIndex{2},
                               RaftTerm{4},
                               RaftIndex{3},
                               2,
                               {entry(4, 3), entry(6, 4)}});
  v.save_all();
  CHECK(v.raft.vote_right() == raft::VoteRight::newcomer);
  CHECK_FALSE(votes(7));
  v.receive(two, AppendEntries{RaftTerm{6}, two, RaftIndex{4}, RaftTerm{6}, RaftIndex{4}, 3, {}});
  CHECK(v.raft.vote_right() == raft::VoteRight::newcomer);  // not durable yet
  v.save_all();
  CHECK(v.raft.vote_right() == raft::VoteRight::voter);
  v.receive(two, RequestVote{RaftTerm{6}, false, two, RaftIndex{99}, RaftTerm{6}});
  CHECK_FALSE(v.sent<Vote>(two).back().granted);  // the lost disk may have voted in term 6
  CHECK(votes(7));
}

TEST_CASE(
    "raft: a newcomer that meets another term while it becomes a voter goes on waiting (C3)") {
  RaftDisk d;
  d.hard_state = {RaftTerm{5}, raft::votes_not_yet};
  Voter v(d);
  v.receive(two, AppendEntries{RaftTerm{6}, two, {}, {}, RaftIndex{1}, 1, {entry(6, 1)}});
  // The newcomer was about to become a voter when a message of a newer term comes.
  v.receive(three,
            AppendEntries{RaftTerm{7}, three, RaftIndex{5}, RaftTerm{7}, RaftIndex{5}, 1, {}});
  CHECK(last_saved(v) == HardState{RaftTerm{7}, raft::votes_not_yet});
  v.save_all();
  CHECK(v.raft.vote_right() == raft::VoteRight::newcomer);
}

TEST_CASE("raft: what one held that asks with an empty disk counts no more for the leader (C3)") {
  Raft raft({one, {one, two, three, SequencerId{4}, SequencerId{5}}}, disk(1, 1, 0), 7, nullptr);
  Time now = begin;
  raft.start(now);
  const auto save_all = [&] {
    while (!raft.output().saves.empty()) {
      const std::uint64_t ticket = raft.output().saves.front().ticket;
      raft.output().saves.erase(raft.output().saves.begin());
      raft.save_done(now, ticket);
    }
  };
  // Sequencer 1 leads a cluster of five; 2 and 3 vote for it.
  now += 2s;
  raft.tick(now);
  for (const SequencerId v : {two, three}) raft.receive(now, v, Vote{raft.term() + 1, true, true});
  save_all();
  for (const SequencerId v : {two, three}) raft.receive(now, v, Vote{raft.term(), false, true});
  REQUIRE(raft.is_leader());
  save_all();
  // 2 acknowledges an entry and then asks with an empty disk.
  raft.receive(now, two, Appended{raft.term(), true, RaftIndex{1}, 1});
  raft.receive(now, two, AskVoteRight{1});
  raft.receive(now, three, Appended{raft.term(), true, RaftIndex{1}, 1});
  CHECK(raft.committed() == RaftIndex{});  // only 1 and 3 hold it
  raft.receive(now, SequencerId{4}, Appended{raft.term(), true, RaftIndex{1}, 1});
  CHECK(raft.committed() == RaftIndex{1});
}

namespace {

/// AppendEntries of sequencer 2 with a single round.
AppendEntries entries(std::uint64_t term, std::uint64_t previous, std::uint64_t previous_term,
                      std::vector<RaftEntry> list, std::uint64_t committed = 0) {
  return {RaftTerm{term},       two, RaftIndex{previous}, RaftTerm{previous_term},
          RaftIndex{committed}, 1,   std::move(list)};
}

/// Delivers a message that no correct voter sends: nothing may change, and an alarm must say `why`.
void refuses(Voter& v, const Message& m, const std::string& why) {
  const RaftTerm term = v.raft.term();
  const RaftIndex committed = v.raft.committed();
  const bool leads = v.raft.is_leader();
  v.now += 2s;  // an alarm a second at most
  v.raft.output().alarms.clear();
  v.raft.output().saves.clear();
  v.receive(two, m);
  REQUIRE(v.raft.output().alarms.size() == 1);
  CHECK(v.raft.output().alarms[0].find(why) != std::string::npos);
  CHECK(v.raft.term() == term);
  CHECK(v.raft.committed() == committed);
  CHECK(v.raft.is_leader() == leads);
  CHECK(v.raft.output().saves.empty());
}

}  // namespace

TEST_CASE("raft: AppendEntries with a gap is refused, nothing is read beyond the log (Z8)") {
  Voter v(disk(1, 1, 3));
  refuses(v, entries(2, 3, 1, {entry(2, 9)}, 9), "entry 9 follows entry 3");
  refuses(v, entries(2, 3, 1, {entry(2, 4), entry(2, 6)}, 6), "entry 6 follows entry 4");
  refuses(v, entries(2, ~0ull, 1, {entry(2, 0)}, 9), "above the log's end");
  refuses(v, entries(2, 3, 1, {entry(3, 4)}), "entry 4 is of term 3");
  refuses(v, entries(2, 3, 1, {entry(0, 4)}), "entry 4 is of term 0");
  // A correct message still gets through.
  v.receive(two, entries(2, 3, 1, {entry(2, 4)}, 4));
  CHECK(v.raft.committed() == RaftIndex{4});
}

namespace {

RaftEntry of_version(std::uint8_t version, std::uint64_t index) {
  std::string bytes(record_mark_ones, '\xFF');
  bytes += static_cast<char>(version);
  return {RaftTerm{2}, RaftIndex{index}, Bytes::copy_of(bytes + "x")};
}

}  // namespace

TEST_CASE("raft: entries are taken up to the first that the program does not read (T7)") {
  for (const std::uint8_t wild : {2, 200, 255}) {
    Voter v(disk(1, 1, 3));
    v.receive(two, entries(2, 3, 1, {entry(2, 4), of_version(wild, 5), entry(2, 6)}, 6));
    REQUIRE(v.raft.output().alarms.size() == 1);
    CHECK(v.raft.output().alarms[0] ==
          "entry 5 from sequencer 2 is a record of version " + std::to_string(wild) +
              ", and this program reads up to version 1: start a program here that reads it");
    v.save_all();
    const auto answers = v.sent<Appended>(two);
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].success);
    CHECK(answers[0].match == RaftIndex{4});
    CHECK(v.raft.committed() == RaftIndex{4});
  }
}

TEST_CASE("raft: a commit is learned from a message whose entries are not read (T7)") {
  // RaiseVersion is the last entry of the disk, and the entries after it are of the new version.
  Voter v(disk(1, 1, 3));
  v.receive(two, entries(2, 3, 1, {of_version(2, 4)}, 4));
  CHECK(v.raft.committed() == RaftIndex{3});
  CHECK(v.raft.output().committed.size() == 3);
  refuses(v, entries(2, 3, 1, {of_version(1, 4)}), "the record version of entry 4 is damaged");
}

TEST_CASE("raft: a committed entry is never cut, whoever says so (Z8)") {
  Voter v(disk(1, 1, 3));
  v.receive(two, entries(1, 3, 1, {}, 3));
  REQUIRE(v.raft.committed() == RaftIndex{3});
  refuses(v, entries(2, 1, 1, {entry(2, 2)}, 2),
          "entry 2 of term 2 would replace a committed one; all up to 3 are committed");
  // An entry that is not committed may be replaced.
  v.receive(two, entries(2, 3, 1, {entry(2, 4), entry(2, 5)}, 3));
  v.receive(two, entries(3, 3, 1, {entry(3, 4)}, 4));
  CHECK(v.raft.committed() == RaftIndex{4});
}

TEST_CASE("raft: a term far above what was heard is refused in every message that names one (Z7)") {
  constexpr RaftTerm absurd{~0ull};
  Voter v(disk(1, 1, 3));
  const std::string why =
      "Raft term 18446744073709551615 is more than 4294967296 above this one's, 1";
  refuses(v, RequestVote{absurd, false, two, RaftIndex{9}, RaftTerm{1}}, why);
  refuses(v, RequestVote{absurd, true, two, RaftIndex{9}, RaftTerm{1}}, why);
  refuses(v, Vote{absurd, false, false}, why);
  refuses(v, entries(~0ull, 3, 1, {}), why);
  refuses(v, Appended{absurd, false, RaftIndex{3}, 0}, why);
  refuses(v, InstallSnapshot{absurd, two, RaftIndex{9}, RaftTerm{1}, 0, {}}, why);
  refuses(v, VoteRightIs{1, absurd, true}, why);
  refuses(v, Campaign{absurd}, why);
  // A voter that was away for long is still understood.
  v.receive(two, Vote{RaftTerm{1 + raft_term_ahead_max}, false, false});
  CHECK(v.raft.term() == RaftTerm{1 + raft_term_ahead_max});
}

TEST_CASE(
    "raft: a snapshot far above the log, or of a term that its leader cannot know, is refused "
    "(Z7)") {
  Voter v(disk(1, 1, 3));
  // Three snapshots: too far ahead, of a term above the leader's, and in the name of another
  // sequencer.
  refuses(
      v,
      InstallSnapshot{RaftTerm{2}, two, RaftIndex{~0ull}, RaftTerm{1}, 0, Bytes::copy_of("state")},
      "more than 4294967296 above");
  refuses(v,
          InstallSnapshot{RaftTerm{2}, two, RaftIndex{9}, RaftTerm{3}, 0, Bytes::copy_of("state")},
          "above its leader's term 2");
  refuses(
      v, InstallSnapshot{RaftTerm{2}, three, RaftIndex{9}, RaftTerm{1}, 0, Bytes::copy_of("state")},
      "a snapshot of sequencer 3");
}

TEST_CASE("raft: a snapshot that cannot be read replaces nothing and ends nobody (Z8)") {
  Voter v(disk(1, 1, 3),
          [](const Bytes& snapshot, RaftIndex) { return snapshot.text() == "state"; });
  refuses(
      v, InstallSnapshot{RaftTerm{1}, two, RaftIndex{9}, RaftTerm{1}, 0, Bytes::copy_of("rubbish")},
      "the snapshot at entry 9 is damaged");
  CHECK_FALSE(v.raft.output().install_snapshot);
  v.receive(two, InstallSnapshot{RaftTerm{1}, two, RaftIndex{9}, RaftTerm{1}, 0,
                                 Bytes::copy_of("state")});
  CHECK(v.raft.output().install_snapshot);
}

TEST_CASE(
    "raft: an answer that names more than was sent commits nothing and confirms nothing (Z7)") {
  Voter v(disk(1, 1, 3));
  v.win();
  v.raft.read_index(v.now, 7);
  // Neither a match index beyond the log nor a round that was never sent may count.
  refuses(v, Appended{v.raft.term(), true, RaftIndex{~0ull}, 0},
          "it has entry 18446744073709551615, and the log ends at 4");
  refuses(v, Appended{v.raft.term(), true, RaftIndex{3}, ~0ull}, "it echoes round");
  CHECK(v.raft.output().reads.empty());
}

TEST_CASE("raft: a snapshot on its way is not sent again with each heartbeat (Z4, C-9)") {
  Voter v(disk(1, 1, 3));
  // The leader has a snapshot and no entries, so a follower that lacks everything needs the
  // snapshot.
  v.win();
  v.receive(two, Appended{v.raft.term(), true, RaftIndex{4}, 1});
  v.save_all();
  REQUIRE(v.raft.committed() == RaftIndex{4});
  v.raft.compact(RaftIndex{4}, Bytes::copy_of("state"));
  v.save_all();
  v.forget_sends();
  v.receive(three, Appended{v.raft.term(), false, RaftIndex{0}, 1});  // it lacks everything
  REQUIRE(v.sent<InstallSnapshot>(three).size() == 1);
  std::size_t heartbeats = 0;
  // For 5 s the follower answers heartbeats while the snapshot is on its way.
  for (int i = 0; i < 50; ++i) {
    v.now += 100ms;
    v.receive(two, Appended{v.raft.term(), true, RaftIndex{4}, 1});
    v.raft.tick(v.now);
    for (const AppendEntries& a : v.sent<AppendEntries>(three)) {
      ++heartbeats;
      v.receive(three, Appended{v.raft.term(), true, a.previous_index, a.round});
    }
    CHECK(v.sent<InstallSnapshot>(three).size() == (i == 0 ? 1 : 0));
    v.forget_sends();
  }
  CHECK(heartbeats >= 40);
  SUBCASE("it has come") {
    v.receive(three, Appended{v.raft.term(), true, RaftIndex{4}, 2});
    RaftIndex i{};
    v.raft.propose(v.now, Bytes::copy_of("y"), i);
    REQUIRE(v.sent<AppendEntries>(three).size() == 1);
    CHECK(v.sent<AppendEntries>(three)[0].entries.size() == 1);
  }
  SUBCASE("its connection broke") {
    v.raft.peer_connected(v.now, three);
    CHECK(v.sent<InstallSnapshot>(three).size() == 1);
  }
  SUBCASE("it did not come in time") {
    v.now += 10s;
    v.receive(two, Appended{v.raft.term(), true, RaftIndex{4}, 1});
    v.raft.tick(v.now);
    CHECK(v.sent<InstallSnapshot>(three).size() == 1);
  }
}

#include "sequencer/core/raft/raft.h"

#include <doctest/doctest.h>

#include <string>

using namespace loglog;
using namespace loglog::sequencer;
using raft::Raft;

namespace {

constexpr SequencerId one{1}, two{2}, three{3};
constexpr Time begin = Time{} + 1h;

RaftEntry entry(std::uint64_t term, std::uint64_t index) { return {RaftTerm{term}, RaftIndex{index}, Bytes::copy_of("x")}; }

RaftDisk disk(std::uint64_t term, std::uint64_t entry_term, std::uint64_t entries) {
  RaftDisk d;
  d.hard_state.term = RaftTerm{term};
  for (std::uint64_t i = 1; i <= entries; ++i) d.entries.push_back(entry(entry_term, i));
  return d;
}

/// Voter 1 of three; the test plays the other two and the disk.
struct Voter {
  Raft raft;
  Time now = begin;

  explicit Voter(const RaftDisk& d) : raft({one, {one, two, three}}, d, 7, nullptr) { raft.start(now); }

  void receive(SequencerId from, Message m) { raft.receive(now, from, m); }
  void save_all() {
    while (!raft.output().saves.empty()) {
      const std::uint64_t ticket = raft.output().saves.front().ticket;
      raft.output().saves.erase(raft.output().saves.begin());
      raft.save_done(now, ticket);
    }
  }
  template <class M>
  std::vector<M> sent(SequencerId to) {
    std::vector<M> out;
    for (const auto& [whom, m] : raft.output().sends)
      if (const auto* x = std::get_if<M>(&m); x != nullptr && whom == to) out.push_back(*x);
    return out;
  }
  void forget_sends() { raft.output().sends.clear(); }
  void time_out() {
    now += 2s;
    raft.tick(now);
  }
  /// Leader of the term after its own, with the vote of 2. Its first entry is not saved yet.
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
  v.receive(two, InstallSnapshot{RaftTerm{3}, two, RaftIndex{5}, RaftTerm{3}, 1, Bytes::copy_of("state")});
  v.save_all();
  v.win();  // appends entry 6
  v.receive(two, Appended{v.raft.term(), true, RaftIndex{6}, 1});
  CHECK(v.raft.committed() == RaftIndex{5});  // durable at 2 alone
  v.save_all();
  CHECK(v.raft.committed() == RaftIndex{6});
}

TEST_CASE("raft: a snapshot that brings nothing new is answered for only when what is committed is saved (C3)") {
  Voter v(disk(1, 1, 0));
  v.receive(two, AppendEntries{RaftTerm{1}, two, {}, {}, RaftIndex{2}, 1, {entry(1, 1), entry(1, 2)}});
  REQUIRE(v.raft.committed() == RaftIndex{2});
  v.receive(two, InstallSnapshot{RaftTerm{1}, two, RaftIndex{1}, RaftTerm{1}, 2, Bytes::copy_of("state")});
  CHECK(v.sent<Appended>(two).empty());
  v.save_all();
  REQUIRE(v.sent<Appended>(two).size() == 2);
  CHECK(v.sent<Appended>(two).back().match == RaftIndex{2});
}

TEST_CASE("raft: a refused pre-vote tells the voter's own term, and who is behind takes it over (C3)") {
  SUBCASE("the voter") {
    Voter v(disk(5, 1, 3));
    v.receive(two, RequestVote{RaftTerm{4}, true, two, RaftIndex{9}, RaftTerm{3}});
    REQUIRE(v.sent<Vote>(two).size() == 1);
    CHECK(v.sent<Vote>(two)[0].term == RaftTerm{5});
    CHECK_FALSE(v.sent<Vote>(two)[0].granted);
    v.forget_sends();
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
    v.receive(two, Vote{RaftTerm{5}, true, false});
    CHECK(v.raft.term() == RaftTerm{5});
    CHECK(v.raft.role() == RaftRole::follower);
    v.forget_sends();
    v.time_out();
    REQUIRE(v.sent<RequestVote>(two).size() == 1);
    CHECK(v.sent<RequestVote>(two)[0].term == RaftTerm{6});
    // A grant is no news of a term.
    v.receive(two, Vote{RaftTerm{9}, true, true});
    CHECK(v.raft.term() == RaftTerm{5});
  }
}

TEST_CASE("raft: an answer to an older reign's message confirms no read of this one (R2)") {
  Voter v(disk(5, 1, 3));
  v.receive(two, AppendEntries{RaftTerm{3}, two, RaftIndex{3}, RaftTerm{1}, {}, 50, {}});
  v.receive(two, InstallSnapshot{RaftTerm{3}, two, RaftIndex{3}, RaftTerm{1}, 50, Bytes::copy_of("state")});
  REQUIRE(v.sent<Appended>(two).size() == 2);
  for (const Appended& a : v.sent<Appended>(two)) {
    CHECK_FALSE(a.success);
    CHECK(a.term == RaftTerm{5});
    CHECK(a.round == 0);
  }
}

TEST_CASE("raft: a voter whose connection comes up during an election is asked, not only after the timeout") {
  Voter v(disk(1, 1, 1));
  v.time_out();
  v.forget_sends();
  v.raft.peer_connected(v.now, two);
  REQUIRE(v.sent<RequestVote>(two).size() == 1);
  CHECK(v.sent<RequestVote>(two)[0] == RequestVote{RaftTerm{2}, true, one, RaftIndex{1}, RaftTerm{1}});
  CHECK(v.sent<RequestVote>(three).empty());
  v.receive(two, Vote{RaftTerm{2}, true, true});
  v.forget_sends();
  v.raft.peer_connected(v.now, three);
  CHECK(v.sent<RequestVote>(three).empty());  // its own vote is not durable: nobody may be asked yet
  v.save_all();
  v.forget_sends();
  v.raft.peer_connected(v.now, three);
  REQUIRE(v.sent<RequestVote>(three).size() == 1);
  CHECK(v.sent<RequestVote>(three)[0] == RequestVote{RaftTerm{2}, false, one, RaftIndex{1}, RaftTerm{1}});
  v.receive(three, Vote{RaftTerm{2}, false, true});
  CHECK(v.raft.is_leader());
}

TEST_CASE("raft: after a split vote the next pre-vote comes soon, but not while a voter may still agree") {
  Voter v(disk(1, 1, 1));
  bool gone = false;
  SUBCASE("voter 3 is gone") { gone = true; }
  SUBCASE("voter 3 is slow") {}
  v.raft.peer_connected(v.now, two);
  if (!gone) v.raft.peer_connected(v.now, three);
  v.time_out();
  v.receive(two, Vote{RaftTerm{2}, true, true});
  v.save_all();
  v.receive(two, Vote{RaftTerm{2}, false, false});  // it voted for itself
  v.forget_sends();
  v.now += 30ms;
  v.raft.tick(v.now);
  REQUIRE(v.sent<RequestVote>(two).size() == (gone ? 1 : 0));
  if (gone) CHECK(v.sent<RequestVote>(two)[0] == RequestVote{RaftTerm{3}, true, one, RaftIndex{1}, RaftTerm{1}});
  CHECK(v.raft.term() == RaftTerm{2});
  if (gone) return;
  v.receive(three, Vote{RaftTerm{2}, false, true});
  CHECK(v.raft.is_leader());
}

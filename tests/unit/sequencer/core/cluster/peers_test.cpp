// Links between sequencers (spec/04 "Links between sequencers"): which connection counts, which
// process is refused, and the bound on questions that wait for a confirmed lead (R2).
// The sequencer under test is 2 of three; the test plays sequencers 1 and 3.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/sequencer/core/fake_cluster.h"

using namespace loglog;
using namespace loglog::sequencer;
using namespace loglog::sequencer::testing;

namespace {

constexpr BootId usual{11}, other{12};

/// Sequencer 2 of three: it dials 3, and 1 dials it.
struct Second : FakeCluster {
  Second() : FakeCluster(0) {
    now = Time{1h};
    options.id = SequencerId{2};
    options.sequencers = {
        {SequencerId{1}, "a:1"}, {SequencerId{2}, "b:1"}, {SequencerId{3}, "c:1"}};
    disk.hard_state.vote = options.id;  // otherwise the empty disk would be undecided (C3)
    restart();
  }
  std::size_t alarms() const {
    return static_cast<std::size_t>(std::ranges::count(events, Event::Level::alarm, &Event::level));
  }
  /// Sequencer `id` as the overview shows it.
  SequencerSeen seen(std::uint32_t id) const {
    for (const SequencerSeen& s : machine->overview(0).sequencers)
      if (s.id == SequencerId{id}) return s;
    return {};
  }
};

}  // namespace

TEST_CASE(
    "sequencer: a link that is displaced is closed with the reason, so that its other end dials "
    "anew (Z5)") {
  Second s;
  const ConnectionId first = s.connect_sequencer(1);
  // The same process dials again, because its first connection broke.
  const ConnectionId again = s.connect_sequencer(1);
  REQUIRE(s.closed.contains(first));
  CHECK(s.closed[first].code == Errc::connection_lost);
  CHECK(s.closed[first].detail == "sequencer 1 has made a newer connection");
  CHECK_FALSE(s.closed.contains(again));
  CHECK(s.alarms() == 0);
  CHECK(s.seen(1).reachable);
}

TEST_CASE(
    "sequencer: another process under a sequencer's id is refused and alarmed of; the one that is "
    "heard keeps its link (Z5, F11)") {
  Second s;
  const ConnectionId real = s.connect_sequencer(1);
  for (int i = 0; i < 5; ++i) {
    s.pass(1s);
    const ConnectionId twin = s.connect_sequencer(1, other);
    REQUIRE(s.closed.contains(twin));
    CHECK(s.closed[twin].code == Errc::wrong_identity);
    CHECK_FALSE(s.closed.contains(real));
  }
  CHECK(s.alarms() == 1);
  CHECK(s.seen(1).twice);
  CHECK_FALSE(s.seen(3).twice);
  // The first process has gone silent, so the second process may take its place.
  s.mute.insert(SequencerId{1});
  s.pass(4s);
  const ConnectionId next = s.connect_sequencer(1, other);
  CHECK_FALSE(s.closed.contains(next));
  CHECK(s.closed.contains(real));
  // The mark of a second process ends after some seconds.
  s.pass(15s);
  CHECK_FALSE(s.seen(1).twice);
}

TEST_CASE(
    "sequencer: of two sequencers only the one with the lower id dials, so a hello the other way "
    "displaces nothing (Z5)") {
  Second s;
  const ConnectionId third = s.connect_sequencer(3);
  // 3 has the higher id and must not dial.
  const ConnectionId wrong = s.connect_sequencer(3, usual, false);
  REQUIRE(s.closed.contains(wrong));
  CHECK(s.closed[wrong].code == Errc::wrong_identity);
  CHECK(s.closed[wrong].detail == "of sequencers 2 and 3 the one with the lower id dials");
  CHECK_FALSE(s.closed.contains(third));
}

TEST_CASE("sequencer: a peer whose link is mute counts as unreachable, for a follower too (Z5)") {
  Second s;
  s.connect_sequencer(1);
  s.connect_sequencer(3);
  // 1 holds its connection open and answers nothing.
  s.mute = {SequencerId{1}};
  s.pass(5s);
  CHECK(s.machine->role() == RaftRole::leader);
  CHECK_FALSE(s.seen(1).reachable);
  CHECK(s.seen(3).reachable);
}

TEST_CASE(
    "sequencer: questions about a log that is absent share a round; one connection has 1024 "
    "waiting at most (Z10)") {
  Second s;
  s.connect_sequencer(1);
  s.connect_sequencer(3);
  s.pass(5s);
  REQUIRE(s.machine->leading_term() != Term{});
  const ConnectionId client = s.connect_client();
  s.entries.clear();
  s.to_clients.clear();
  s.mute = {SequencerId{1}, SequencerId{3}};  // no round of confirmation ends
  for (std::uint32_t i = 1; i <= 2000; ++i) s.say(client, DeleteLog{LogId{999}}, i);
  // The questions share a round, so Raft is asked at most twice.
  CHECK(s.entries[SequencerId{1}] <= 2);
  REQUIRE(s.to_clients.size() == 2000 - questions_waiting_max);
  CHECK(std::get<Failed>(s.to_clients[0]).error == Errc::too_many);
  s.to_clients.clear();
  // The peers answer again, and every waiting question gets its answer.
  s.mute.clear();
  s.pass(1s);
  CHECK(s.to_clients.size() == questions_waiting_max);
  CHECK(std::ranges::all_of(s.to_clients, [](const Message& m) {
    const auto* f = std::get_if<Failed>(&m);
    return f != nullptr && f->error == Errc::no_such_log;
  }));
}

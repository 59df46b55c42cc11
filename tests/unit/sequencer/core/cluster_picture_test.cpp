// Which picture of the cluster a status page shows: the leader's own, the leader's answer to a
// follower, or old offsets with their age if there is no leader.
#include "sequencer/core/cluster_picture.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::sequencer;
using Source = ClusterPicture::Source;

namespace {

/// An overview by sequencer `id`, which takes `leader` for the leader, with a log that is not open.
Overview seen_by(std::uint32_t id, std::uint32_t leader) {
  Overview o;
  o.id = SequencerId{id};
  o.leader = SequencerId{leader};
  o.role = id == leader ? RaftRole::leader : RaftRole::follower;
  o.logs.push_back({LogId{1},
                    "events",
                    LogState::open,
                    false,
                    false,
                    Term{},
                    Offset{100},
                    Offset{},
                    2,
                    {{NodeId{1}, ReplicaState::lagging, Offset{}, 0}}});
  return o;
}

/// The answer of leader 2, heard at 10 s, with a log that is open.
Told told_by_leader() {
  Told t{seen_by(2, 2), Time{} + 10s};
  LogSeen& l = t.overview.logs[0];
  l.open = true;
  l.term = Term{3};
  l.first = Offset{50};
  l.committed = Offset{900};
  l.replicas[0] = {NodeId{1}, ReplicaState::streaming, Offset{880}, 5};
  return t;
}

}  // namespace

TEST_CASE("picture: a leader shows what it sees") {
  const ClusterPicture p = picture_of(Time{} + 12s, seen_by(1, 1), told_by_leader(), false);
  CHECK(p.source == Source::leads);
  CHECK(p.overview == seen_by(1, 1));
  CHECK(p.logs_age == Duration{0});
}

TEST_CASE("picture: a follower shows what the leader says") {
  const Told t = told_by_leader();
  const ClusterPicture p = picture_of(Time{} + 10s, seen_by(1, 2), t, true);
  CHECK(p.source == Source::leader_told);
  CHECK(p.served_by == SequencerId{1});
  CHECK(p.overview == t.overview);
  CHECK(p.logs_age == Duration{0});
}

TEST_CASE("picture: without a leader, what it sees itself and the offsets of old, with their age") {
  const ClusterPicture p = picture_of(Time{} + 24s, seen_by(1, 0), told_by_leader(), false);
  CHECK(p.source == Source::no_leader);
  CHECK(p.logs_age == Duration(14s));
  REQUIRE(p.overview.logs.size() == 1);
  const LogSeen& l = p.overview.logs[0];
  CHECK(l.committed == Offset{900});
  // The trim point moved meanwhile, and a follower knows it from the metadata.
  CHECK(l.first == Offset{100});
  CHECK(!l.open);
  CHECK(l.replicas[0] == ReplicaSeen{NodeId{1}, ReplicaState::lagging, Offset{880}, 0});
  CHECK(picture_of(Time{}, seen_by(1, 2), {}, false).source == Source::leader_silent);
  CHECK(!picture_of(Time{}, seen_by(1, 2), {}, false).logs_age);
}

// The verdict on the cluster in a sentence (sequencer/core/verdict.h), with the consequence for
// appends first. Each test changes a healthy picture in a few points.
// Verdict and alarms must agree about when appends stop; the last test compares them over all
// states.
#include "sequencer/core/verdict.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sequencer/core/alarms.h"

using namespace loglog;
using namespace loglog::sequencer;

namespace {

/// A healthy cluster: three sequencers, of which the first leads; three storage nodes; a log on all
/// of them.
ClusterPicture whole() {
  ClusterPicture p;
  p.served_by = SequencerId{1};
  p.source = ClusterPicture::Source::leads;
  Overview& o = p.overview;
  o.id = o.leader = SequencerId{1};
  o.role = RaftRole::leader;
  o.term = Term{4};
  LogSeen l{LogId{1}, "events",  LogState::open, true, false,
            Term{4},  Offset{0}, Offset{100},    2,    {}};
  for (std::uint32_t i = 1; i <= 3; ++i) {
    o.sequencers.push_back({SequencerId{i}, fmt::format("s{}:1", i), true, 0});
    o.storage.push_back({NodeId{i}, fmt::format("n{}:1", i), NodeCondition::up, 0, 0, 0, 0, 0, 0});
    l.replicas.push_back({NodeId{i}, ReplicaState::streaming, l.committed, 0});
  }
  o.logs.push_back(l);
  return p;
}

/// Takes node `node` (from 0) and its replicas away.
void lose(ClusterPicture& p, std::size_t node, NodeCondition c = NodeCondition::unreachable) {
  p.overview.storage[node].condition = c;
  for (LogSeen& l : p.overview.logs) l.replicas[node].state = ReplicaState::unreachable;
}
void fill_disk(ClusterPicture& p, std::size_t node) {
  p.overview.storage[node].logs_without_space = 1;
  for (LogSeen& l : p.overview.logs) l.replicas[node].state = ReplicaState::full;
}

void check_verdict(const ClusterPicture& p, Health health, const std::string& sentence) {
  const Verdict v = verdict_of(p);
  CHECK(v.health == health);
  CHECK(v.sentence == sentence);
}

}  // namespace

TEST_CASE("verdict: a whole cluster is healthy and says what may fail") {
  check_verdict(whole(), Health::healthy,
                "appends and reads are served; 1 storage node and 1 sequencer may fail");
}

TEST_CASE("verdict: a cluster without logs tells its storage nodes too (D)") {
  ClusterPicture p = whole();
  p.overview.logs.clear();
  check_verdict(p, Health::healthy,
                "appends and reads are served; 1 storage node and 1 sequencer may fail");
  p.overview.storage[0].condition = NodeCondition::unreachable;
  check_verdict(
      p, Health::degraded,
      "appends and reads go on: storage 1 unreachable; no storage node and 1 sequencer may fail");
}

TEST_CASE("verdict: full disks that refuse appends are not healthy (A2)") {
  ClusterPicture p = whole();
  fill_disk(p, 1);
  check_verdict(p, Health::degraded,
                "appends and reads go on: the disk of storage 2 is full; no storage node and 1 "
                "sequencer may fail");
  fill_disk(p, 2);
  check_verdict(p, Health::not_serving,
                "appends to events are refused: 1 of 3 replicas has space, 2 are needed (the disk "
                "of storage 2 is full, the disk of "
                "storage 3 is full); committed entries can be read from each replica that is up "
                "and has them");
  fill_disk(p, 0);
  CHECK(verdict_of(p).sentence.starts_with(
      "appends to events are refused: 0 of 3 replicas have space, 2 are needed"));
}

TEST_CASE("verdict: nodes that are away but not needed degrade") {
  ClusterPicture p = whole();
  SUBCASE("a storage node") {
    lose(p, 2);
    CHECK(
        verdict_of(p).sentence ==
        "appends and reads go on: storage 3 unreachable; no storage node and 1 sequencer may fail");
  }
  SUBCASE("a sequencer that the leader does not hear") {
    p.overview.sequencers[1].reachable = false;
    CHECK(verdict_of(p).sentence ==
          "appends and reads go on: sequencer 2 unreachable; 1 storage node and no sequencer may "
          "fail");
  }
  SUBCASE("a sequencer that runs twice (F11)") {
    p.overview.sequencers[1].twice = true;
    CHECK(verdict_of(p).sentence ==
          "appends and reads go on: a second process runs as sequencer 2; 1 storage node and 1 "
          "sequencer may fail");
    const auto alarms = alarms_of(p);
    REQUIRE(alarms.size() == 1);
    CHECK(alarms[0].id == "sequencer-twice");
    CHECK(alarms[0].severity == Severity::critical);
    CHECK(alarms[0].what == "A second process runs as sequencer 2, and is refused.");
  }
  SUBCASE("a replica of a node that is up") {
    p.overview.logs[0].replicas[1].state = ReplicaState::lagging;
    CHECK(verdict_of(p).sentence ==
          "appends and reads go on: replicas of events are not in step; no storage node and 1 "
          "sequencer may fail");
  }
  SUBCASE("a foreign disk") {
    lose(p, 2, NodeCondition::foreign_disk);
    CHECK(verdict_of(p).sentence.find(
              "storage 3 came with another disk (gone for good? loglog nodes replace-disk 3)") !=
          std::string::npos);
  }
  SUBCASE("a disk that lost data") {
    lose(p, 2, NodeCondition::data_loss);
    CHECK(verdict_of(p).sentence.find(
              "storage 3 lost data that it had acknowledged (see its log)") != std::string::npos);
  }
  SUBCASE("a node that refuses a leader whose metadata went back (F10c)") {
    lose(p, 2, NodeCondition::refuses_leader);
    CHECK(verdict_of(p).sentence.find(
              "storage 3 refuses this leader: the sequencers have gone back (see its log)") !=
          std::string::npos);
  }
  CHECK(verdict_of(p).health == Health::degraded);
}

TEST_CASE("verdict: a stop of appends is said first, and what can still be read") {
  ClusterPicture p = whole();
  LogSeen& log = p.overview.logs[0];
  std::string said;
  SUBCASE("no leader") {
    p.source = ClusterPicture::Source::no_leader;
    p.overview.sequencers[1].reachable = p.overview.sequencers[2].reachable = false;
    said =
        "appends wait: no leader, 1 of 3 sequencers are reached and 2 must be; committed entries "
        "can still be read";
  }
  SUBCASE("a leader that does not answer") {
    p.source = ClusterPicture::Source::leader_silent;
    said = "the leader, sequencer 1, does not answer; whether appends are served is not known";
  }
  SUBCASE("a leader that only begins") {
    p.overview.term = Term{};
    said =
        "appends wait: the leader is only beginning its term; committed entries can still be read";
  }
  SUBCASE("too few replicas") {
    lose(p, 1);
    lose(p, 2);
    said =
        "appends wait, too few replicas: events (1 of 3 replicas, 2 needed) (storage 2 "
        "unreachable, storage 3 unreachable)";
  }
  // A newcomer proves nothing; a second newcomer leaves no seal quorum for ever.
  SUBCASE("too many replaced disks") {
    log.open = false;
    log.replicas[0].state = ReplicaState::newcomer;
    CHECK(verdict_of(p).sentence.starts_with("appends wait, being recovered: events"));
    log.replicas[2].state = ReplicaState::newcomer;
    said = "appends to events are refused for good: too many disks were replaced at once";
  }
  SUBCASE("halted") {
    log.halted = true;
    said = "appends to events are refused: halted, replicas contradict each other";
  }
  SUBCASE("many logs in recovery") {
    p.overview.logs.resize(5, log);
    for (LogSeen& l : p.overview.logs) l.open = false;
    said = "appends wait, being recovered: events, events, events and 2 more";
  }
  const Verdict v = verdict_of(p);
  CHECK(v.health == Health::not_serving);
  CHECK_MESSAGE(v.sentence.starts_with(said), v.sentence);
}

TEST_CASE("verdict: logs that are made or deleted are no trouble") {
  ClusterPicture p = whole();
  for (const LogState state : {LogState::creating, LogState::deleting}) {
    p.overview.logs[0].state = state;
    p.overview.logs[0].replicas[0].state = ReplicaState::lagging;
    CHECK(verdict_of(p).health == Health::healthy);
  }
}

TEST_CASE(
    "verdict and alarms: whatever a log's replicas do, the one says that appends stop where the "
    "other does") {
  constexpr std::string_view stops[] = {"log-halted", "log-lost-quorum", "log-no-space",
                                        "log-below-quorum", "log-recovering"};
  constexpr int states = 6;
  // All combinations of open, halted, write quorum and three replica states.
  for (int how = 0; how < 2 * 2 * 3 * states * states * states; ++how) {
    ClusterPicture p = whole();
    LogSeen& l = p.overview.logs[0];
    int rest = how;
    const auto next = [&rest](int n) { return std::exchange(rest, rest / n) % n; };
    l.open = next(2) == 1;
    l.halted = next(2) == 1;
    l.write_quorum = static_cast<std::uint8_t>(1 + next(3));
    for (ReplicaSeen& r : l.replicas) r.state = static_cast<ReplicaState>(1 + next(states));
    const auto told = std::ranges::count_if(
        alarms_of(p), [&](const Alarm& a) { return std::ranges::count(stops, a.id) > 0; });
    CHECK_MESSAGE(told == (verdict_of(p).health == Health::not_serving ? 1 : 0),
                  verdict_of(p).sentence);
  }
}

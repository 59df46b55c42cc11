// The alarms (sequencer/core/alarms.h): which condition of the cluster raises which alarm, in which
// words. The tests change a healthy picture in a single point.
// The README's section on alarms must use the same words.
#include "sequencer/core/alarms.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

using namespace loglog;
using namespace loglog::sequencer;

namespace {

/// A healthy cluster: three sequencers, of which the first leads; three storage nodes; a log on all
/// of them.
ClusterPicture healthy() {
  ClusterPicture p;
  p.served_by = SequencerId{1};
  p.source = ClusterPicture::Source::leads;
  p.logs_age = Duration{0};
  Overview& o = p.overview;
  o.id = o.leader = SequencerId{1};
  o.role = RaftRole::leader;
  o.term = Term{4};
  LogSeen l{LogId{1}, "events",  LogState::open,        true, false,
            Term{4},  Offset{0}, Offset{1'000'000'000}, 2,    {}};
  for (std::uint32_t i = 1; i <= 3; ++i) {
    o.sequencers.push_back({SequencerId{i}, fmt::format("s{}:1", i), true, 0});
    o.storage.push_back(
        {NodeId{i}, fmt::format("n{}:1", i), NodeCondition::up, 10, 1000, 100'000, 0, 0, 0});
    l.replicas.push_back({NodeId{i}, ReplicaState::streaming, l.committed, 0});
  }
  o.logs.push_back(l);
  o.logs_total = 1;
  return p;
}

/// The same cluster without a leader as sequencer 1 sees it; it reaches `reached` sequencers,
/// itself included.
ClusterPicture leaderless(int reached) {
  ClusterPicture p = healthy();
  p.source = ClusterPicture::Source::no_leader;
  p.overview.leader = SequencerId{};
  p.overview.term = Term{};
  p.overview.role = RaftRole::follower;
  for (int i = reached; i < 3; ++i) {
    p.overview.sequencers[static_cast<std::size_t>(i)].reachable = false;
    p.overview.sequencers[static_cast<std::size_t>(i)].silent_ms = 5000;
  }
  return p;
}

/// The ids of all alarms, separated by spaces, in their order.
std::string ids(const ClusterPicture& p) {
  std::string out;
  for (const Alarm& a : alarms_of(p)) out += (out.empty() ? "" : " ") + std::string(a.id);
  return out;
}

/// The sentence of the first alarm of this id, or "nothing".
std::string said(const ClusterPicture& p, std::string_view id) {
  for (const Alarm& a : alarms_of(p))
    if (a.id == id) return a.what;
  return "nothing";
}

/// Makes node `node` (from 0) and its replicas unreachable.
void lose_replica(ClusterPicture& p, std::size_t node) {
  p.overview.storage[node].condition = NodeCondition::unreachable;
  p.overview.storage[node].silent_ms = 34'000;
  for (LogSeen& l : p.overview.logs) l.replicas[node].state = ReplicaState::unreachable;
}

std::string slurp(const std::filesystem::path& p) {
  std::ifstream in(p);
  std::ostringstream s;
  s << in.rdbuf();
  return s.str();
}

}  // namespace

TEST_CASE("alarms: none where all is well") { CHECK(alarms_of(healthy()).empty()); }

TEST_CASE("alarms: sequencers") {
  ClusterPicture p = healthy();
  p.overview.sequencers[2].reachable = false;
  p.overview.sequencers[2].silent_ms = 12'345;
  CHECK(ids(p) == "sequencer-unreachable");
  CHECK(said(p, "sequencer-unreachable") ==
        "Sequencer 3 at s3:1 has not answered for 12 s. One more that is lost stops all appends.");
  p.overview.sequencers[2].silent_ms = 0xFFFF'FFFF;
  CHECK(said(p, "sequencer-unreachable").starts_with("Sequencer 3 at s3:1 has not answered yet."));
  // With five sequencers a single lost sequencer is no danger to the quorum.
  p.overview.sequencers.push_back({SequencerId{4}, "s4:1", true, 0});
  p.overview.sequencers.push_back({SequencerId{5}, "s5:1", true, 0});
  CHECK(said(p, "sequencer-unreachable").ends_with("answered yet."));
}

TEST_CASE("alarms: a sequencer that runs twice is named with the place of the first (F11)") {
  ClusterPicture p = healthy();
  p.overview.sequencers[1].twice = true;
  CHECK(ids(p) == "sequencer-twice");
  CHECK(said(p, "sequencer-twice") == "A second process runs as sequencer 2, and is refused.");
  const Alarm twice = alarms_of(p)[0];
  CHECK(twice.severity == Severity::critical);
  CHECK(twice.action ==
        "Stop the one that is not at s2:1: it was started with a wrong --id, or its directory is a "
        "copy.");
  // A sequencer that does not lead tells of it too, because the second process may be the cause.
  p = leaderless(2);
  p.overview.sequencers[1].twice = true;
  CHECK(said(p, "sequencer-twice") == "A second process runs as sequencer 2, and is refused.");
}

TEST_CASE("alarms: clocks that differ, of which nothing was said (C-11)") {
  ClusterPicture p = healthy();
  // 5 s is the bound below which clocks count as equal (R5).
  p.overview.sequencers[1].clock_off_ms = 5000;
  CHECK(ids(p).empty());
  p.overview.sequencers[1].clock_off_ms = 86'400'000;
  CHECK(ids(p) == "clocks-differ");
  CHECK(
      said(p, "clocks-differ")
          .starts_with("The sequencers' clocks differ: that of sequencer 2 at s2:1 is 24 h off."));
  p.overview.sequencers[1].clock_off_ms = ~std::uint32_t{0};
  CHECK(said(p, "clocks-differ").find("was just set") != std::string::npos);
}

TEST_CASE("alarms: no leader") {
  CHECK(ids(leaderless(3)) == "no-leader");
  CHECK(ids(leaderless(2)) == "no-leader sequencer-unreachable");
  CHECK(ids(leaderless(1)) == "no-quorum sequencer-unreachable sequencer-unreachable");
  CHECK(said(leaderless(1), "no-quorum")
            .find("reaches 1 of 3 sequencers, itself included, and 2 are needed") !=
        std::string::npos);
  CHECK(alarms_of(leaderless(1))[0].severity == Severity::critical);
  // Elected, but the term for logs has not begun.
  ClusterPicture elected = healthy();
  elected.overview.term = Term{};
  CHECK(ids(elected) == "no-leader");
  CHECK(said(elected, "no-leader").find("was elected") != std::string::npos);
  ClusterPicture alone = leaderless(3);
  alone.overview.sequencers.resize(1);
  CHECK(ids(alone) == "no-leader");
}

TEST_CASE("alarms: without a leader nothing is said of what only a leader knows") {
  ClusterPicture p = leaderless(3);
  // Replica states are the leader's knowledge; without a leader they may be old.
  p.overview.logs[0].open = false;
  for (ReplicaSeen& r : p.overview.logs[0].replicas) r.state = ReplicaState::lagging;
  CHECK(ids(p) == "no-leader");
  p.source = ClusterPicture::Source::leader_silent;
  p.overview.leader = SequencerId{2};
  CHECK(ids(p) == "leader-silent");
}

TEST_CASE("alarms: a storage node that is lost, and a second one") {
  ClusterPicture p = healthy();
  lose_replica(p, 1);
  CHECK(ids(p) == "node-unreachable log-no-spare");
  CHECK(said(p, "node-unreachable") == "Storage node 2 at n2:1 has not answered for 34 s.");
  CHECK(said(p, "log-no-spare") == "One more storage node that is lost stops appends to events.");
  lose_replica(p, 2);
  CHECK(ids(p) == "log-below-quorum node-unreachable node-unreachable");
  CHECK(said(p, "log-below-quorum") ==
        "Appends to events wait: 1 of 3 replicas take them, and 2 are needed.");
  for (const Alarm& a : alarms_of(p)) CHECK(!a.action.empty());
}

TEST_CASE("alarms: a log in recovery waits for what may come back, or for ever") {
  ClusterPicture p = healthy();
  LogSeen& l = p.overview.logs[0];
  l.open = false;
  for (ReplicaSeen& r : l.replicas) r.state = ReplicaState::lagging;
  CHECK(ids(p) == "log-recovering");
  l.replicas[0].state = ReplicaState::newcomer;  // the other two know all that is committed
  CHECK(ids(p) == "log-recovering");
  lose_replica(p, 2);  // node 3 may come back, or may be replaced as well
  CHECK(ids(p) == "log-below-quorum node-unreachable");
  // No seal quorum is left, even if node 3 comes back.
  l.replicas[1].state = ReplicaState::newcomer;
  CHECK(ids(p) == "log-lost-quorum node-unreachable");
  CHECK(said(p, "log-lost-quorum") ==
        "So many disks with events were replaced that nobody knows all that was acknowledged. No "
        "appends are taken any more.");
}

TEST_CASE("alarms: a log that needs every replica has none to spare, and that is as it was made") {
  ClusterPicture p = healthy();
  // W = N: the log never had a replica to spare, so no alarm says that it has none.
  p.overview.logs[0].write_quorum = 3;
  CHECK(ids(p).empty());
  lose_replica(p, 0);
  CHECK(ids(p) == "log-below-quorum node-unreachable");
}

TEST_CASE("alarms: conditions of storage nodes") {
  const auto with = [](NodeCondition c) {
    ClusterPicture p = healthy();
    p.overview.storage[0].condition = c;
    return ids(p);
  };
  CHECK(with(NodeCondition::foreign_disk) == "node-foreign-disk");
  CHECK(with(NodeCondition::data_loss) == "node-data-loss");
  CHECK(with(NodeCondition::refuses_leader) == "node-refuses-leader");
  CHECK(with(NodeCondition::lagging) == "node-lagging");
  CHECK(with(NodeCondition::suspect) == "node-suspect");
  ClusterPicture p = healthy();
  p.overview.storage[0].logs_without_space = 2;
  CHECK(ids(p) == "node-disk-full");
  CHECK(said(p, "node-disk-full").find("to 2 logs: its disk gives no space.") != std::string::npos);
  p.overview.storage[0].disk_size_bytes = 10u << 20;
  p.overview.storage[0].disk_free_bytes = 1024;
  CHECK(
      said(p, "node-disk-full").ends_with("its disk gives no space, 1.0 KiB of 10 MiB are free."));
  p = healthy();
  p.overview.storage[0].staged_bytes = 89'999;
  CHECK(ids(p).empty());
  p.overview.storage[0].staged_bytes = 90'000;
  CHECK(ids(p) == "node-staging-full");
  p.overview.storage[0].staged_bytes_max = 0;  // not reported yet
  CHECK(ids(p).empty());
}

TEST_CASE("alarms: storage nodes that do not hear each other are named while all is well (C-6)") {
  ClusterPicture p = healthy();
  p.overview.storage[0].cannot_reach = {NodeId{2}, NodeId{3}};
  CHECK(ids(p) == "node-parted");
  CHECK(said(p, "node-parted").find("gets no answer from storage nodes 2, 3.") !=
        std::string::npos);
}

TEST_CASE(
    "alarms: nobody is told that a replica catches up by itself while its node is refused or "
    "refuses (F10b, F10c)") {
  ClusterPicture p = healthy();
  ReplicaSeen& r = p.overview.logs[0].replicas[0];
  r.state = ReplicaState::suspect;
  r.behind_ms = 60'000;
  CHECK(ids(p).find("replica-behind") != std::string::npos);
  for (const auto& [condition, alarm] :
       {std::pair{NodeCondition::data_loss, "node-data-loss"},
        std::pair{NodeCondition::foreign_disk, "node-foreign-disk"},
        std::pair{NodeCondition::refuses_leader, "node-refuses-leader"}}) {
    CAPTURE(alarm);
    std::ranges::find(p.overview.storage, r.node, &NodeSeen::id)->condition = condition;
    CHECK(ids(p).find("replica-behind") == std::string::npos);
    CHECK(ids(p).find(alarm) != std::string::npos);
  }
}

TEST_CASE("alarms: logs") {
  ClusterPicture p = healthy();
  p.overview.logs[0].open = false;
  CHECK(ids(p) == "log-recovering");
  p.overview.logs[0].halted = true;
  CHECK(ids(p) == "log-halted");
  // A log that is being made is not open yet, and no alarm is due.
  p.overview.logs[0].state = LogState::creating;
  CHECK(ids(p).empty());
  p = healthy();
  p.overview.logs[0].open = false;
  lose_replica(p, 0);
  lose_replica(p, 1);
  CHECK(ids(p).starts_with("log-below-quorum"));
}

TEST_CASE("alarms: full disks say that appends are refused, not that all is well (A2)") {
  ClusterPicture p = healthy();
  for (std::size_t i : {1U, 2U}) {
    p.overview.storage[i].logs_without_space = 1;
    p.overview.logs[0].replicas[i].state = ReplicaState::full;
  }
  CHECK(ids(p) == "node-disk-full node-disk-full log-no-space");
  CHECK(said(p, "log-no-space") ==
        "Appends to events are refused: 1 of 3 replicas has space, and 2 are needed.");
  // The way out must need no free space, and its options must be those of the commands (C).
  for (const Alarm& a : alarms_of(p)) {
    CHECK(a.action.find("loglog logs trim NAME --keep-bytes 1GiB") != std::string::npos);
    CHECK(a.action.find("loglog logs set NAME --retention-bytes N") != std::string::npos);
  }
}

TEST_CASE("alarms: one for all logs in the same trouble") {
  ClusterPicture p = healthy();
  for (int i = 0; i < 9; ++i) {
    p.overview.logs.push_back(p.overview.logs[0]);
    p.overview.logs.back().name = fmt::format("log{}", i);
  }
  lose_replica(p, 2);
  CHECK(ids(p) == "node-unreachable log-no-spare");
  CHECK(said(p, "log-no-spare") ==
        "One more storage node that is lost stops appends to events, log0, log1 and 7 more logs.");
  p.overview.logs.resize(2);
  CHECK(said(p, "log-no-spare") ==
        "One more storage node that is lost stops appends to events and log0.");
}

TEST_CASE("alarms: a replica is behind by bytes or by time") {
  ClusterPicture p = healthy();
  ReplicaSeen& r = p.overview.logs[0].replicas[2];
  r.durable = Offset{p.overview.logs[0].committed.value - 4096};
  r.behind_ms = 9'999;
  CHECK(ids(p).empty());
  r.behind_ms = 10'000;
  CHECK(ids(p) == "replica-behind");
  CHECK(said(p, "replica-behind") ==
        "The replica of events on storage node 3 lacks 4.0 KiB, for 10 s.");
  r.behind_ms = 500;
  r.durable = Offset{p.overview.logs[0].committed.value - (64u << 20)};
  CHECK(ids(p) == "replica-behind");
  p.overview.logs.push_back(p.overview.logs[0]);
  CHECK(said(p, "replica-behind").ends_with("1 more replica is behind."));
  r.state = ReplicaState::unreachable;  // the node's own alarm covers it
  p.overview.logs.resize(1);
  CHECK(said(p, "replica-behind") == "nothing");
}

TEST_CASE("alarms: the README tells each kind, in the same words and no other") {
  const auto root = std::filesystem::path(__FILE__)
                        .parent_path()
                        .parent_path()
                        .parent_path()
                        .parent_path()
                        .parent_path();
  // Each heading of the section is an alarm's id, and its text holds the alarm's meaning.
  const std::string readme = slurp(root / "sequencer/README.md");
  const auto begin = readme.find("## What each alarm means");
  REQUIRE(begin != std::string::npos);
  std::istringstream section(readme.substr(begin, readme.find("\n## ", begin + 1) - begin));
  std::vector<std::string> told;
  std::string words;
  for (std::string line; std::getline(section, line);) {
    if (line.starts_with("### ")) {
      told.push_back(line.substr(4));
      words.clear();
    } else if (!told.empty()) {
      words += (words.empty() ? "" : " ") + line;
      for (const AlarmKind& k : alarm_kinds)
        if (k.id == told.back() && words.find(k.meaning) != std::string::npos)
          told.back() += " in these words";
    }
  }
  std::vector<std::string> wanted;
  for (const AlarmKind& k : alarm_kinds) wanted.push_back(std::string(k.id) + " in these words");
  CHECK(told == wanted);
}

TEST_CASE("alarms: bytes and durations in words") {
  CHECK(bytes_text(0) == "0 B");
  CHECK(bytes_text(1023) == "1023 B");
  CHECK(bytes_text(1536) == "1.5 KiB");
  CHECK(bytes_text(200ull << 30) == "200 GiB");
  CHECK(duration_text(999ms) == "999 ms");
  CHECK(duration_text(119s) == "119 s");
  CHECK(duration_text(120s) == "2 min");
  CHECK(duration_text(3h) == "3 h");
}

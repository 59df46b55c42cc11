// The sequencer's answers to GetOverview and GetStatus (spec/03 "What people are told"): conditions
// of nodes and replicas, the verdict, writers, and bytes on disk.
// Runs on fake_cluster.h. No rule of the protocol depends on these answers.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "sequencer/core/alarms.h"
#include "sequencer/core/verdict.h"
#include "tests/unit/sequencer/core/fake_cluster.h"

using namespace loglog;
using namespace loglog::sequencer;
using namespace loglog::sequencer::testing;

namespace {

LogId create(FakeCluster& f, ConnectionId c, const std::string& name) {
  f.to_clients.clear();
  f.say(c, CreateLog{name, {}});
  REQUIRE(f.heard<LogIs>().size() == 1);
  return f.heard<LogIs>()[0].info.id;
}

TermIs open(FakeCluster& f, ConnectionId c, LogId log) {
  f.to_clients.clear();
  f.say(c, OpenLog{log});
  f.pass(200ms);
  REQUIRE(!f.heard<TermIs>().empty());
  return f.heard<TermIs>().back();
}

Commit commit(const TermIs& t, std::uint64_t first) {
  return {t.log, t.term, Sequence{0}, {ProducerId{77}, Sequence{first}, 1, 100, RunDigest{first}}};
}

/// Each node that is up answers a ping, as real nodes do, so that it counts as heard.
void all_answer(FakeCluster& f) {
  for (int i : {1, 2, 3})
    if (f.node(i).up) f.say(f.node(i).connection, Pong{});
}

NodeCondition condition(FakeCluster& f, std::size_t i) {
  return f.machine->overview(0).storage.at(i - 1).condition;
}

}  // namespace

TEST_CASE("overview: a leader tells nodes, logs and counts, to clients too") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c, "events");
  const TermIs t = open(f, c, log);
  f.say(c, commit(t, 1));
  f.say(c, commit(t, 2));
  all_answer(f);
  const Overview o = f.machine->overview(10);
  CHECK(o.role == RaftRole::leader);
  CHECK(o.leader == SequencerId{1});
  CHECK(o.term == f.machine->leading_term());
  CHECK(o.appends == 2);
  CHECK(o.append_bytes == 200);
  REQUIRE(o.commit_latency.size() == observe::latency_bounds_us.size() + 1);
  CHECK(o.commit_latency.front() == LatencyBucket{50, 2});  // the fake nodes answer at once
  CHECK(o.commit_latency.back() == LatencyBucket{0xFFFF'FFFF, 0});
  CHECK(o.sequencers == std::vector<SequencerSeen>{{SequencerId{1}, "s1:1", true, 0}});
  REQUIRE(o.storage.size() == 3);
  CHECK(o.storage[0].condition == NodeCondition::up);
  CHECK(o.logs_total == 1);
  REQUIRE(o.logs.size() == 1);
  CHECK(o.logs[0].open);
  CHECK(o.logs[0].committed == t.end + 200);
  REQUIRE(o.logs[0].replicas.size() == 3);
  for (const ReplicaSeen& r : o.logs[0].replicas)
    CHECK(r == ReplicaSeen{r.node, ReplicaState::streaming, t.end + 200, 0});
  f.to_clients.clear();
  f.say(c, GetOverview{10});
  REQUIRE(f.heard<Overview>().size() == 1);
  CHECK(f.heard<Overview>()[0] == o);
}

TEST_CASE(
    "overview: a replica that lacks committed bytes is behind since it lacks them, and no longer "
    "once it has them") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c, "events");
  const TermIs t = open(f, c, log);
  // Node 3 keeps orders and does not acknowledge them.
  f.node(3).durable = false;
  const auto behind = [&] { return f.machine->overview(1).logs[0].replicas[2].behind_ms; };
  CHECK(behind() == 0);
  f.say(c, commit(t, 1));
  f.pass(3s);
  CHECK(behind() == 3000);
  f.say(c, commit(t, 2));
  f.pass(1s);
  CHECK(behind() == 4000);  // counted from the first run that it lacks
  f.disconnect(3);
  CHECK(f.machine->overview(1).logs[0].replicas[2].state == ReplicaState::unreachable);
  // The node comes back and has everything.
  f.node(3).durable = true;
  f.connect(3);
  f.pass(500ms);
  f.say(c, commit(t, 3));
  CHECK(behind() == 0);
}

TEST_CASE(
    "overview: one that follows closely is never behind for long, though it always lacks the "
    "newest run") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c, "events");
  const TermIs t = open(f, c, log);
  FakeNode& slow = f.node(3);
  // Node 3 acknowledges each run when the next run comes.
  slow.durable = false;
  std::uint32_t longest = 0;
  for (std::uint64_t i = 1; i <= 100; ++i) {
    const Offset had = slow.logs[log].tail();
    const Chain chain = slow.logs[log].chain_at(had);
    // The acknowledgement of the run before.
    f.say(c, commit(t, i));
    f.say(slow.connection, Durable{log, t.term, had, chain, Offset{}, Chain{}}, 0);
    f.pass(100ms);
    longest = std::max(longest, f.machine->overview(1).logs[0].replicas[2].behind_ms);
  }
  CHECK(longest > 0);
  CHECK(longest <= 200);
}

TEST_CASE("overview: conditions of storage nodes") {
  FakeCluster f(3);
  f.start_all();
  all_answer(f);
  CHECK(condition(f, 2) == NodeCondition::up);
  // A report with staging, logs without space, damage, disk space and an unreachable peer.
  f.say(f.node(2).connection,
        SpaceIs{12, 500, {LogId{1}, LogId{2}, LogId{3}}, true, 7000, 9000, {NodeId{3}}});
  CHECK(condition(f, 2) == NodeCondition::suspect);
  const NodeSeen seen = f.machine->overview(0).storage[1];
  CHECK(seen.staged_bytes == 12);
  CHECK(seen.staged_bytes_max == 500);
  CHECK(seen.logs_without_space == 3);
  CHECK(seen.disk_free_bytes == 7000);
  CHECK(seen.disk_size_bytes == 9000);
  CHECK(seen.cannot_reach == std::vector{NodeId{3}});

  f.disconnect(2);
  f.pass(7s);
  CHECK(condition(f, 2) == NodeCondition::unreachable);
  CHECK(f.machine->overview(0).storage[1].silent_ms == 7000);
  f.connect(2);
  all_answer(f);
  CHECK(condition(f, 2) == NodeCondition::up);
  f.say(f.node(2).connection, Failed{Errc::data_loss, "promise"});
  CHECK(condition(f, 2) == NodeCondition::data_loss);

  // Another disk is refused at each connection; the condition shows that as long as the disk keeps
  // coming.
  f.disconnect(1);
  f.node(1).disk = DiskId{999};
  f.connect(1);
  CHECK(condition(f, 1) == NodeCondition::foreign_disk);
  f.pass(1s);
  CHECK(condition(f, 1) == NodeCondition::foreign_disk);
  f.pass(10s);
  CHECK(condition(f, 1) == NodeCondition::unreachable);
  f.node(1).disk = DiskId{101};
  f.connect(1);
  all_answer(f);
  CHECK(condition(f, 1) == NodeCondition::up);
}

TEST_CASE(
    "overview: a node that refuses the leader says why, and is shown so until it promises (F10c)") {
  FakeCluster f(3);
  f.start_all();
  all_answer(f);
  // A node refuses a single command with the same error; only the end of a connection counts.
  f.say(f.node(2).connection, Failed{Errc::stale_metadata, "an older version"}, 7);
  CHECK(condition(f, 2) == NodeCondition::up);
  f.disconnect(2, Errc::stale_metadata);
  CHECK(condition(f, 2) == NodeCondition::refuses_leader);
  f.pass(6s);
  CHECK(condition(f, 2) == NodeCondition::unreachable);
  f.connect(2);
  all_answer(f);
  CHECK(condition(f, 2) == NodeCondition::up);
}

TEST_CASE("overview: a registered node that cannot read its identity has lost data (C-3, T4)") {
  FakeCluster f(3);
  f.start_all();
  f.disconnect(1);
  const DiskId own = std::exchange(f.node(1).disk, DiskId{});
  f.connect(1);
  all_answer(f);
  CHECK(condition(f, 1) == NodeCondition::data_loss);
  f.disconnect(1);
  f.node(1).disk = own;
  f.connect(1);
  all_answer(f);
  CHECK(condition(f, 1) == NodeCondition::up);
}

TEST_CASE(
    "overview: a second process under the leader's own id is told by the storage nodes that "
    "refused it (F11)") {
  FakeCluster f(3);
  f.start_all();
  all_answer(f);
  const auto twice = [&] { return f.machine->overview(0).sequencers.at(0).twice; };
  CHECK_FALSE(twice());
  f.say(f.node(3).connection, SpaceIs{0, 1000, {}, false, 0, 1000, {}, {}, {SequencerId{1}}});
  CHECK(twice());
  f.say(f.node(3).connection, SpaceIs{0, 1000, {}, false, 0, 1000, {}, {}, {}});
  CHECK_FALSE(twice());
}

TEST_CASE("overview: a node that never came is there, and was never heard") {
  FakeCluster f(3);
  f.restart();
  f.pass(3s);
  f.connect(1);
  all_answer(f);
  const Overview o = f.machine->overview(0);
  REQUIRE(o.storage.size() == 3);
  CHECK(o.storage[0].condition == NodeCondition::up);
  CHECK(o.storage[2].condition == NodeCondition::unreachable);
  CHECK(o.storage[2].silent_ms == 0xFFFF'FFFF);
}

TEST_CASE("overview: where there are more logs than wanted, those in trouble come first") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  std::vector<LogId> logs;
  for (int i = 0; i < 5; ++i) open(f, c, logs.emplace_back(create(f, c, fmt::format("log{}", i))));
  CHECK(f.machine->overview(0).logs.empty());
  CHECK(f.machine->overview(0).logs_total == 5);
  CHECK(f.machine->overview(3).logs.size() == 3);
  CHECK(f.machine->overview(5).logs.size() == 5);
  // Two logs are recovered and find no quorum; the others rest.
  f.node(2).durable = f.node(3).durable = false;
  f.restart();
  f.pass(3s);
  for (int i : {1, 2, 3}) f.connect(i);
  const ConnectionId asks = f.connect_client();
  for (const LogId id : {logs[1], logs[3]}) f.say(asks, OpenLog{id});  // the other logs rest
  f.pass(1s);
  f.node(2).durable = f.node(3).durable = true;
  // Of five logs two are wanted: the logs in trouble.
  const Overview o = f.machine->overview(2);
  REQUIRE(o.logs.size() == 2);
  for (const LogSeen& l : o.logs) CHECK(!l.open);
  CHECK(std::set{o.logs[0].id, o.logs[1].id} == std::set{logs[1], logs[3]});
}

TEST_CASE("overview: one that does not lead tells what it sees") {
  FakeCluster f(3);
  f.options.sequencers = {
      {SequencerId{1}, "s1:1"}, {SequencerId{2}, "s2:1"}, {SequencerId{3}, "s3:1"}};
  f.restart();
  f.pass(1s);
  f.connect(2);
  all_answer(f);
  const Overview o = f.machine->overview(10);
  CHECK(o.role != RaftRole::leader);
  CHECK(o.leader == SequencerId{});
  CHECK(o.term == Term{});
  REQUIRE(o.sequencers.size() == 3);
  CHECK(o.sequencers[0].reachable);
  CHECK(o.sequencers[1] == SequencerSeen{SequencerId{2}, "s2:1", false, 0xFFFF'FFFF});
  CHECK(condition(f, 1) == NodeCondition::unreachable);
  CHECK(condition(f, 2) == NodeCondition::up);
}

TEST_CASE(
    "status: a log whose replicas have no space is told as refused, by the leader, in one verdict "
    "(A2)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c, "events");
  open(f, c, log);
  all_answer(f);
  const auto told = [&] {
    // The status as a client gets it.
    f.to_clients.clear();
    f.say(c, GetStatus{true});
    return f.heard<Status>().at(0);
  };
  CHECK(told().health == Health::healthy);
  CHECK(f.machine->report(f.now).logs_refusing == 0);
  // Two of three replicas have space, which is W; with a second replica full the log refuses.
  f.say(f.node(2).connection, SpaceIs{0, 1000, {log}, false, 0, 1000, {}});
  CHECK(told().health == Health::degraded);
  f.say(f.node(3).connection, SpaceIs{0, 1000, {log}, false, 0, 1000, {}});
  const Status s = told();
  CHECK(s.health == Health::not_serving);
  CHECK(s.verdict.starts_with(
      "appends to events are refused: 1 of 3 replicas has space, 2 are needed"));
  REQUIRE(!s.alarms.empty());
  CHECK(std::ranges::count(s.alarms, "log-no-space", &AlarmSeen::id) == 1);
  REQUIRE(s.logs.size() == 1);
  CHECK(s.logs[0].replicas[1].state == ReplicaState::full);
  CHECK(f.machine->report(f.now).logs_refusing == 1);
  f.say(f.node(3).connection, SpaceIs{0, 1000, {}, false, 500, 1000, {}});
  CHECK(told().health == Health::degraded);
}

TEST_CASE("a registered storage node that --storage names no longer is told at once (C)") {
  FakeCluster f(3);
  f.start_all();
  // The configuration names two of three registered nodes.
  f.options.storage.pop_back();
  f.events.clear();
  f.restart();
  f.pass(3s);
  CHECK(std::ranges::count_if(f.events, [](const Event& e) {
          return e.level == Event::Level::warning &&
                 e.text.starts_with(
                     "storage node 3 at n:1 is registered and not named by --storage");
        }) == 1);
}

TEST_CASE(
    "status: what is judged of a few logs is what all of them say, and the log that can lose the "
    "fewest replicas counts") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  std::vector<LogId> logs;
  for (int i = 0; i < 6; ++i) {
    f.to_clients.clear();
    f.say(c, CreateLog{fmt::format("log{}", i),
                       {.replicas = 3, .write_quorum = static_cast<std::uint8_t>(i == 4 ? 3 : 2)}});
    open(f, c, logs.emplace_back(f.heard<LogIs>().at(0).info.id));
  }
  // The short answer judges a selection of logs; it must equal the judgement of all logs.
  const auto same = [&] {
    all_answer(f);
    f.to_clients.clear();
    f.say(c, GetStatus{false});
    const Status s = f.heard<Status>().at(0);
    CHECK(s.logs.empty());
    ClusterPicture all;
    all.served_by = SequencerId{1};
    all.source = ClusterPicture::Source::leads;
    all.overview = f.machine->overview(100);
    CHECK(s.verdict == verdict_of(all).sentence);
    CHECK(s.health == verdict_of(all).health);
    std::vector<std::string> told, wanted;
    for (const AlarmSeen& a : s.alarms) told.push_back(a.what);
    for (const Alarm& a : alarms_of(all)) wanted.push_back(a.what);
    CHECK(told == wanted);
    return s;
  };
  CHECK(same().verdict.find("no storage node") != std::string::npos);  // log4 needs all three nodes
  // The page shows fewer logs than there are; log4 must be among them.
  ClusterPicture page;
  page.source = ClusterPicture::Source::leads;
  page.overview = f.machine->overview(1);
  CHECK(verdict_of(page).sentence.find("no storage node") != std::string::npos);
  f.say(f.node(2).connection, SpaceIs{0, 1000, {logs[1]}, false, 0, 1000, {}, {}});
  same();
  f.say(f.node(3).connection, SpaceIs{0, 1000, {logs[1], logs[3]}, false, 0, 1000, {}, {}});
  CHECK(same().health == Health::not_serving);
  f.disconnect(1);
  same();
  f.connect(1);
  f.pass(1s);
  f.node(3).durable = false;
  f.say(c, commit(open(f, c, logs[5]), 1));
  f.pass(15s);
  // The alarm is about a log whose replicas all stream.
  CHECK(std::ranges::count(same().alarms, "replica-behind", &AlarmSeen::id) == 1);
}

TEST_CASE(
    "status: who writes is told with address, name and rate, and is forgotten with the connection "
    "(C)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c{5000}, silent{5001};
  Hello h;
  h.role = Role::client;
  f.machine->connected(f.now, {c, h, false, "10.0.0.7", "10.0.0.7:4711"});
  f.machine->connected(f.now, {silent, h, false, "10.0.0.8", "10.0.0.8:4711"});
  // The name is longer than the bound and must be cut.
  f.say(c, ClientIs{std::string(100, 'n'), "1.2.3"});
  const LogId log = create(f, c, "events");
  const TermIs t = open(f, c, log);
  // 80 entries in 8 s, so the rate is about 10/s.
  for (std::uint64_t i = 1; i <= 80; ++i) {
    f.say(c, commit(t, i));
    f.pass(100ms);
  }
  Commit other = commit(t, 1);
  other.run.producer = ProducerId{78};
  f.say(silent, other);
  f.to_clients.clear();
  f.say(c, GetStatus{false});
  const ClientsSeen seen = f.heard<Status>().at(0).clients;
  CHECK(seen == f.machine->overview(0).clients);
  CHECK(seen.connected == 2);
  CHECK(seen.writers_total == 2);
  REQUIRE(seen.writers.size() == 2);
  const WriterSeen& w = seen.writers[0];
  CHECK(w.address == "10.0.0.7:4711");
  CHECK(w.name == std::string(client_text_max, 'n'));
  CHECK(w.version == "1.2.3");
  CHECK(w.log == "events");
  CHECK(w.producer == ProducerId{77});
  CHECK(w.entries == 80);
  CHECK(w.bytes == 8000);
  CHECK(w.milli_entries_per_s > 9'000);
  CHECK(w.milli_entries_per_s < 11'000);
  CHECK(seen.writers[1].address == "10.0.0.8:4711");
  CHECK(seen.writers[1].name.empty());
  // A writer is forgotten with its connection.
  f.disconnect_client(c);
  CHECK(f.machine->overview(0).clients.writers_total == 1);
  CHECK(f.machine->overview(0).clients.connected == 1);
}

TEST_CASE(
    "status: what a log takes on each disk is told beside its offsets, until it is deleted (C)") {
  FakeCluster f(3);
  f.start_all();
  const ConnectionId c = f.connect_client();
  const LogId log = create(f, c, "events");
  open(f, c, log);
  f.say(f.node(2).connection,
        SpaceIs{0, 1000, {}, false, 0, 1000, {}, {{log, 70'000}, {LogId{999}, 5}}});
  const LogSeen seen = f.machine->overview(10).logs.at(0);
  CHECK(seen.replicas.at(0).disk_bytes == 0);  // not reported yet
  CHECK(seen.replicas.at(1).disk_bytes == 70'000);
  f.to_clients.clear();
  f.say(c, GetStatus{true});
  CHECK(f.heard<Status>().at(0).logs.at(0).replicas.at(1).disk_bytes == 70'000);
}

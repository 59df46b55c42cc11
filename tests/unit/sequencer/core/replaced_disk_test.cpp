// C1: an empty disk takes the place of a disk that is gone. The tests cover each step of the
// admission and the seals during it.
// Runs on fake_cluster.h; disk ids are 100 + node at first and 200 + node after a loss.
#include <doctest/doctest.h>

#include "tests/unit/sequencer/core/fake_cluster.h"

using namespace loglog;
using namespace loglog::sequencer;
using namespace loglog::sequencer::testing;

namespace {

/// A cluster with an open log "a" whose members are all nodes.
struct Replaced {
  explicit Replaced(std::uint8_t write_quorum = 2, std::uint8_t replicas = 3) : f(replicas) {
    f.start_all();
    client = f.connect_client();
    f.say(client, CreateLog{"a", {replicas, write_quorum, 64u << 10, Durability::sync, {}}});
    f.pass(100ms);
    id = f.heard<LogIs>().at(0).info.id;
  }
  /// Opens the log; returns its term, or zero if it does not open.
  Term open() {
    f.to_clients.clear();
    f.say(client, OpenLog{id});
    f.pass(100ms);
    const auto opened = f.heard<TermIs>();
    return opened.empty() ? Term{} : opened.back().term;
  }
  /// Appends in a term; true if the run is committed within 200 ms.
  bool append(Term term, std::uint64_t sequence) {
    f.to_clients.clear();
    f.say(client, Commit{id,
                         term,
                         Sequence{sequence - 1},
                         {ProducerId{7}, Sequence{sequence}, 1, 100, RunDigest{sequence}}});
    f.pass(200ms);
    return !f.heard<Committed>().empty();
  }
  /// Node `i` comes back with an empty disk and is refused (T4).
  void lose_disk(int i) {
    if (f.node(i).up) f.disconnect(i);
    const NodeId node = f.node(i).id;
    f.node(i) = FakeNode{};
    f.node(i).id = node;
    f.node(i).disk = DiskId{200u + node.value};
    f.connect(i);
    f.node(i).up = false;  // because it was refused
  }
  /// The disk that the metadata have for node `i`.
  DiskId registered(int i) {
    const auto& all = f.machine->metadata().storage;
    const auto s = std::ranges::find(all, f.node(i).id, &StorageInfo::id);
    return s == all.end() ? DiskId{} : s->disk;
  }
  /// Asks for the replacement of the registered disk; returns the refusal, if any.
  std::optional<Failed> replace(int i, bool force = false) {
    f.to_clients.clear();
    f.say(client, ReplaceDisk{f.node(i).id, registered(i), force});
    const auto failed = f.heard<Failed>();
    if (!failed.empty()) return failed.back();
    CHECK(f.heard<Done>().size() == 1);
    return std::nullopt;
  }
  /// The log's i-th member.
  Member member(int i) const {
    return f.machine->metadata().logs.at(0).members.at(static_cast<std::size_t>(i - 1));
  }

  FakeCluster f;
  ConnectionId client;
  LogId id;
};

}  // namespace

TEST_CASE("replaced disk: it joins in a new term, is copied full, and is a member then") {
  Replaced r;
  const Term before = r.open();
  REQUIRE(r.append(before, 1));
  r.lose_disk(2);
  CHECK(r.f.alarmed());
  // The admission is committed; the member changes only when the newcomer has joined.
  CHECK(!r.replace(2));
  CHECK(r.member(2) == Member{NodeId{2}, DiskId{102}});  // the empty disk has not joined yet
  const Term after = r.open();
  CHECK(after > before);  // the others serve without it
  REQUIRE(r.append(after, 2));
  // C1 step 3: the newcomer joins the open term, is copied and becomes the member.
  r.f.connect(2);
  r.f.pass(300ms);
  CHECK(r.member(2) == Member{NodeId{2}, DiskId{202}});
  CHECK(r.f.node(2).logs.at(r.id).pieces == r.f.node(1).logs.at(r.id).pieces);
  // The new disk counts: without node 3 the write quorum is nodes 1 and 2.
  r.f.disconnect(3);
  CHECK(r.append(after, 3));
  // It also answers the seal of the next term.
  r.f.restart();
  r.f.pass(3s);
  r.f.connect(1);
  r.f.connect(2);
  r.client = r.f.connect_client();
  CHECK(r.open() > after);
}

TEST_CASE("replaced disk: before it is a member it answers no seal, however few others there are") {
  Replaced r;
  const Term before = r.open();
  r.f.node(3).durable = false;  // the acknowledged run is on nodes 1 and 2
  REQUIRE(r.append(before, 1));
  r.lose_disk(2);
  REQUIRE(!r.replace(2));
  // Node 1, the only disk with the run, goes before the newcomer is a member.
  r.f.disconnect(1);
  r.f.node(3).durable = true;
  r.f.restart();
  r.f.pass(3s);
  r.f.connect(2);
  r.f.connect(3);
  r.client = r.f.connect_client();
  CHECK(r.open() == Term{});  // node 3 alone cannot tell what was committed
  CHECK(r.member(2).disk == DiskId{102});
  // Node 1 is back, so the run is found and the newcomer is filled.
  r.f.connect(1);
  r.f.pass(300ms);
  CHECK(r.open() > before);
  CHECK(r.member(2).disk == DiskId{202});
  CHECK(r.f.node(3).logs.at(r.id).pieces == r.f.node(1).logs.at(r.id).pieces);
}

TEST_CASE("replaced disk: where every replica must be durable, the new one makes up the quorum") {
  Replaced r(3);
  const Term before = r.open();
  REQUIRE(r.append(before, 1));
  r.lose_disk(2);
  REQUIRE(!r.replace(2));
  // With W = 3 the log cannot open without the newcomer.
  CHECK(r.open() == Term{});
  r.f.connect(2);
  r.f.pass(300ms);
  const Term after = r.open();
  CHECK(after > before);
  CHECK(r.append(after, 2));
  CHECK(r.member(2).disk == DiskId{202});
}

TEST_CASE("replaced disk: a log that was never used stays without a frame") {
  Replaced r;
  r.lose_disk(2);
  REQUIRE(!r.replace(2));
  r.f.connect(2);
  // S7: the log rests, so nothing is written even though its member changes.
  r.f.pass(300ms);
  CHECK(r.member(2).disk == DiskId{202});
  CHECK(r.f.node(2).logs.at(r.id).pieces.empty());
}

TEST_CASE(
    "replaced disk: the old one is refused from then on, and the new one may be replaced in its "
    "turn") {
  Replaced r;
  r.lose_disk(2);
  REQUIRE(!r.replace(2));
  // The old disk comes back: no command may reach it.
  r.f.node(2).disk = DiskId{102};
  r.f.to_nodes.clear();
  r.f.connect(2);
  CHECK(r.f.to_nodes.empty());
  // A third disk takes the second disk's place.
  r.f.node(2).disk = DiskId{302};
  r.f.connect(2);
  REQUIRE(!r.replace(2));
  r.f.connect(2);
  r.f.pass(300ms);
  CHECK(r.member(2).disk == DiskId{302});
}

TEST_CASE("replaced disk: one that a log still names does not come back by the command either") {
  Replaced r;
  const Term before = r.open();
  REQUIRE(r.append(before, 1));
  r.lose_disk(2);
  REQUIRE(!r.replace(2));
  // The old disk comes, and an operator asks for it by force.
  r.f.node(2).disk = DiskId{102};
  r.f.connect(2);
  r.f.node(2).up = false;
  const auto failed = r.replace(2, true);
  REQUIRE(failed);
  CHECK(failed->detail.find("an old disk never comes back") != std::string::npos);
  CHECK(r.f.machine->metadata().storage.at(1).disk == DiskId{202});
}

TEST_CASE("replaced disk: a log that was being created with the old one is given up") {
  Replaced r;
  r.f.node(3).joins.emplace();
  // Log "b" waits for node 3 when node 2's disk is replaced.
  r.f.say(r.client, CreateLog{"b", {3, 2, 64u << 10, Durability::sync, {}}}, 2);
  r.lose_disk(2);
  REQUIRE(!r.replace(2));
  r.f.connect(2);
  r.f.join_next(3);
  r.f.node(3).joins.reset();
  r.f.to_clients.clear();
  // T5: the creation names the old disk, so it is given up.
  r.f.pass(61s);
  REQUIRE(r.f.heard<Failed>().size() == 1);
  CHECK(r.f.heard<Failed>()[0].error == Errc::not_enough_nodes);
  CHECK(r.f.machine->metadata().logs.size() == 1);
}

TEST_CASE("replaced disk: who becomes a member while the log is being sealed counts at once") {
  Replaced r(3, 5);
  const Term before = r.open();
  REQUIRE(r.append(before, 1));
  r.lose_disk(2);
  REQUIRE(!r.replace(2));
  r.f.connect(2);
  r.f.pass(300ms);
  // With W = 3 of 5 the seal quorum is 3; two disks are replaced in turn.
  REQUIRE(r.member(2).disk == DiskId{202});
  r.lose_disk(3);
  REQUIRE(!r.replace(3));
  r.f.connect(3);
  r.f.pass(300ms);
  CHECK(r.member(3).disk == DiskId{203});
  CHECK(r.open() > before);
}

TEST_CASE("replaced disk: asked again before the node is back, it is done") {
  Replaced r;
  r.lose_disk(2);
  REQUIRE(!r.replace(2));
  const Term term = r.f.machine->leading_term();
  // The repeat finds the disk replaced: it is done, and no further term begins.
  CHECK(!r.replace(2));
  CHECK(r.f.machine->leading_term() == term);
}

TEST_CASE("replaced disk: a late request replaces no disk that came after it (C-10)") {
  Replaced r;
  // A request decided on the first disk, and delivered when a third disk has come.
  const ReplaceDisk late{NodeId{2}, r.registered(2), false};
  r.lose_disk(2);
  REQUIRE(!r.replace(2));
  r.f.connect(2);
  r.f.pass(300ms);
  r.lose_disk(2);
  r.f.node(2).disk = DiskId{302};  // an empty directory, by mistake
  r.f.connect(2);
  r.f.node(2).up = false;
  r.f.to_clients.clear();
  r.f.say(r.client, late);
  r.f.pass(300ms);
  CHECK(r.f.heard<Done>().size() == 1);  // the request's own wish was carried out earlier
  CHECK(r.registered(2) == DiskId{202});
}

TEST_CASE("replaced disk: what is refused") {
  Replaced r;
  r.f.options.storage.resize(2);
  // Each refusal names its reason.
  const auto says = [](const std::optional<Failed>& f, const char* what) {
    return f && f->detail.find(what) != std::string::npos;
  };
  r.f.to_clients.clear();
  r.f.say(r.client, ReplaceDisk{NodeId{9}, DiskId{}, false});
  CHECK(says(r.f.heard<Failed>().at(0), "no storage node 9 is registered"));
  CHECK(says(r.replace(2), "nothing to replace"));
  r.f.disconnect(2);
  CHECK(says(r.replace(2), "has not come with another disk"));
  r.f.disconnect(3);
  r.lose_disk(2);
  CHECK(says(r.replace(2),
             "needs 2 of its other replicas up to begin without that disk, there are 1"));
  r.f.connect(3);
  // The sequencer forgets a disk that has not come for 10 s.
  r.f.pass(11s);
  CHECK(says(r.replace(2), "has not come with another disk"));  // not in the last 10 s
  r.lose_disk(2);
  CHECK(!r.replace(2));
}

TEST_CASE("replaced disk: what a node refuses of the term before begins no further one") {
  Replaced r;
  REQUIRE(r.append(r.open(), 1));
  r.lose_disk(2);
  r.f.to_nodes.clear();
  REQUIRE(!r.replace(2));
  // The term that the admission minted.
  const auto seal = std::ranges::find_if(
      r.f.to_nodes, [](const auto& m) { return std::holds_alternative<Seal>(m.second); });
  REQUIRE(seal != r.f.to_nodes.end());
  const Seal& s = std::get<Seal>(seal->second);
  r.f.disconnect(1);
  r.f.connect(1);
  // At node 1 the Seal of the term before waited until this term's promise was durable, so the
  // node answers it with Fenced.
  r.f.machine->arrived(r.f.now,
                       {r.f.node(1).connection, RequestId{}, Fenced{LogId{}, s.term, s.instance}});
  r.f.machine->arrived(r.f.now,
                       {r.f.node(1).connection, RequestId{}, Fenced{r.id, s.term, s.instance}});
  r.f.run();
  r.f.pass(100ms);
  // The refusal names the term in force, so it is no reason for another.
  CHECK(r.f.machine->leading_term() == s.term);
  CHECK(r.open() == s.term);
}

TEST_CASE("replaced disk: two of three by force leave a log that is shown as lost") {
  Replaced r;
  REQUIRE(r.append(r.open(), 1));
  // Two of three disks are gone, so W - 1 losses are exceeded.
  for (const int i : {2, 3}) r.lose_disk(i);
  REQUIRE(!r.replace(2, true));
  r.f.connect(2);
  REQUIRE(!r.replace(3, true));
  r.f.connect(3);
  r.f.pass(300ms);
  // The log stays closed: newcomers prove nothing about committed entries.
  CHECK(r.open() == Term{});
  const auto logs = r.f.machine->overview(1).logs;
  REQUIRE(logs.size() == 1);
  CHECK(!logs[0].open);
  CHECK(logs[0].replicas[0].state == ReplicaState::lagging);
  CHECK(logs[0].replicas[1].state == ReplicaState::newcomer);
  CHECK(logs[0].replicas[2].state == ReplicaState::newcomer);
}

TEST_CASE("replaced disk: by force, where the others are gone, the log waits for them") {
  Replaced r;
  REQUIRE(r.append(r.open(), 1));
  // Only node 1 is left of the old members.
  r.f.disconnect(3);
  r.lose_disk(2);
  REQUIRE(!r.replace(2, true));
  r.f.connect(2);
  r.f.pass(300ms);
  CHECK(r.open() == Term{});
  r.f.connect(3);
  r.f.pass(300ms);
  CHECK(r.open() != Term{});
}

TEST_CASE(
    "a disk that lost what it acknowledged counts as down in every term, until another one takes "
    "its place (F10b, T4)") {
  Replaced r;
  const Term first = r.open();
  r.f.node(3).durable = false;
  REQUIRE(r.append(first, 1));  // durable on nodes 1 and 2
  // Node 2 comes back empty under its old disk id: DATA LOSS, which the metadata keep.
  r.f.disconnect(2);
  r.f.node(2).logs.at(r.id).cut(Offset{});
  r.f.node(2).logs.at(r.id).matched = Term{};
  r.f.connect(2);
  r.f.pass(100ms);
  REQUIRE(r.f.machine->metadata().storage.at(1).lost);
  CHECK(r.f.machine->overview(1).storage.at(1).condition == NodeCondition::data_loss);
  CHECK(r.f.node(2).metadata.storage.at(1).lost);  // the node is told
  // The next leader hears nodes 2 and 3, which both lack the acknowledged run.
  r.f.node(3).durable = true;
  r.f.disconnect(1);
  r.f.restart();
  r.f.pass(3s);
  r.f.connect(2);
  r.f.connect(3);
  r.client = r.f.connect_client();
  CHECK(r.open() == Term{});
  r.f.connect(1);
  r.f.pass(300ms);
  CHECK(r.open() > first);
  CHECK(r.f.node(3).logs.at(r.id).pieces == r.f.node(1).logs.at(r.id).pieces);
  CHECK(r.f.node(2).promise < r.f.node(1).promise);  // node 2 was not sealed
  // A new disk ends the loss.
  r.lose_disk(2);
  REQUIRE(!r.replace(2));
  r.f.connect(2);
  r.f.pass(300ms);
  CHECK_FALSE(r.f.machine->metadata().storage.at(1).lost);
  CHECK(r.f.node(2).logs.at(r.id).pieces == r.f.node(1).logs.at(r.id).pieces);
}

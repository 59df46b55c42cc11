// Stories of recoveries in which a fault is visible to the nodes concerned and to nobody else: a
// base without peers (S8), missing first files (K3), a loss that must outlast its leader (T4).
// Each story drives the cluster of story.h.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/scenarios/story.h"

namespace loglog::scenarios {
namespace {

/// Brings the cluster to a state in which node 1 alone holds an entry x more than its peers. The
/// leader and the producer that know of x are dead. Returns the dead leader.
SequencerProcess& one_node_holds_more(Story& s) {
  s.appended("a");
  s.let_pass(1s);
  SequencerProcess& old = s.leader();
  const Offset place = s.replica(s.node(1)).durable.end;
  s.hold(old, s.node(2));
  s.hold(old, s.node(3));
  s.append("x");
  s.until("node 1 alone holds x", [&] { return s.replica(s.node(1)).durable.end > place; });
  s.kill(s.producer(1));
  s.kill(old);
  return old;
}

}  // namespace

TEST_CASE(
    "story: a base whose peers cannot reach it is given up, the log does not stay down for ever "
    "(C-6, S8)") {
  Story s({.producers = 2});
  SequencerProcess& old = one_node_holds_more(s);
  // Node 1 answers leaders and has the longest log, so it is the base; but its peers cannot copy
  // from it.
  s.sever(s.node(1), {&s.node(2), &s.node(3)});
  SUBCASE("both peers are as fast") {}
  SUBCASE("the peers fail at different times") { s.node(3).slow_down(1000h, 5ms); }
  s.leader_after(old);
  const Entry y = s.append("y", "log1", 2, 1000h);
  const std::size_t before = s.sent<Reconcile>("seq", "node");
  // S8: after 2 s the leader passes over the base and begins without it.
  s.until("y is committed", [&] { return s.committed(y); }, 30s);
  // Three replicas that try five times a second stay below the bound; retries at the speed of
  // messages exceed it.
  CHECK(s.sent<Reconcile>("seq", "node") - before < 500);
  s.until("node 1 takes part again, though its peers do not hear it",
          [&] { return s.replica(s.node(1)).is_matched(); });
  // x is cut on node 1, like the extra bytes of any replica.
  s.heal();
  s.expect_log("log1", {"a", "y"});
  s.expect_replicas_equal();
}

TEST_CASE(
    "story: a base that its peers cannot reach is taken all the same where no seal quorum does "
    "without it (C-6, S2)") {
  Story s({.producers = 2});
  SequencerProcess& old = one_node_holds_more(s);
  // With node 3 dead, nodes 1 and 2 are the only seal quorum.
  s.kill(s.node(3));
  s.sever(s.node(1), {&s.node(2), &s.node(3)});
  s.leader_after(old);
  const Entry y = s.append("y", "log1", 2, 1000h);
  s.let_pass(60s);
  // Node 2 alone may lack committed entries, so the base cannot be passed over.
  CHECK(s.pending(y));
  CHECK(s.replica(s.node(1)).durable.end > s.replica(s.node(2)).durable.end);
  // The peers hear each other again, and x is kept.
  s.heal();
  s.until("y is committed", [&] { return s.committed(y); }, 60s);
  s.restart(s.node(3));
  s.expect_log("log1", {"a", "x", "y"});
  s.expect_replicas_equal();
}

TEST_CASE(
    "story: a replica that was cut while its log rests is not suspect at its next start, so one "
    "lost disk more is survived (C-8, K3)") {
  Story s({.producers = 2, .rest = true});
  s.appended("a");
  s.let_pass(1s);
  SequencerProcess& old = s.leader();
  const Offset place = s.replica(s.node(2)).durable.end;
  // Node 2 alone holds x; its leader and its producer die.
  s.hold(old, s.node(1));
  s.hold(old, s.node(3));
  s.append("x");
  s.until("node 2 alone holds x", [&] { return s.replica(s.node(2)).durable.end > place; });
  s.let_pass(300ms);
  s.kill(s.producer(1));
  s.sever(s.node(2), s.world().sequencers_as_processes());
  s.kill(old);
  s.leader_after(old);
  // The next leader recovers the log from nodes 1 and 3, without node 2 and without x.
  s.until("nodes 1 and 3 are matched without it", [&] {
    const Term term = s.leader().machine()->leading_term();
    return s.replica(s.node(1)).matched == term && s.replica(s.node(3)).matched == term;
  });
  s.let_pass(4s);
  REQUIRE(s.replica(s.node(1)).durable.end == place);  // the log rests: no term start was written
  s.heal();
  // Node 2 comes back and is cut. K3: the cut writes the marks for the shorter tail first.
  s.until("node 2 is cut", [&] {
    return s.replica(s.node(2)).is_matched() && s.replica(s.node(2)).durable.end == place;
  });
  s.let_pass(10s);
  // W = 2 of 3 survives the loss of a single disk: node 3's. Then power fails everywhere.
  s.kill(s.node(3));
  s.node(3).lose_disk(simulator::Loss::everything);
  s.power_cut(s.node(1));
  s.power_cut(s.node(2));
  for (int i = 1; i <= 3; ++i) s.kill(s.sequencer(i));
  for (int i = 1; i <= 3; ++i) s.restart(s.sequencer(i));
  s.restart(s.node(1));
  s.restart(s.node(2));
  // A mark above the tail would make both logs suspect, and the log would have no seal quorum.
  CHECK_FALSE(s.replica(s.node(1)).suspect);
  CHECK_FALSE(s.replica(s.node(2)).suspect);
  const Entry y = s.append("y", "log1", 2, 1000h);
  s.until("y is committed", [&] { return s.committed(y); }, 60s);
  s.expect_log("log1", {"a", "y"});
}

namespace {

const LogOptions small_segments{0, 0, segment_size_min, Durability::sync};

/// An entry of 20 KB: three of them fill most of a small segment.
std::string long_text(int i) {
  return "entry" + std::to_string(i) + std::string(20'000, static_cast<char>('a' + i % 26));
}

/// Appends twelve long entries, which fill several segments; returns their payloads.
Words append_segments(Story& s) {
  Words out;
  for (int i = 0; i < 12; ++i) {
    out.push_back(long_text(i));
    s.appended(out.back());
  }
  s.let_pass(1s);
  return out;
}

/// Removes the first `how_many` segment files of log1 while the node is down, as a careless rm
/// does.
void remove_first_files(Story& s, StorageProcess& n, std::size_t how_many) {
  const LogId id = s.log("log1").id;
  for (std::size_t i = 0; i < how_many; ++i) {
    REQUIRE(n.disk.content().at(id).segments.size() > 1);
    const storage::DiskRequest unlink{
        {}, storage::UnlinkSegments{id, {n.disk.content().at(id).segments.begin()->first}, false}};
    n.disk.begin(unlink.operation);
    n.disk.finish(unlink);
  }
}

/// The offset of the node's first segment file, or no_offset if the log has no file.
Offset first_file(Story& s, StorageProcess& n) {
  const auto log = n.disk.content().find(s.log("log1").id);
  return log == n.disk.content().end() || log->second.segments.empty()
             ? no_offset
             : log->second.segments.begin()->first;
}

/// Counts in `told` the pages that tell a reader that the log was trimmed.
std::size_t& count_trimmed(Story& s, std::size_t& told) {
  s.on_message = [&told](const Process&, const Process&, const Message& m) {
    if (const auto* page = std::get_if<Page>(&m)) told += page->reason == Errc::trimmed;
  };
  return told;
}

/// Gives the node an empty disk and admits it by ReplaceDisk (C1). Repeats the request, because the
/// leader must first hear the new disk.
void replace_disk(Story& s, StorageProcess& n) {
  s.kill(n);
  n.lose_disk(simulator::Loss::everything);
  s.restart(n);
  const auto taken = [&] {
    const auto& all = s.leader().machine()->metadata().storage;
    return std::ranges::any_of(all, [&](const StorageInfo& i) {
      return i.id == n.id() && i.disk == n.machine()->identity().disk;
    });
  };
  for (std::uint64_t tries = 1; !taken() && tries <= 20; ++tries) {
    const Time now = s.producer().now();
    s.producer().call([&](client::ClientMachine& m) {
      m.replace_disk(now, client::Token{(1u << 30) + tries}, n.id(), false, now + 1s);
    });
    s.let_pass(1s);
  }
  REQUIRE(taken());
}

}  // namespace

TEST_CASE(
    "story: a first segment file that is gone is damage: nobody is told of a trim, and it is "
    "copied again (F09b, K3)") {
  Story s({}, small_segments);
  std::size_t told = 0;
  const Words all = append_segments(s);
  std::size_t files = 0;
  SUBCASE("one file") { files = 1; }
  SUBCASE("all but the newest") {
    files = s.node(2).disk.content().at(s.log("log1").id).segments.size() - 1;
  }
  // The files vanish while node 2 is down, without a trim.
  s.kill(s.node(2));
  remove_first_files(s, s.node(2), files);
  count_trimmed(s, told);
  s.restart(s.node(2));
  // K3: the first file begins above the trim point, so the node raises an alarm and is copied anew.
  s.until("the damage is found",
          [&] { return s.node(2).machine()->report().counted.corruptions_found > 0; });
  s.until("node 2 begins where the log does", [&] {
    return first_file(s, s.node(2)) == Offset{} && !s.replica(s.node(2)).is_suspect();
  });
  s.expect_log("log1", all);
  s.expect_replicas_equal();
  // R1: no reader was told of a trim that never happened.
  CHECK(told == 0);
}

TEST_CASE(
    "story: a first file that is gone on the only other replica does not go on to a disk that is "
    "replaced (F09b, C1)") {
  Story s({}, small_segments);
  const Words all = append_segments(s);
  s.kill(s.node(2));
  remove_first_files(s, s.node(2), 1);
  s.restart(s.node(2));
  // Node 1 needs a full copy; node 2 must not be a source that hides its missing file.
  replace_disk(s, s.node(1));
  s.until("all begin where the log does", [&] {
    return first_file(s, s.node(1)) == Offset{} && first_file(s, s.node(2)) == Offset{} &&
           s.replica(s.node(1)).is_matched();
  });
  s.expect_log("log1", all);
  s.expect_replicas_equal();
}

TEST_CASE(
    "story: where every other replica is away, one without its first file serves what it has, and "
    "is mended later (F09b, K3)") {
  Story s({.producers = 2}, small_segments);
  Words all = append_segments(s);
  // Of three nodes only 1 and 2 run, and node 2 lacks its first file.
  s.kill(s.node(2));
  s.kill(s.node(3));
  remove_first_files(s, s.node(2), 1);
  s.restart(s.node(2));
  all.push_back("with two of three");
  s.appended(all.back());
  // K3: with W = 2, a copy of the whole log would stop appends for as long as the copy takes.
  CHECK(s.replica(s.node(2)).front_gone);
  // With node 3 back a write quorum of others takes orders, so node 2 is copied anew.
  s.restart(s.node(3));
  s.until("node 2 is copied anew", [&] {
    return first_file(s, s.node(2)) == Offset{} && !s.replica(s.node(2)).is_suspect();
  });
  s.expect_log("log1", all);
  s.expect_replicas_equal();
}

TEST_CASE(
    "story: a trim explains missing files: a replica with an old copy of the metadata is not "
    "suspect (F09b, R3)") {
  Story s({}, small_segments);
  const Words all = append_segments(s);
  const Offset third =
      std::next(s.node(2).disk.content().at(s.log("log1").id).segments.begin(), 2)->first;
  // A real trim lets node 2 drop its first files.
  s.trim("log1", third);
  s.until("node 2 has let go", [&] { return first_file(s, s.node(2)) == third; });
  s.kill(s.node(2));
  // Node 2 forgets the metadata that explain the missing files; only the leader can tell it of the
  // trim.
  const storage::DiskRequest forget{{}, storage::SaveFile{"metadata", Bytes{}}};
  s.node(2).disk.begin(forget.operation);
  s.node(2).disk.finish(forget);
  s.restart(s.node(2));
  s.until("node 2 is matched", [&] { return s.replica(s.node(2)).is_matched(); });
  // K3: the node judges its first file after the leader's metadata have come.
  CHECK_FALSE(s.replica(s.node(2)).is_suspect());
  CHECK(s.node(2).machine()->report().counted.corruptions_found == 0);
  s.expect_replicas_equal();
}

TEST_CASE(
    "story: a reader of a fresh log is not told of a trim while a replica is cut to nothing (C-13, "
    "R1)") {
  Story s({.producers = 2});
  s.appended("a");
  SequencerProcess& old = s.leader();
  const LogId log1 = s.log("log1").id;
  bool on = true;
  // Loses the new log's orders to nodes 1 and 2, so that they reach node 3 alone.
  s.world().network.lay([&](simulator::SimulatedNetwork::Caught& c) {
    const auto* o = std::get_if<Order>(&c.message);
    if (on && o != nullptr && o->log != log1 && &c.from == static_cast<Process*>(&old) &&
        &c.to != static_cast<Process*>(&s.node(3)))
      c.lose();
    return !on;
  });
  s.create("log2");
  const LogId fresh = s.log("log2").id;
  s.until("node 3 alone holds the term start",
          [&] { return s.replica(s.node(3), "log2").durable.end > Offset{}; });
  // Node 3 is cut off; the next leader begins the log without it.
  s.sever(s.node(3), s.world().sequencers_as_processes());
  s.kill(old);
  on = false;
  s.leader_after(old);
  s.until("the others begin without it", [&] {
    return s.replica(s.node(1), "log2").committed > Offset{} &&
           s.replica(s.node(2), "log2").committed > Offset{};
  });
  std::size_t told = 0;
  count_trimmed(s, told);
  s.node(3).log_disk_slower_by = 300ms;  // so the cut takes long enough for reads to meet it
  s.heal();
  // Every 10 ms a reader asks node 3, whose log is being cut to nothing.
  for (std::uint64_t i = 1; i <= 300; ++i) {
    const Time now = s.producer(2).now();
    s.producer(2).call([&](client::ClientMachine& m) {
      m.read(now, client::Token{(1u << 30) + i}, fresh, Offset{}, 4096, Duration{}, now + 1s,
             {.replica = NodeId{3}});
    });
    s.let_pass(10ms);
  }
  // R1: `trimmed` may be said only of a range that was trimmed.
  CHECK(s.replica(s.node(3), "log2").is_matched());
  CHECK(told == 0);
}

TEST_CASE(
    "story: a loss that one leader found is known to the next: what was acknowledged waits for "
    "whoever has it (F10b, T4)") {
  Story s({.producers = 2});
  s.appended("a");
  s.let_pass(1s);
  // Node 2 comes back with a copy of its disk from before b: it has lost an acknowledged entry.
  const simulator::SimulatedDisk old_copy = s.node(2).disk;
  s.kill(s.node(3));
  s.appended("b");  // b is on nodes 1 and 2
  s.let_pass(1s);
  s.kill(s.node(2));
  s.node(2).disk = old_copy;
  s.world().tails_were_lost = true;
  s.restart(s.node(2));
  // T4: the leader finds the tail below what node 2 had acknowledged in this term, and commits
  // MarkLost.
  SequencerProcess& first = s.leader();
  s.until("the leader has found the loss, and all sequencers know it", [&] {
    return std::ranges::all_of(s.world().sequencers, [](const auto& q) {
      return q->machine()->metadata().storage.at(1).lost;
    });
  });
  s.until("the node knows it too", [&] { return s.node(2).machine()->data_loss(); });
  // Node 1, the only replica with b, goes; the next leader sees nodes 2 and 3 alone.
  s.kill(s.node(1));
  s.restart(s.node(3));
  s.kill(first);
  SequencerProcess& second = s.leader_after(first);
  s.restart(s.node(2));
  // Node 2's own copy of the metadata names the loss, before any leader does.
  CHECK(s.node(2).machine()->data_loss());
  const Entry y = s.append("y", "log1", 2, 1000h);
  s.let_pass(20s);
  CHECK(s.pending(y));  // nodes 2 and 3 both lack b, and node 2 counts for no quorum
  const Overview seen = second.machine()->overview(10);
  CHECK(seen.storage.at(1).condition == NodeCondition::data_loss);
  // Node 1 brings b back.
  s.restart(s.node(1));
  s.until("y is committed", [&] { return s.committed(y); });
  s.expect_log("log1", {"a", "b", "y"});
  // C1: with a replaced disk node 2 becomes a replica like any other.
  replace_disk(s, s.node(2));
  s.until("node 2 is copied full",
          [&] { return s.node(2).alive() && s.replica(s.node(2)).is_matched(); });
  CHECK_FALSE(s.leader().machine()->metadata().storage.at(1).lost);
  s.expect_log("log1", {"a", "b", "y"});
}

TEST_CASE("story: storage nodes that do not hear each other say so while all is well (C-6)") {
  Story s;
  s.appended("a");
  s.let_pass(10s);
  const auto parted = [&](std::size_t node) {
    return s.leader().machine()->overview(1).storage.at(node - 1).cannot_reach;
  };
  for (std::size_t i = 1; i <= 3; ++i) CHECK(parted(i).empty());
  // The link between two storage nodes breaks; sequencers and clients reach both.
  s.sever(s.node(1), {&s.node(2)});
  s.appended("b");  // appends need no link between storage nodes
  s.until("both are named", [&] {
    return parted(1) == std::vector{NodeId{2}} && parted(2) == std::vector{NodeId{1}};
  });
  CHECK(parted(3).empty());
  s.heal();
  s.until("they hear each other again", [&] { return parted(1).empty() && parted(2).empty(); });
}

}  // namespace loglog::scenarios

// Stories of a single replica that is away, torn, rotten, empty or behind the trim point, and of
// how it comes back (S4, S5, K1 to K4, T4, R3).
// Each story drives the cluster of story.h.
#include <doctest/doctest.h>

#include "proto-spec/disk/frame.h"
#include "tests/scenarios/story.h"
#include "tests/scenarios/stranger.h"
#include "tests/support/colliding_payloads.h"

using namespace loglog;
using namespace loglog::scenarios;

namespace {

const LogOptions small_segments{0, 0, segment_size_min, Durability::sync};

/// An entry of 20 KB: three of them fill most of a small segment.
std::string long_text(int i) {
  return "entry" + std::to_string(i) + std::string(20'000, static_cast<char>('a' + i % 26));
}

/// Makes an upload of a single entry, always of producer 77 and sequence 1.
Upload upload_of(LogId log, const std::string& payload) {
  Bytes frames = Bytes::allocate(payload.size() + frame_overhead);
  write_frame_image(frames.mutable_data(), FrameKind::entry, ProducerId{77}, Sequence{1},
                    std::as_bytes(std::span(payload)));
  return {log, *check_images(frames, true), frames};
}

}  // namespace

TEST_CASE(
    "story: a client gives one number to two payloads that agree in 32 bits: all replicas hold the "
    "one that was committed (Z6, D3)") {
  Story s;
  s.appended("a");
  s.let_pass(500ms);
  // The wire's checkers require that a producer keeps to its word (A6). This producer breaks it, so
  // they are off.
  s.world().network.tap = {};
  const auto [a, b] = testing::colliding_payloads();
  const LogId log = s.log("log1").id;
  const Upload committed = upload_of(log, a);
  // The node 1 gets payload a, nodes 2 and 3 get payload b, under the same producer and sequence.
  std::vector<std::unique_ptr<Stranger>> mallory;
  for (int i = 1; i <= 3; ++i) {
    mallory.push_back(std::make_unique<Stranger>(s.world()));
    mallory.back()->dial(s.node(i).address());
    s.until("the connection to a node stands", [&] { return mallory.back()->connected(); });
    mallory.back()->send(i == 1 ? committed : upload_of(log, b));
    s.until("the upload is taken", [&] { return mallory.back()->got<Uploaded>() != nullptr; });
  }
  // The commit names a's digest: nodes 2 and 3 must drop b and fetch a (D3).
  Stranger commits(s.world());
  commits.dial(s.leader().address());
  s.until("the connection to the leader stands", [&] { return commits.connected(); });
  commits.send(Commit{log, s.replica(s.node(1)).matched, {}, committed.run});
  s.until("it is committed", [&] { return commits.got<Committed>() != nullptr; });
  s.expect_replicas_equal();
}

TEST_CASE(
    "story: a replica that was away during two terms is cut where it parted, and filled (S4, S5)") {
  Story s;
  s.appended("a");
  s.let_pass(500ms);
  SequencerProcess& one = s.leader();
  // Node 1 alone holds x; leader and node 1 die.
  s.hold(one, s.node(2));
  s.hold(one, s.node(3));
  const Offset place = s.replica(s.node(1)).durable.end;
  const Entry x = s.append("x");
  s.until("node 1 holds x", [&] { return s.replica(s.node(1)).durable.end > place; });
  s.kill(one);
  s.kill(s.node(1));
  s.heal();
  // The second term appends x again, and y; the third term adds z. Node 1 misses both.
  SequencerProcess& two = s.leader_after(one);
  s.until("x ends", [&] { return s.committed(x); });
  s.appended("y");
  s.restart(one);
  s.let_pass(300ms);
  s.kill(two);
  SequencerProcess& three = s.leader_after(two);
  s.appended("z");
  s.restart(s.node(1));
  REQUIRE(s.replica(s.node(1)).durable.end > place);  // node 1 still has the old x
  // S4: the newest common term ends before x, so node 1 is cut there and filled from its peers.
  s.until("node 1 stands in the third term", [&] {
    return s.replica(s.node(1)).is_matched() &&
           s.replica(s.node(1)).matched == three.machine()->leading_term();
  });
  const auto& terms = s.replica(s.node(1)).terms;
  REQUIRE(terms.size() == 3);
  CHECK(terms[1].offset == place);
  s.expect_log("log1", {"a", "x", "y", "z"});
  s.expect_replicas_equal();
}

TEST_CASE(
    "story: a power cut takes a replica's unsynced tail; it reports the shorter one and catches up "
    "(K1, K3)") {
  Story s;
  s.appended("a");
  s.let_pass(500ms);
  // Node 3's sync of x takes long, so a power cut takes its unsynced tail.
  s.node(3).log_disk_slower_by = 500ms;
  const Entry x = s.append(std::string(3000, 'x'));
  s.until("the others have it, node 3 still writes", [&] {
    return s.committed(x) && s.replica(s.node(3)).written.end > s.replica(s.node(3)).durable.end;
  });
  CHECK(s.power_cut(s.node(3)) > 0);
  s.node(3).log_disk_slower_by = {};
  s.appended("y");
  s.restart(s.node(3));
  // K3: bad bytes above the mark are a torn tail. Node 3 reports the shorter log and is not
  // suspect.
  CHECK(s.replica(s.node(3)).durable.end == s.offset(x));
  CHECK_FALSE(s.replica(s.node(3)).suspect);
  s.expect_replicas_equal();
  s.expect_log("log1", {"a", std::string(3000, 'x'), "y"});
}

TEST_CASE("story: a power cut of everything keeps what was acknowledged (D4, K1)") {
  Story s;
  s.appended("a");
  const Entry b = s.appended("b");
  const Entry c = s.append("c");
  s.until("c is being written",
          [&] { return s.replica(s.node(1)).written.end > s.replica(s.node(1)).durable.end; });
  // Power fails at all nodes, and all sequencers die, while c is being written.
  for (int i = 1; i <= 3; ++i) s.power_cut(s.node(i));
  for (int i = 1; i <= 3; ++i) s.kill(s.sequencer(i));
  REQUIRE(s.pending(c));
  for (int i = 1; i <= 3; ++i) s.restart(s.node(i));
  for (int i = 1; i <= 3; ++i) s.restart(s.sequencer(i));
  s.until("c ends", [&] { return !s.pending(c); });
  // The acknowledged entries must be there; c was not acknowledged and is appended again or found.
  CHECK(s.outcome(c) == "committed");
  CHECK(s.offset(c) > s.offset(b));
  s.expect_log("log1", {"a", "b", "c"});
  s.expect_replicas_equal();
}

TEST_CASE("story: a storage node comes back with an empty disk: refused, it counts as down (T4)") {
  Story s;
  s.appended("a");
  s.kill(s.node(3));
  s.node(3).lose_disk(simulator::Loss::everything);
  s.restart(s.node(3));
  // Nodes 1 and 3 run, and node 3 has an empty disk.
  s.kill(s.node(2));
  s.let_pass(2s);
  CHECK(s.sent<Sealed>("node3", "seq") > 0);  // the seals of its first life
  const std::size_t sealed = s.sent<Sealed>("node3", "seq");
  const std::size_t durable = s.sent<Durable>("node3", "seq");
  const Entry x = s.append("x");
  s.let_pass(5s);
  CHECK(s.pending(x));
  // Node 3 counts for no seal quorum either: together with node 1 it proves nothing to a new
  // leader.
  SequencerProcess& old = s.leader();
  s.kill(old);
  s.leader_after(old);
  s.let_pass(5s);
  CHECK(s.pending(x));
  CHECK(s.sent<Sealed>("node3", "seq") == sealed);
  CHECK(s.sent<Durable>("node3", "seq") == durable);
  s.restart(s.node(2));
  s.until("x ends", [&] { return !s.pending(x); });
  CHECK(s.outcome(x) == "committed");
  s.expect_log("log1", {"a", "x"});
}

TEST_CASE(
    "story: bytes rot below the mark: the replica is suspect, acknowledges nothing, and is copied "
    "again (K3, K4)") {
  Story s;
  s.appended("a");
  const Entry b = s.appended("b");
  s.appended("c");
  s.let_pass(500ms);
  s.kill(s.node(3));
  // A byte of b rots below the mark; the node's peers are down or unreachable.
  s.rot(s.node(3), "log1", s.offset(b) + frame_prefix_size);
  s.kill(s.node(2));
  s.part(s.node(1), s.node(3));  // so it cannot copy yet
  s.restart(s.node(3));
  // K3, K4: node 3 is suspect, knows its log up to the hole, and acknowledges nothing.
  REQUIRE(s.replica(s.node(3)).suspect);
  CHECK(s.replica(s.node(3)).durable.end == s.offset(b));
  const std::size_t acknowledged = s.sent<Durable>("node3", "seq");
  const Entry x = s.append("x");
  s.let_pass(5s);
  CHECK(s.pending(x));
  CHECK(s.sent<Durable>("node3", "seq") == acknowledged);
  // Until the reconcile, node 3 neither shortens nor lengthens its log.
  CHECK(s.replica(s.node(3)).durable.end == s.offset(b));
  // Node 1 can be reached again: the hole is filled, and node 3 counts towards W.
  s.heal();
  s.until("x ends", [&] { return !s.pending(x); });
  CHECK(s.outcome(x) == "committed");
  CHECK_FALSE(s.replica(s.node(3)).suspect);
  s.restart(s.node(2));
  s.expect_log("log1", {"a", "b", "c", "x"});
  s.expect_replicas_equal();
}

TEST_CASE(
    "story: a suspect replica does not complete a seal quorum: what it lost may be committed (S2, "
    "K4)") {
  Story s;
  s.appended("a");
  s.let_pass(500ms);
  s.hold(s.leader(), s.node(1));
  const Entry e = s.appended("e");  // committed at nodes 2 and 3
  s.let_pass(500ms);
  REQUIRE(s.replica(s.node(1)).durable.end == s.offset(e));
  SequencerProcess& old = s.leader();
  s.kill(old);
  // The only nodes that come back are 1, which lacks e, and 3, which has lost e to rot.
  s.kill(s.node(2));
  s.kill(s.node(3));
  s.rot(s.node(3), "log1", s.offset(e) + frame_prefix_size);
  s.heal();
  s.restart(s.node(3));
  REQUIRE(s.replica(s.node(3)).suspect);
  s.leader_after(old);
  const Entry x = s.append("x");
  s.let_pass(20s);
  // S2: a suspect answer counts as absent, so 1 and 3 are no seal quorum. Otherwise e would be
  // lost.
  CHECK(s.sent<Sealed>("node3", "seq") > 0);
  CHECK(s.pending(x));
  CHECK(s.replica(s.node(1)).durable.end == s.offset(e));
  s.restart(s.node(2));
  s.until("x ends", [&] { return !s.pending(x); });
  s.expect_log("log1", {"a", "e", "x"});
  s.expect_replicas_equal();
}

TEST_CASE(
    "story: the most up-to-date answer is a suspect one: its whole part is the base (S2, S3, K4)") {
  Story s;
  s.appended("a");
  s.let_pass(500ms);
  const Offset place = s.replica(s.node(3)).durable.end;
  SequencerProcess& old = s.leader();
  s.hold(old, s.node(1));
  s.hold(old, s.node(2));
  // Node 3 alone holds x and y; then a byte of y rots.
  const Entry x = s.append("x");
  const Entry y = s.append("y");
  s.until("node 3 holds both",
          [&] { return s.replica(s.node(3)).durable.end == place + 2 * (frame_overhead + 1); });
  s.let_pass(300ms);  // its marks cover both entries
  s.kill(old);
  s.kill(s.node(3));
  s.rot(s.node(3), "log1", place + frame_overhead + 1 + frame_prefix_size);
  s.heal();
  // Nodes 1 and 3 answer first, which is no seal quorum because node 3 is suspect. Then node 2
  // answers.
  s.part(s.node(2), s.world().sequencers_as_processes());
  s.restart(s.node(3));
  REQUIRE(s.replica(s.node(3)).suspect);
  SequencerProcess& next = s.leader_after(old);
  s.until("1 and 3 have answered", [&] {
    return s.sent<StateIs>("node1", next.name()) > 0 && s.sent<StateIs>("node3", next.name()) > 0;
  });
  s.let_pass(300ms);
  CHECK(s.sent<Reconcile>(next.name(), "node") == 0);
  s.heal();
  // Node 3's log up to the hole is the longest answer, so x stays; y is appended again.
  s.until("both end", [&] { return !s.pending(x) && !s.pending(y); }, 5s);
  CHECK(s.offset(x) == place);
  CHECK(s.offset(y) > s.offset(x));
  s.expect_log("log1", {"a", "x", "y"});
  s.expect_replicas_equal();
}

TEST_CASE("story: segments roll while a replica is being filled (S5, D2)") {
  Story s({}, small_segments);
  Words all;
  const auto more = [&](int n) {
    for (int i = 0; i < n; ++i) {
      all.push_back(long_text(static_cast<int>(all.size())));
      s.appended(all.back());
    }
  };
  more(2);
  s.kill(s.node(3));
  more(12);
  // The first answer of a peer arrives; the peers' following answers are held back.
  MessageType answer{};
  SUBCASE("by the leader's orders, run after run") { answer = RunIs::type; }
  SUBCASE("by copying, file after file") {
    answer = Copied::type;
    SequencerProcess& old = s.leader();
    s.kill(old);
    s.leader_after(old);
    more(1);
  }
  std::size_t answers = 0;
  s.on_message = [&](const Process&, const Process& to, const Message& m) {
    const bool counts = answer == RunIs::type ? std::holds_alternative<RunIs>(m)
                                              : std::holds_alternative<Copied>(m);
    if (!counts || to.name() != "node3" || ++answers < 2) return;
    s.hold(s.node(1), s.node(3));
    s.hold(s.node(2), s.node(3));
  };
  s.restart(s.node(3));
  s.until("an answer is held up", [&] { return answers >= 2; });
  s.on_message = {};
  const Offset there = s.replica(s.node(3)).durable.end;
  const Offset open_then = s.replica(s.node(1)).store.open_segment();
  // While node 3 waits for bytes, its peers go through several segments.
  more(12);
  CHECK(s.replica(s.node(1)).store.open_segment() > open_then + 2 * segment_size_min);
  CHECK(s.replica(s.node(3)).durable.end < open_then);
  CHECK(s.replica(s.node(3)).durable.end <= there + 2 * segment_size_min);
  // Node 3 fills its gap across the segment boundaries.
  s.heal();
  more(1);
  s.expect_replicas_equal();
  s.expect_log("log1", all);
}

TEST_CASE(
    "story: a replica that lies behind the trim point is re-based on a peer's first segment (S4, "
    "R3)") {
  Story s({}, small_segments);
  Words all;
  std::vector<Entry> entries;
  const auto more = [&](int n) {
    for (int i = 0; i < n; ++i) {
      all.push_back(long_text(static_cast<int>(all.size())));
      entries.push_back(s.appended(all.back()));
    }
  };
  more(2);
  s.let_pass(300ms);
  const Offset behind = s.replica(s.node(3)).durable.end;
  s.kill(s.node(3));
  more(14);
  s.let_pass(300ms);
  const std::size_t kept = 10;
  // The trim removes files that node 3 would need: its tail lies below its peers' first segment.
  s.trim("log1", s.offset(entries[kept]));
  s.until("the others have unlinked what lies below", [&] {
    return s.replica(s.node(1)).first_kept() > behind && s.replica(s.node(2)).first_kept() > behind;
  });
  SUBCASE("in the same term") {}
  SUBCASE("by the next leader") {
    SequencerProcess& old = s.leader();
    s.kill(old);
    s.leader_after(old);
  }
  s.restart(s.node(3));
  REQUIRE(s.replica(s.node(3)).durable.end == behind);
  // S4: node 3 drops everything and begins where its peers begin.
  s.expect_replicas_equal();
  CHECK(s.replica(s.node(3)).first_kept() == s.replica(s.node(1)).first_kept());
  // The re-based replica must serve together with a single peer.
  s.kill(s.node(1));
  all.emplace_back("more");
  s.appended(all.back());
  s.expect_log("log1", Words(all.begin() + static_cast<std::ptrdiff_t>(kept), all.end()));
}

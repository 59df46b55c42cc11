// Dialler: which peers a sequencer dials, and when it dials a peer again (spec/04, "Links between
// sequencers"). The last cases show that SequencerMachine tells it how each connection ends.
#include "sequencer/core/cluster/dialler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "sequencer/core/sequencer_machine.h"

using namespace loglog;
using namespace loglog::sequencer;

namespace {

constexpr Time start{1h};
const Error lost{Errc::connection_lost, "connection refused"};
const Error foreign{Errc::wrong_identity, "another process runs as sequencer 2"};

/// Of three sequencers the sequencer `id`, with two storage nodes.
Options of(std::uint32_t id) {
  Options o;
  o.id = SequencerId{id};
  o.sequencers = {{SequencerId{1}, "a:1"}, {SequencerId{2}, "b:1"}, {SequencerId{3}, "c:1"}};
  o.storage = {{NodeId{1}, DiskId{}, "d:1"}, {NodeId{2}, DiskId{}, "e:1"}};
  return o;
}

struct Dialling {
  explicit Dialling(std::uint32_t id = 3, std::uint64_t seed = 1)
      : options(of(id)), dialler(options), random(seed) {}

  /// The dials that are due now.
  std::vector<Dial> due() {
    std::vector<Dial> out;
    dialler.dial_due(now, out);
    return out;
  }
  /// The first peer's dial or connection fails. Returns the pause until its next dial, which then
  /// is due.
  Duration pause_after(const Error& why) {
    line = dialler.failed(now, random, 1, why);
    return wait();
  }
  Duration wait() {
    const Time at = dialler.wake();
    REQUIRE(at != never);
    REQUIRE(due().empty());
    const Duration pause = at - now;
    now = at;
    const std::vector<Dial> again = due();
    REQUIRE(again.size() == 1);
    CHECK(again[0].number == 1);
    CHECK(dialler.wake() == never);
    return pause;
  }

  Options options;
  Dialler dialler;
  Random random;
  Time now = start;
  std::optional<std::string> line;
};

bool within(Duration d, Duration pause) { return d >= pause / 2 && d <= pause + pause / 2; }

}  // namespace

TEST_CASE("dialler: at the start every storage node and every sequencer with a higher id") {
  const auto dialled_by = [](std::uint32_t id) {
    Dialling d(id);
    std::vector<std::string> out;
    std::set<std::uint32_t> numbers;
    for (const Dial& x : d.due()) {
      numbers.insert(x.number);
      out.push_back((x.role == Role::storage ? "node " : "sequencer ") + std::to_string(x.id) +
                    " " + x.address);
    }
    CHECK(numbers.size() == out.size());
    CHECK_FALSE(numbers.contains(0));
    CHECK(d.due().empty());
    CHECK(d.dialler.wake() == never);
    return out;
  };
  const std::vector<std::string> nodes = {"node 1 d:1", "node 2 e:1"};
  CHECK(dialled_by(3) == nodes);
  CHECK(dialled_by(2) == std::vector<std::string>{"sequencer 3 c:1", nodes[0], nodes[1]});
  CHECK(dialled_by(1) ==
        std::vector<std::string>{"sequencer 2 b:1", "sequencer 3 c:1", nodes[0], nodes[1]});
}

TEST_CASE("dialler: the pause doubles from 20 ms to 200 ms, and a connection resets it") {
  Dialling d;
  d.due();
  for (const Duration pause : {20ms, 40ms, 80ms, 160ms, 200ms, 200ms})
    CHECK(within(d.pause_after(lost), pause));
  d.dialler.connected(1);
  CHECK(within(d.pause_after(lost), 20ms));
  CHECK(within(d.pause_after(lost), 40ms));
}

TEST_CASE("dialler: peers that are lost at the same time are dialled at different times") {
  std::set<Duration> pauses;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Dialling d(3, seed);
    d.due();
    pauses.insert(d.pause_after(lost));
  }
  CHECK(pauses.size() > 45);
}

TEST_CASE("dialler: after a refusal, or a connection that it closes itself, about a second") {
  Dialling d;
  d.due();
  CHECK(within(d.pause_after(foreign), 1s));
  CHECK(within(d.pause_after(foreign), 1s));
  // A refusal after the hello comes over a connection that stands.
  d.dialler.connected(1);
  CHECK(within(d.pause_after(foreign), 1s));
  d.dialler.connected(1);
  d.dialler.closed(d.now, d.random, 1);
  // The driver may report the end of such a connection too.
  CHECK_FALSE(d.dialler.failed(d.now, d.random, 1, lost));
  CHECK(within(d.wait(), 1s));
  CHECK(within(d.pause_after(lost), 20ms));
}

TEST_CASE("dialler: a reason gives a single line until it changes or the peer connects") {
  Dialling d;
  d.due();
  d.pause_after(lost);
  CHECK(d.line == "storage node 1 at d:1: the connection was lost: connection refused");
  d.pause_after({Errc::connection_lost, "not connected in time"});
  CHECK_FALSE(d.line);
  d.pause_after(foreign);
  CHECK(d.line == "storage node 1 at d:1: " + foreign.message());
  d.pause_after(foreign);
  CHECK_FALSE(d.line);
  d.dialler.connected(1);
  d.pause_after(foreign);
  CHECK(d.line);
}

TEST_CASE("dialler: peers wait independently, and the earliest dial is the next wake") {
  Dialling d;
  d.due();
  d.dialler.failed(d.now, d.random, 1, foreign);
  const Time first = d.dialler.wake();
  d.dialler.failed(d.now, d.random, 2, lost);
  const Time second = d.dialler.wake();
  CHECK(second < first);
  d.now = second;
  CHECK(d.due().at(0).number == 2);
  CHECK(d.dialler.wake() == first);
}

TEST_CASE("dialler: a number of no peer changes nothing") {
  Dialling d;
  d.due();
  for (const std::uint32_t number : {0u, 3u, 4'000'000'000u}) {
    d.dialler.connected(number);
    d.dialler.closed(d.now, d.random, number);
    CHECK_FALSE(d.dialler.failed(d.now, d.random, number, lost));
  }
  CHECK(d.dialler.wake() == never);
}

namespace {

/// The state of a sequencer of cluster 7.
RaftDisk disk() {
  MetadataState metadata;
  metadata.apply(RaftIndex{1}, InitCluster{ClusterId{7}, "test", of(1).sequencers});
  RaftDisk out;
  out.snapshot_index = RaftIndex{1};
  out.snapshot_term = RaftTerm{1};
  out.hard_state.term = RaftTerm{1};
  out.snapshot = metadata.snapshot();
  return out;
}

/// Sequencer 1 of three, whose dials the test answers.
struct Dials {
  Dials() : machine(of(1), disk(), 5) {
    machine.start(now, 0);
    take();
    REQUIRE(dials.size() == 4);
  }
  /// Takes the output of a step.
  void take() {
    Output& o = machine.output();
    dials.insert(dials.end(), o.dials.begin(), o.dials.end());
    for (const Event& e : o.events) lines.push_back(e.text);
    closed += o.closes.size();
    wake = o.wake;
    o.clear();
  }
  /// Moves time, with a tick at each wake.
  void pass(Duration d) {
    for (const Time end = now + d; now < end;) {
      now = std::min(end, wake);
      machine.tick(now, 0);
      take();
    }
  }
  /// Sequencer 2 takes the dial, as a member of `cluster`.
  void connect(ConnectionId c, ClusterId cluster = ClusterId{7}) {
    Hello h;
    h.role = Role::sequencer;
    h.id = 2;
    h.boot = BootId{9};
    h.cluster = cluster;
    machine.connected(now, {c, h, dials[0].number});
    take();
  }
  std::size_t dials_of_second() const {
    return static_cast<std::size_t>(std::ranges::count(dials, dials[0].number, &Dial::number));
  }
  bool said(const std::string& line) const { return std::ranges::find(lines, line) != lines.end(); }

  Time now = start, wake = never;
  SequencerMachine machine;
  std::vector<Dial> dials;
  std::vector<std::string> lines;
  std::size_t closed = 0;
};

}  // namespace

TEST_CASE("sequencer: a dial that fails comes again, and so does a connection that ends") {
  Dials d;
  d.machine.dial_failed(d.now, {d.dials[0].number, lost});
  d.take();
  CHECK(d.said("sequencer 2 at b:1: the connection was lost: connection refused"));
  d.pass(30ms);
  CHECK(d.dials_of_second() == 2);
  d.connect(ConnectionId{1});
  d.pass(1s);
  CHECK(d.dials_of_second() == 2);
  d.machine.disconnected(d.now, {ConnectionId{1}});
  d.pass(30ms);
  CHECK(d.dials_of_second() == 3);
  d.connect(ConnectionId{2});
  d.machine.disconnected(d.now, {ConnectionId{2}, foreign});
  d.pass(400ms);
  CHECK(d.dials_of_second() == 3);
  d.pass(1100ms);
  CHECK(d.dials_of_second() == 4);
  CHECK(d.said("sequencer 2 at b:1: " + foreign.message()));
}

TEST_CASE("sequencer: a connection that it closes itself is dialled again after about a second") {
  Dials d;
  d.connect(ConnectionId{1}, ClusterId{8});
  REQUIRE(d.closed == 1);
  d.pass(400ms);
  CHECK(d.dials_of_second() == 1);
  d.pass(1100ms);
  CHECK(d.dials_of_second() == 2);
  // The driver reports nothing of it, and there is no line.
  CHECK(d.lines.empty());
}

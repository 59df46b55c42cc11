// Retention (spec/06 R5): which trims the leader makes by itself, by bytes and by age.
// Runs on fake_cluster.h; segments have 64 KiB and runs 8000 bytes.
#include <doctest/doctest.h>

#include "tests/unit/sequencer/core/fake_cluster.h"

using namespace loglog;
using namespace loglog::sequencer;
using namespace loglog::sequencer::testing;

namespace {

constexpr std::uint64_t segment = 64u << 10;
constexpr std::uint32_t run_length = 8000;

/// A log with retention `r` and a producer that appends to it.
struct Log {
  explicit Log(Retention r, int nodes = 3) : f(nodes) {
    f.start_all();
    client = f.connect_client();
    f.say(client, CreateLog{"a/b", {0, 0, segment, Durability::sync, r}});
    f.pass(50ms);
    REQUIRE(f.heard<LogIs>().size() == 1);
    id = f.heard<LogIs>()[0].info.id;
    open();
  }
  void open() {
    f.to_clients.clear();
    f.say(client, OpenLog{id});
    f.pass(200ms);
    REQUIRE(!f.heard<TermIs>().empty());
    term = f.heard<TermIs>().back();
    ++producer;
    sequence = 0;
  }
  void append(int runs = 1, Duration pause = {}) {
    for (int i = 0; i < runs; ++i) {
      ++sequence;
      f.say(client,
            Commit{id,
                   term.term,
                   Sequence{sequence - 1},
                   {ProducerId{producer}, Sequence{sequence}, 1, run_length, RunDigest{sequence}}});
      if (pause > 0us) f.pass(pause);
    }
  }
  /// The next leader's reign, with a fresh producer.
  void fail_over() {
    f.restart();
    f.pass(3s);
    for (int i = 1; i <= 3; ++i) f.connect(i);
    client = f.connect_client();
    f.to_nodes.clear();
    open();
  }
  const LogInfo& info() const { return f.machine->metadata().logs.at(0); }
  Offset committed() { return f.node(1).logs[id].committed; }
  Offset tail() { return f.node(1).logs[id].tail(); }
  std::vector<Offset> segments() { return f.node(1).logs[id].segments(); }
  /// The highest segment start with at least `bytes` bytes committed above it: the trim that R5
  /// asks for.
  Offset expected(std::uint64_t bytes) {
    Offset best{};
    for (const Offset s : segments())
      if (s + bytes <= committed()) best = s;
    return best;
  }
  /// The messages of type M that nodes were sent.
  template <class M>
  std::size_t asked() const {
    return static_cast<std::size_t>(
        std::count_if(f.to_nodes.begin(), f.to_nodes.end(),
                      [](const auto& m) { return std::holds_alternative<M>(m.second); }));
  }

  FakeCluster f;
  ConnectionId client;
  LogId id;
  TermIs term;
  std::uint64_t producer = 100, sequence = 0;
};

}  // namespace

TEST_CASE("retention by bytes: a log that is never at rest is trimmed too") {
  Log l({4 * segment, 0});
  // An append each millisecond, so that the log is never idle and ticks come only when the core
  // asks for them.
  for (int i = 0; i < 2000; ++i) {
    l.f.now += 1ms;
    if (l.f.machine->output().wake <= l.f.now) l.f.machine->tick(l.f.now, l.f.wall_ms());
    l.append();
  }
  CHECK(l.committed() > Offset{200 * segment});
  // Trims lag because a pause lies between two of them.
  CHECK(l.info().trim >= Offset{100 * segment});
}

TEST_CASE("retention: none, and nothing is asked, nothing is trimmed") {
  Log l({});
  l.append(40);
  l.f.pass(5s);
  CHECK(l.info().trim == Offset{});
  CHECK(l.asked<GetSegments>() == 0);
  CHECK(l.asked<loglog::Read>() == 0);
}

TEST_CASE("retention by bytes: whole segments go while as much stays (R5)") {
  Log l({2 * segment, 0});
  l.append(10);  // less than the retention, so nothing is asked
  l.f.pass(3s);
  CHECK(l.asked<GetSegments>() == 0);
  CHECK(l.info().trim == Offset{});
  for (int i = 0; i < 10; ++i) {
    l.append(12);
    l.f.pass(2s);
    CHECK(l.info().trim == l.expected(2 * segment));
  }
  CHECK(l.info().trim > Offset{});
  CHECK(l.committed() - l.info().trim >= 2 * segment);
  CHECK(l.committed() - l.info().trim < 3 * segment + 2 * run_length);
  CHECK(l.asked<GetSegments>() == 1);   // the leader knows the segments of its own term
  CHECK(l.asked<loglog::Read>() == 0);  // retention by bytes needs no clock
  const bool said = std::any_of(l.f.events.begin(), l.f.events.end(), [](const Event& e) {
    return e.text.find("retention") != std::string::npos;
  });
  CHECK(said);
  const std::size_t trims = l.asked<TrimTo>();
  l.f.pass(30s);
  CHECK(l.asked<TrimTo>() == trims);
}

TEST_CASE("retention by bytes: the next leader asks where segments begin") {
  Log l({2 * segment, 0});
  l.append(14);
  l.f.pass(2s);
  REQUIRE(l.info().trim == Offset{});
  l.fail_over();
  // Two of three nodes do not answer, so the leader must ask the third.
  l.f.node(1).silent = true;
  l.f.node(2).silent = true;
  l.append(20);
  l.f.pass(8s);
  CHECK(l.info().trim > Offset{});
  CHECK(l.info().trim == l.expected(2 * segment));
}

TEST_CASE("retention by age: segments are short, and go when all in them is old (R5)") {
  Log l({0, 4000});
  for (int i = 0; i < 60; ++i) {
    l.append(1, 200ms);
    const Offset trim = l.info().trim;
    if (trim == Offset{}) continue;
    // Everything below the trim point is older than the retention.
    const auto clock = clock_at(l.f.node(1).logs[l.id].frames.at(trim), l.id, trim);
    REQUIRE(clock);
    CHECK(*clock <= l.f.wall_ms() - 4000);
  }
  CHECK(l.segments().size() >= 10);  // a segment a second
  CHECK(l.info().trim > Offset{});
  const auto clock = clock_at(l.f.node(1).logs[l.id].frames.at(l.info().trim), l.id, l.info().trim);
  // At most a segment's span and a pause older than needed.
  CHECK(*clock >= l.f.wall_ms() - 4000 - 2500);
  CHECK(l.asked<loglog::Read>() == 0);
}

TEST_CASE(
    "retention by age: an idle log's last entries go with one segment start, and then nothing "
    "happens any more") {
  Log l({0, 4000});
  l.append(3);
  const std::size_t before = l.segments().size();
  // The last entries are not old enough yet.
  l.f.pass(3s);
  CHECK(l.segments().size() == before);
  // R5: an idle log gets a single segment start, and everything below it goes.
  l.f.pass(3s);
  REQUIRE(l.segments().size() == before + 1);
  CHECK(l.info().trim == l.segments().back());
  CHECK(l.committed() == l.tail());
  const Offset end = l.tail();
  const std::size_t trims = l.asked<TrimTo>();
  // The log holds nothing but starts: nothing more happens.
  l.f.pass(60s);
  CHECK(l.tail() == end);
  CHECK(l.asked<TrimTo>() == trims);
  l.fail_over();
  const Offset start = l.tail();
  l.f.pass(60s);
  CHECK(l.tail() == start);  // a term start alone is nothing to trim
  l.append(1);
  l.f.pass(8s);
  CHECK(l.info().trim == l.segments().back());
}

TEST_CASE(
    "retention by age: clocks of earlier terms are read; a clock that is ahead keeps its segment, "
    "and a start without a clock is covered by the next (R5)") {
  Log l({0, 20'000});
  bool ahead = false;
  SUBCASE("they agree") {}
  SUBCASE("the first leader's clock was an hour ahead when it started") {
    ahead = true;
    l.f.wall_offset_ms = 3'600'000;
    l.fail_over();
  }
  SUBCASE("the first leader's clock was just set, so it stamped no clock") {
    l.f.wall_offset_ms = 3'600'000;
  }
  l.f.pass(10ms);
  l.append(30, 100ms);  // some segments
  l.f.wall_offset_ms = 0;
  const std::vector<Offset> old = l.segments();
  REQUIRE(old.size() >= 4);
  // The next leader must read the clocks in the old segments' first frames.
  l.fail_over();
  l.append(1);
  l.f.pass(19s);
  CHECK(l.asked<GetSegments>() == 1);
  l.append(1);
  l.f.pass(3s);
  CHECK(l.asked<loglog::Read>() >= 1);
  // A clock that was ahead keeps entries longer, never shorter.
  if (ahead) CHECK(l.info().trim == Offset{});
  else CHECK(l.info().trim >= old.back());
}

TEST_CASE("retention: is set for a log that is there, within its bounds") {
  Log l({});
  l.append(40);
  // Sets a retention with a fresh basis; returns the error.
  const auto set = [&](Retention r) {
    l.f.to_clients.clear();
    l.f.say(l.client, SetRetention{l.id, r, {l.f.machine->metadata().version, {}}});
    const auto refused = l.f.heard<Failed>();
    return refused.empty() ? Errc::ok : refused[0].error;
  };
  CHECK(set({segment - 1, 0}) == Errc::invalid_argument);
  CHECK(set({0, 999}) == Errc::invalid_argument);
  CHECK(set({0, retention_ms_max + 1}) == Errc::invalid_argument);
  CHECK(l.info().options.retention == Retention{});
  CHECK(set({segment, 0}) == Errc::ok);
  REQUIRE(l.f.heard<LogIs>().size() == 1);
  CHECK(l.f.heard<LogIs>()[0].info.options.retention == Retention{segment, 0});
  l.f.pass(2s);
  CHECK(l.info().trim == l.expected(segment));
  CHECK(l.info().trim > Offset{});

  // Without retention nothing more is trimmed.
  CHECK(set({}) == Errc::ok);
  const Offset trim = l.info().trim;
  l.append(40);
  l.f.pass(5s);
  CHECK(l.info().trim == trim);
}

// A producer's pipeline as a whole: how many runs are on their way, the order of their commits,
// slow replicas, and its knowledge of an entry (spec/05, spec/07). Changes of term and deadlines
// are in client_machine_test.cpp.
#include "sdk/core/append_pipeline.h"

#include <doctest/doctest.h>

#include <optional>

#include "tests/unit/sdk/core/asked_cluster.h"

using namespace loglog;
using namespace loglog::client;
using Fate = AppendPipeline::Knowledge::Fate;

namespace {
Options with_small_runs(std::uint32_t in_flight) {
  Options o;
  o.run_size_target = 100;  // each entry is a run
  o.runs_in_flight_max = in_flight;
  o.eager_commit = false;
  return o;
}

struct Producing : AskedCluster {
  explicit Producing(std::uint32_t runs_in_flight = 8)
      : AskedCluster(with_small_runs(runs_in_flight)) {}
  std::uint64_t bytes = 0;
  AppendPipeline pipeline{options, view, choice, out, bytes, log, producer};

  /// Appends entries with tokens and numbers 1 to `count`, each a run.
  void append(std::uint64_t count, Time deadline = never) {
    for (std::uint64_t i = 1; i <= count; ++i)
      pipeline.append(now, Token{i}, Bytes::allocate(200), false, deadline, {});
    pipeline.pump(now);
  }
  void pass(Duration d) {
    now += d;
    view.tick(now);
    pipeline.tick(now);
    pipeline.pump(now);
  }
  void opened(std::uint32_t term = 3, Offset start = {}) {
    pipeline.arrived(now, sequencer, TermIs{log, Term{term}, start, start + 60});
    pipeline.pump(now);
  }
  static Sequence first_of(const Send& s) { return std::get<Upload>(s.message).run.first; }
  void staged(const Send& s) {
    answer(s, Uploaded{log, producer, first_of(s), Offset{}});
    pipeline.pump(now);
  }
  void committed(std::uint64_t first, std::uint32_t term = 3) {
    pipeline.arrived(now, sequencer,
                     Committed{log, Term{term}, producer, Sequence{first}, Offset{1000 * first}});
    pipeline.pump(now);
  }
  /// The first numbers of the runs whose Commits were sent since the last call.
  std::vector<std::uint64_t> commits() {
    std::vector<std::uint64_t> numbers;
    for (const Send& s : take<Commit>())
      numbers.push_back(std::get<Commit>(s.message).run.first.value);
    return numbers;
  }
};
}  // namespace

// The bound limits what a client has staged on the nodes. The next run goes when the first is
// settled, and not when its uploads are answered.
TEST_CASE("no more runs than the bound are on their way, and the next goes when one is settled") {
  Producing c(2);
  c.append(4);
  c.opened();
  const auto uploads = c.take<Upload>();
  REQUIRE(uploads.size() == 6);
  for (const Send& s : uploads) {
    CHECK(c.first_of(s) <= Sequence{2});
    c.staged(s);
  }
  CHECK(c.take<Upload>().empty());
  c.committed(1);
  const auto next = c.take<Upload>();
  REQUIRE(next.size() == 3);
  CHECK(c.first_of(next[0]) == Sequence{3});
}

// The leader takes a producer's runs in the order of their numbers. A Commit that overtook another
// would be refused.
TEST_CASE("runs are committed in the order of their numbers, whichever arrives first (A1)") {
  Producing c;
  c.append(3);  // the third entry cuts the second run
  c.opened();
  const auto uploads = c.take<Upload>();
  REQUIRE(uploads.size() == 6);
  const auto stage = [&](std::uint64_t run, std::uint32_t node) {
    for (const Send& s : uploads)
      if (c.first_of(s) == Sequence{run} && c.node_of(s) == node) c.staged(s);
  };
  for (const std::uint32_t n : {1u, 2u, 3u}) stage(2, n);
  CHECK(c.commits().empty());
  stage(1, 3);
  CHECK(c.commits().empty());  // a replica too little for a write quorum
  stage(1, 1);
  CHECK(c.commits() == std::vector<std::uint64_t>{1, 2});
}

// The append is acknowledged by the write quorum. The bytes stay in memory for the third replica,
// but not for ever: it catches up from its peers.
TEST_CASE("a replica that is slow to take a committed run holds its bytes for the grace alone") {
  Producing c;
  c.append(1);
  c.opened();
  const auto uploads = c.take<Upload>();
  REQUIRE(uploads.size() == 3);
  c.staged(uploads[0]);
  c.staged(uploads[1]);
  c.committed(1);
  c.result<client::Appended>();
  CHECK(c.bytes == 200 + frame_overhead);
  c.out.events.clear();
  bool given_up = false;
  SUBCASE("it takes the run in time") {
    c.pass(c.options.upload_grace - 1ms);
    c.staged(uploads[2]);
  }
  SUBCASE("it does not") {
    c.pass(c.options.upload_grace - 1ms);
    CHECK(c.out.closes.empty());
    CHECK(c.pipeline.wake(c.now) <= c.now + 1ms);
    c.pass(1ms);
    given_up = true;
  }
  CHECK(c.bytes == 0);
  REQUIRE(c.out.closes.size() == (given_up ? 1 : 0));
  if (!given_up) return;
  CHECK(c.out.closes[0].connection == uploads[2].to);
  REQUIRE_FALSE(c.out.events.empty());
  CHECK(c.out.events[0].kind == Event::Kind::replica_slow);
  CHECK(c.out.events[0].node != 0);
  CHECK(c.out.events[0].log == c.log);
}

// resolve() asks the pipeline first. As long as a Commit is under way, absence from the log proves
// nothing.
TEST_CASE("the pipeline knows an entry's fate once its run is settled, and not before (A4)") {
  Producing c;
  c.append(1, c.now + 1s);
  c.opened();
  for (const Send& s : c.take<Upload>()) c.staged(s);
  REQUIRE(c.commits().size() == 1);
  c.pass(1s);
  CHECK(c.error().code == Errc::outcome_unknown);
  const EntryName entry = c.result<Failure>().entry;
  CHECK(entry.producer == c.producer);
  CHECK(entry.sequence == Sequence{1});
  CHECK(entry.term == Term{3});
  CHECK(c.pipeline.knows(entry).fate == Fate::open);
  EntryName of_another = entry;
  of_another.producer = ProducerId{77};
  CHECK(c.pipeline.knows(of_another).fate == Fate::nothing);
  c.committed(1);
  const auto known = c.pipeline.knows(entry);
  CHECK(known.fate == Fate::known);
  CHECK(known.until > Offset{1000});   // the entry stands below
  CHECK(c.out.completed.size() == 1);  // the caller was told already
}

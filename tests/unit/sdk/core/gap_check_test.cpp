// The gap between an expected offset and a later end (F1, spec/05): only if it certainly holds no
// entry may the append be committed behind it.
#include "sdk/core/gap_check.h"

#include <doctest/doctest.h>

#include <optional>

#include "tests/unit/sdk/core/asked_cluster.h"
#include "tests/unit/sdk/core/stored_log.h"

using namespace loglog;
using namespace loglog::client;

namespace {
struct Checking : AskedCluster {
  StoredLog stored;
  std::optional<GapCheck> check;
  std::vector<bool> done;

  void begin(Offset from, Offset until) {
    check.emplace(options, view, choice, log, from, until, [this](Time, bool empty) {
      done.push_back(empty);
      check.reset();
    });
    check->poll(now);
  }
  void pass(Duration d) {
    now += d;
    view.tick(now);
    if (check) check->poll(now);
  }
};
}  // namespace

// After a failover the log's end lies behind a term start that no application has seen. The append
// expected the end of the last entry, and that is still true.
TEST_CASE("a gap with the leader's own frames alone is empty, whatever stands behind it (F1)") {
  Checking c;
  c.stored.entry(9, 1, "before");
  c.stored.segment_start(1000);
  c.stored.term_start(1000);
  c.stored.entry(9, 2, "behind");
  c.begin(c.stored.begins[1], c.stored.begins[3]);
  c.answer(c.only<Read>(), c.stored.page(c.stored.begins[1]));
  CHECK(c.done == std::vector{true});
}

// A single entry that is overlooked would break the condition of a single writer.
TEST_CASE("a gap with an entry is not empty, wherever the entry stands in it (F1)") {
  Checking c;
  std::size_t page = ~std::size_t{0};
  SUBCASE("first") { c.stored.entry(9, 1, "entry"); }
  SUBCASE("behind a term start, on a page of its own") {
    c.stored.term_start();
    page = c.stored.bytes.size();
    c.stored.entry(9, 1, "entry");
  }
  c.stored.segment_start(1000);
  c.begin(Offset{}, c.stored.end());
  c.answer(c.only<Read>(), c.stored.page(Offset{}, page));
  for (const Send& s : c.take<Read>()) c.answer(s, c.stored.page(std::get<Read>(s.message).offset));
  CHECK(c.done == std::vector{false});
}

// The append is refused then: a refusal can be repeated by the application, a wrong commit cannot
// be undone.
TEST_CASE("a gap that cannot be read is not called empty (F1)") {
  Checking c;
  c.stored.entry(9, 1, "entry");
  c.stored.term_start();
  const Offset inside{3};
  SUBCASE("its begin was trimmed") {
    c.begin(Offset{}, c.stored.end());
    c.answer(c.only<Read>(), c.stored.refusal(Offset{}, Errc::trimmed, c.stored.end()));
  }
  SUBCASE("no frame begins at the expected offset") {
    c.begin(inside, c.stored.end());
    for (int i = 0; i < 3; ++i) c.answer(c.only<Read>(), c.stored.page(inside));
  }
  CHECK(c.done == std::vector{false});
}

// The gap is committed, so a replica will show it. The append's own deadline bounds the wait.
TEST_CASE("replicas that refuse or vanish decide nothing about a gap (F1)") {
  Checking c;
  c.stored.term_start();
  c.begin(Offset{}, c.stored.end());
  c.answer(c.only<Read>(), c.stored.refusal(Offset{}, Errc::not_here));
  c.lose(c.only<Read>().to);
  c.answer(c.only<Read>(), c.stored.refusal(Offset{}, Errc::io_error));
  CHECK(c.done.empty());
  REQUIRE(c.check);
  CHECK(c.check->wake() == c.now + all_refused_pause);
  c.pass(all_refused_pause);
  c.answer(c.only<Read>(), c.stored.page(Offset{}));
  CHECK(c.done == std::vector{true});
}

// The producer has gone on, and the check of a former condition must not touch it.
TEST_CASE("a gap without bytes is empty, and a destroyed check takes no answer") {
  Checking c;
  c.stored.term_start();
  SUBCASE("no bytes") {
    c.begin(c.stored.end(), c.stored.end());
    CHECK(c.done == std::vector{true});
    CHECK(c.take<Read>().empty());
  }
  SUBCASE("destroyed") {
    c.begin(Offset{}, c.stored.end());
    const Send s = c.only<Read>();
    c.check.reset();
    c.answer(s, c.stored.page(Offset{}));
    CHECK(c.done.empty());
  }
}

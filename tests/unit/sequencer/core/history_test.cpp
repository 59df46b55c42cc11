// The history behind the status page's charts: rates as differences of counters, gaps instead of
// wrong rates, and quantiles of an interval.
#include "sequencer/core/history.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::sequencer;

namespace {

/// An overview with these counters, of sequencer `id` in its life `boot`.
Overview reading(std::uint64_t appends, std::uint64_t bytes, std::uint32_t id = 1,
                 std::uint64_t boot = 7) {
  Overview o;
  o.id = SequencerId{id};
  o.boot = BootId{boot};
  o.appends = appends;
  o.append_bytes = bytes;
  return o;
}
Time at(Duration d) { return Time{} + d; }

}  // namespace

TEST_CASE("history: rates are differences over the time that really passed") {
  History h;
  Overview o = reading(100, 1000);
  h.add(at(0s), 1'000, &o);
  REQUIRE(h.samples().size() == 1);
  CHECK(!h.samples()[0].known);
  o = reading(1100, 41'000);
  h.add(at(4s), 5'000, &o);
  REQUIRE(h.samples().size() == 2);
  CHECK(h.samples()[1].known);
  CHECK(h.samples()[1].at_ms == 5'000);
  CHECK(h.samples()[1].appends_per_s == doctest::Approx(250));
  CHECK(h.samples()[1].bytes_per_s == doctest::Approx(10'000));
  CHECK(!h.samples()[1].p50_us);
}

TEST_CASE(
    "history: another leader, another life of it and silence are gaps, never negative rates") {
  History h;
  Overview o = reading(1000, 1000);
  h.add(at(0s), 0, &o);
  // Another leader, then another life of it, then silence: counters of different processes are
  // never subtracted.
  o = reading(5, 5, 2);
  h.add(at(2s), 2, &o);
  CHECK(!h.samples().back().known);
  o = reading(1, 1, 2, 8);
  h.add(at(4s), 4, &o);
  CHECK(!h.samples().back().known);
  h.add(at(6s), 6, nullptr);
  CHECK(!h.samples().back().known);
  o = reading(3, 3, 2, 8);
  h.add(at(8s), 8, &o);
  CHECK(!h.samples().back().known);
  o = reading(5, 7, 2, 8);
  h.add(at(10s), 10, &o);
  CHECK(h.samples().back().known);
  CHECK(h.samples().back().bytes_per_s == doctest::Approx(2));
}

TEST_CASE("history: keeps five minutes") {
  History h;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const Overview o = reading(i, i);
    h.add(at(i * 2s), i, &o);
  }
  REQUIRE(h.samples().size() == History::samples_max);
  CHECK(h.samples().front().at_ms == 1000 - History::samples_max);
  CHECK(History::every * History::samples_max == 5min);
}

TEST_CASE("history: quantiles of what was counted in between") {
  const std::vector<LatencyBucket> before{{100, 50}, {200, 7}, {400, 0}, {0xFFFF'FFFF, 3}};
  CHECK(!quantile_us(before, before, 0.5));
  std::vector<LatencyBucket> after = before;
  after[1].count += 100;
  CHECK(quantile_us(before, after, 0.5) == 150);
  CHECK(quantile_us(before, after, 1.0) == 200);
  after[2].count += 100;
  CHECK(quantile_us(before, after, 0.5) == 200);
  CHECK(quantile_us(before, after, 0.75) == 300);
  after[3].count += 1000;
  // Above all bounds: the true value is at least this bound.
  CHECK(quantile_us(before, after, 0.99) == 400);
  after.pop_back();
  CHECK(!quantile_us(before, after, 0.5));
}

// Producers whose commits are counted for the status (spec/09 "producers whose commits are
// counted"): rates, order, and the bound on their number.
#include "sequencer/core/writers.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::sequencer;

namespace {
constexpr ConnectionId first{1}, second{2};
constexpr LogId log_id{7};
Time at(Duration d) { return Time{1h} + d; }
}  // namespace

TEST_CASE(
    "writers: rates are over the last seconds, and fall to nothing when a producer stops; the "
    "busiest comes first") {
  Writers w;
  for (int i = 0; i < 160; ++i) {
    w.committed(at(i * 100ms), ProducerId{1}, log_id, first, 1, 100);
    w.committed(at(i * 100ms), ProducerId{2}, log_id, second, 2, 5000);
  }
  auto seen = w.busiest(at(16s), 10);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].producer == ProducerId{2});
  CHECK(seen[0].connection == second);
  CHECK(seen[0].entries == 320);
  CHECK(seen[0].bytes == 800'000);
  CHECK(seen[0].bytes_per_s == 50'000);
  CHECK(seen[0].milli_entries_per_s == 20'000);
  CHECK(seen[1].bytes_per_s == 1000);
  CHECK(w.busiest(at(16s), 1).size() == 1);
  CHECK(w.busiest(at(20s), 1)[0].bytes_per_s == 25'000);  // half of the last eight seconds
  CHECK(w.busiest(at(24s), 1)[0].bytes_per_s == 0);
  CHECK(w.busiest(at(24s), 1)[0].entries == 320);
}

TEST_CASE("writers: a producer goes with its connection, and follows its client to a new one") {
  Writers w;
  w.committed(at(0s), ProducerId{1}, log_id, first, 1, 100);
  w.committed(at(1s), ProducerId{1}, log_id, second, 1, 100);
  w.disconnected(first);
  REQUIRE(w.size() == 1);
  CHECK(w.busiest(at(1s), 1)[0].connection == second);
  CHECK(w.busiest(at(1s), 1)[0].entries == 2);
  w.disconnected(second);
  CHECK(w.size() == 0);
}

TEST_CASE("writers: they are bounded, and those that are idle make room") {
  Writers w;
  for (std::uint64_t i = 1; i <= 2 * writers_max; ++i)
    w.committed(at(0s), ProducerId{i}, log_id, first, 1, 100);
  CHECK(w.size() == writers_max);
  w.committed(at(30s), ProducerId{1}, log_id, first, 1, 100);
  w.committed(at(30s), ProducerId{9'999'999}, log_id, first, 1, 100);
  CHECK(w.size() == 2);
}

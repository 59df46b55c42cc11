// Which entries share a run, when a run is cut, and the rest of a run whose entries have ended
// (spec/05 step 1).
#include "sdk/core/open_run.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::client;

namespace {
struct Writer {
  Options options;
  OpenRun open{options, ProducerId{9}};
  RunList runs;

  /// Adds an entry as AppendPipeline does.
  void append(std::size_t size, const AppendConditions& conditions = {}) {
    Bytes payload = Bytes::allocate(size);
    std::memset(payload.mutable_data(), 1, size);
    if (!open.takes(size, conditions, 0)) open.cut(runs);
    open.add(Time{1s}, Token{1}, FrameKind::entry, payload, never, conditions);
  }
  std::vector<std::uint32_t> counts() const {
    std::vector<std::uint32_t> all;
    for (const Run& r : runs) all.push_back(r.reference.count);
    return all;
  }
};
}  // namespace

TEST_CASE("entries share a run until it is full, and their numbers go on in the next") {
  Writer w;
  w.options.run_size_min = 1000;
  for (int i = 0; i < 3; ++i) w.append(400);
  w.open.cut(w.runs);
  CHECK(w.counts() == std::vector<std::uint32_t>{2, 1});
  CHECK(w.runs.front().reference.first == Sequence{1});
  CHECK(w.runs.back().reference.first == Sequence{3});
  CHECK(w.open.empty());
  CHECK(w.open.first() == Sequence{4});
}

TEST_CASE("an entry that expects an offset is a run of its own (F1)") {
  Writer w;
  w.append(10);
  w.append(10, {.expected = Offset{500}});
  w.append(10);
  w.open.cut(w.runs);
  CHECK(w.counts() == std::vector<std::uint32_t>{1, 1, 1});
  CHECK((++w.runs.begin())->conditions.expected == Offset{500});
}

TEST_CASE("entries share a run only under the same fencing token (F2)") {
  Writer w;
  w.append(10, {.fence = FenceToken{1}});
  w.append(10, {.fence = FenceToken{1}});
  w.append(10, {.fence = FenceToken{2}});
  w.open.cut(w.runs);
  CHECK(w.counts() == std::vector<std::uint32_t>{2, 1});
}

TEST_CASE("a run is cut at once while nothing is uploaded, and otherwise if it is large enough") {
  Writer w;
  w.append(10);
  CHECK(w.open.is_due(0));
  CHECK_FALSE(w.open.is_due(1));
  w.append(w.options.run_size_min / 2);
  CHECK(w.open.is_due(1));
  CHECK_FALSE(w.open.is_due(w.options.uploads_in_flight_max));
}

TEST_CASE("a run that is built anew leaves out ended entries and takes new numbers (A6)") {
  Writer w;
  for (int i = 0; i < 3; ++i) w.append(10);
  w.open.cut(w.runs);
  w.runs.front().entries[1].live = false;
  const auto rebuilt = w.open.rebuild(w.runs);
  REQUIRE(rebuilt.runs.size() == 1);
  const Run& fresh = rebuilt.runs.front();
  CHECK(fresh.reference.first == Sequence{4});  // 1 to 3 are never used again
  CHECK(fresh.reference.count == 2);
  CHECK(fresh.entries[1].at == 10 + frame_overhead);
  CHECK(rebuilt.dropped == 10 + frame_overhead);
}

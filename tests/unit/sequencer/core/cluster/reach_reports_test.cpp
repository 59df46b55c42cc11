// What the sequencers tell the leader of their reach and of their disks (spec/04 S8).
#include "sequencer/core/cluster/reach_reports.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::sequencer;

namespace {
constexpr Time start{1h};
const SequencerId one{1}, two{2}, three{3};

Options three_sequencers() {
  Options o;
  o.id = one;
  o.sequencers = {{one, "a:1"}, {two, "b:1"}, {three, "c:1"}};
  return o;
}
}  // namespace

TEST_CASE("reach: a report counts for three intervals, and a list that is too long for nothing") {
  const Options options = three_sequencers();
  ReachReports r(options);
  r.heard(start, two, {{NodeId{1}, NodeId{2}}, false}, 3);
  r.heard(start + 1s, three, {{NodeId{1}, NodeId{1}}, false}, 1);
  REQUIRE(r.lately(start + 3s, two) != nullptr);
  CHECK(r.lately(start + 3s, two)->size() == 2);
  CHECK(r.lately(start + 3001ms, two) == nullptr);
  CHECK(r.lately(start + 3s, three)->empty());
  CHECK(r.heard_lately(start + 3s) == std::vector{two, three});
  CHECK(r.heard_lately(start + 4s) == std::vector{three});
}

TEST_CASE("reach: no log is made while the own disk, or the disks of a majority, are full") {
  const Options options = three_sequencers();
  ReachReports r(options);
  r.heard(start, two, {{}, true}, 0);
  CHECK(r.metadata_may_grow(start));
  r.heard(start, three, {{}, true}, 0);
  CHECK_FALSE(r.metadata_may_grow(start));
  CHECK(r.metadata_may_grow(start + 4s));  // both reports are old
  r.space_is_low(start + 4s, true);
  CHECK_FALSE(r.metadata_may_grow(start + 4s));
}

TEST_CASE("reach: the own report is due every interval, and at once if the disk is full") {
  const Options options = three_sequencers();
  ReachReports r(options);
  r.start(start);
  CHECK_FALSE(r.take_due(start + 999ms));
  CHECK(r.take_due(start + 1s));
  CHECK_FALSE(r.take_due(start + 1500ms));
  r.space_is_low(start + 1500ms, true);
  CHECK(r.take_due(start + 1500ms));
}

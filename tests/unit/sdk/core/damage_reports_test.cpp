// The node to report for bytes that do not verify (K4): at once behind a good frame, and at the
// first frame of a reader only after another replica was good there.
#include "sdk/core/damage_reports.h"

#include <doctest/doctest.h>

#include "tests/unit/sdk/core/asked_cluster.h"
#include "tests/unit/sdk/core/stored_log.h"

using namespace loglog;
using namespace loglog::client;

namespace {
struct Reports : AskedCluster {
  StoredLog stored;
  DamageReports reports{log};

  Reports() {
    for (std::uint64_t i = 1; i <= 3; ++i) stored.entry(9, i, "entry");
  }
  /// The node gives a page that begins where the cursor stands; its byte at `bad` is damaged.
  void page(FollowCursor& cursor, std::uint32_t from, Offset bad = no_offset) {
    const Offset begin = cursor.next();
    std::vector<Entry> entries;
    const Page p = bad == no_offset ? stored.page(begin) : stored.damaged(begin, bad);
    const bool good = cursor.take(p.frames, p.committed, entries);
    REQUIRE(good == (bad == no_offset));
    reports.taken(view, cursor, begin, node[from], good);
  }
};
}  // namespace

// A frame begins where a good frame ends, so bad bytes there are damage and no mistake of the
// reader.
TEST_CASE("damage behind a good frame is reported at once, at the frame's offset (K4)") {
  Reports c;
  FollowCursor cursor(c.log, Offset{});
  c.page(cursor, 2, c.stored.begins[1] + 4);
  const Send s = c.only<ReportCorrupt>();
  CHECK(c.node_of(s) == 2);
  CHECK(std::get<ReportCorrupt>(s.message) ==
        ReportCorrupt{c.log, c.stored.begins[1], frame_overhead});
  CHECK(c.view.figures().corrupt_pages == 1);
}

// The good frame proves that the offset is a frame's, and so that the other replicas are damaged.
TEST_CASE("a bad first frame is reported once another replica is good there, each node once (K4)") {
  Reports c;
  FollowCursor cursor(c.log, Offset{});
  c.page(cursor, 1, Offset{4});
  c.page(cursor, 3, Offset{4});
  CHECK(c.take<ReportCorrupt>().empty());
  const LogInfo& info = *c.view.log(c.log);
  CHECK_FALSE(c.reports.all_of(info));
  c.page(cursor, 2);
  const auto told = c.take<ReportCorrupt>();
  REQUIRE(told.size() == 2);
  CHECK(c.node_of(told[0]) == 1);
  CHECK(c.node_of(told[1]) == 3);
  for (const Send& s : told) CHECK(std::get<ReportCorrupt>(s.message).offset == Offset{});
  std::vector<Entry> none;
  c.reports.taken(c.view, cursor, cursor.next(), c.node[2], true);
  CHECK(c.take<ReportCorrupt>().empty());
}

// A damaged replica may be asked again because others vanish. Counted twice, it would turn a good
// offset into 'no entry begins there'.
TEST_CASE("no entry begins at an offset only if every replica is bad there, each counted once") {
  Reports c;
  FollowCursor cursor(c.log, Offset{});
  const LogInfo& info = *c.view.log(c.log);
  // A replica may be asked again before all have answered, perhaps over another connection.
  for (int i = 0; i < 3; ++i) c.page(cursor, 1, Offset{4});
  CHECK_FALSE(c.reports.all_of(info));
  c.page(cursor, 2, Offset{4});
  c.page(cursor, 3, Offset{4});
  CHECK(c.reports.all_of(info));
  c.reports.clear();
  CHECK_FALSE(c.reports.all_of(info));
  CHECK(c.take<ReportCorrupt>().empty());
}

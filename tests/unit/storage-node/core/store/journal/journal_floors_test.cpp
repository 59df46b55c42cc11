// The floors of logs: which bytes a sync has made durable (J3), and when bytes may leave the
// segments (J4).
#include "storage-node/core/store/journal/journal_floors.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::storage;

namespace {

constexpr LogId a{1}, b{2};
constexpr Offset first{0}, second{65536};

/// Floors over a ring whose first file is open.
struct FloorsTest {
  FloorsTest() {
    ring.recovered({{}, 0, {1, 1, 1}});
    ring.opened();
  }
  /// A record with bytes of these logs is built and is in flight.
  RecordNumber build(std::vector<LogId> logs, Offset segment = first) {
    ring.take(4096, logs);
    for (const LogId log : logs) floors.journalled(log, segment, ring.newest());
    return ring.newest();
  }
  /// A record is built and durable.
  RecordNumber record(std::vector<LogId> logs, Offset segment = first) {
    const RecordNumber n = build(std::move(logs), segment);
    floors.durable(n);
    return n;
  }
  Ticket begin(LogId log, std::uint8_t slots = 0, Offset segment = first) {
    const Ticket t{++tickets};
    floors.sync_begun(log, segment, t, {floors.floor_for_marks(log), slots});
    return t;
  }
  void sync(LogId log, std::uint8_t slots = 0, Offset segment = first) {
    floors.sync_ended(log, begin(log, slots, segment));
  }
  RecordNumber floor(LogId log) const { return floors.floor_for_marks(log); }

  JournalRing ring{{3, journal_header_block + journal_record_max}};
  JournalFloors floors{ring};
  std::uint64_t tickets = 0;
};

TEST_CASE_FIXTURE(FloorsTest,
                  "journal floors: a floor stays below a record whose bytes are not synced (J3)") {
  record({b});
  record({a});
  record({b});
  CHECK(floor(a) == RecordNumber{1});
  sync(a);
  CHECK(floor(a) == RecordNumber{3});  // nothing is left to sync, up to the newest record
  CHECK(floor(b) == RecordNumber{0});
  CHECK(floor(LogId{9}) == RecordNumber{3});  // a log that never was in the journal
}

// The bytes that are written while a sync runs may miss it.
TEST_CASE_FIXTURE(
    FloorsTest,
    "journal floors: a sync does not cover what was written after it began (J3_begun)") {
  record({a});
  const Ticket early = begin(a);
  record({a});
  floors.sync_ended(a, early);
  CHECK(floor(a) == RecordNumber{1});
  CHECK(floors.to_checkpoint(a) == first);
  sync(a);
  CHECK(floor(a) == RecordNumber{2});
}

// The marks and the bytes of one sync reach the medium in any order, so the marks may be there
// alone.
TEST_CASE_FIXTURE(
    FloorsTest,
    "journal floors: a sync's own marks name what earlier syncs have reached (J3_ended)") {
  record({a});
  const Ticket t = begin(a, 1);
  CHECK(floor(a) == RecordNumber{0});
  floors.sync_ended(a, t);
  CHECK(floor(a) == RecordNumber{1});
}

// Record 2 may be torn. The next record 2 would then lie at the floor, and a replay would skip
// it.
TEST_CASE_FIXTURE(
    FloorsTest,
    "journal floors: marks name no record in flight, even if its bytes are synced (J3_durable)") {
  record({b});
  const RecordNumber in_flight = build({a});
  sync(a);
  CHECK(floor(a) == RecordNumber{1});
  floors.durable(in_flight);
  CHECK(floor(a) == in_flight);
}

TEST_CASE_FIXTURE(FloorsTest,
                  "journal floors: syncs that overlap each cover their own part (J3_begun)") {
  record({a});
  const Ticket one = begin(a);
  record({a});
  const Ticket two = begin(a);
  record({a});
  CHECK(floors.to_checkpoint(a) == first);
  floors.sync_ended(a, one);
  CHECK(floor(a) == RecordNumber{1});
  floors.sync_ended(a, two);
  CHECK(floor(a) == RecordNumber{2});
}

// The log gets bytes again in a segment whose earlier bytes are synced and not yet named.
TEST_CASE_FIXTURE(FloorsTest, "journal floors: a floor never falls (J2)") {
  record({a});
  sync(a, 1);
  for (int i = 0; i < 3; ++i) record({b});
  const RecordNumber before = floor(a);
  CHECK(before == RecordNumber{4});
  sync(a, 1);   // one slot names record 4
  record({a});  // record 5 goes to the same segment
  CHECK(floor(a) == RecordNumber{4});
  sync(a, 1);
  CHECK(floor(a) == RecordNumber{5});
}

// The newer segment is synced first; the older one has bytes that only the journal has.
TEST_CASE_FIXTURE(FloorsTest,
                  "journal floors: a floor rises over several segments only with the lowest (J3)") {
  record({a}, first);
  const Ticket old = begin(a, 0, first);
  record({a}, second);
  sync(a, 0, second);
  CHECK(floor(a) == RecordNumber{0});
  floors.sync_ended(a, old);
  CHECK(floor(a) == RecordNumber{2});
}

// Otherwise a start would find the new file and take the old one for whole.
TEST_CASE_FIXTURE(
    FloorsTest,
    "journal floors: a segment begins only after the segment before is synced (J3_open)") {
  CHECK(floors.may_open_segment(a));
  record({a});
  CHECK_FALSE(floors.may_open_segment(a));
  const Ticket t = begin(a);
  CHECK(floors.may_open_segment(a));  // the strand runs the sync first
  record({a});
  CHECK_FALSE(floors.may_open_segment(a));
  floors.sync_ended(a, t);
  sync(a);
  CHECK(floors.may_open_segment(a));
}

// The caller asks whenever the ring is short of files, which is more often than syncs end.
TEST_CASE_FIXTURE(FloorsTest,
                  "journal floors: a checkpoint is asked for once, and tells the ring (J2, J3)") {
  CHECK(floors.to_checkpoint(a) == std::nullopt);
  record({a});
  ring.opened();
  CHECK(ring.pins() == std::vector{a});
  REQUIRE(floors.to_checkpoint(a) == first);
  const Ticket t = begin(a);
  CHECK(floors.to_checkpoint(a) == std::nullopt);
  CHECK(ring.pins() == std::vector{a});
  floors.sync_ended(a, t);
  CHECK(ring.pins().empty());
}

TEST_CASE_FIXTURE(FloorsTest, "journal floors: a ticket of another sync changes nothing") {
  record({a});
  const Ticket t = begin(a);
  floors.sync_ended(a, Ticket{99});
  floors.sync_ended(b, t);
  CHECK(floor(a) == RecordNumber{0});
  floors.sync_ended(a, t);
  floors.sync_ended(a, t);
  CHECK(floor(a) == RecordNumber{1});
}

// A replay would write the bytes again that the cut took away.
TEST_CASE_FIXTURE(FloorsTest,
                  "journal floors: a cut waits until marks name the log's last record (J4_marks)") {
  CHECK(floors.may_cut(a));
  record({a});
  CHECK_FALSE(floors.may_cut(a));
  sync(a);  // durable in the segment, but a replay would write the bytes again
  CHECK_FALSE(floors.may_cut(a));
  sync(a, 1);
  sync(a, 1);
  CHECK(floors.may_cut(a));
  floors.cut(a);
  CHECK(floors.may_cut(a));
}

TEST_CASE_FIXTURE(
    FloorsTest,
    "journal floors: a cut waits until both slots of the marks name the record (J4_slots)") {
  record({a});
  sync(a);
  sync(a, 1);
  CHECK_FALSE(floors.may_cut(a));
  CHECK_FALSE(floors.may_unlink(a, first));
  sync(a, 1);
  CHECK(floors.may_cut(a));
  CHECK(floors.may_unlink(a, first));
}

TEST_CASE_FIXTURE(FloorsTest, "journal floors: marks in flight do not count for a cut (J4_marks)") {
  record({a});
  sync(a);
  const Ticket one = begin(a, 1), two = begin(a, 1);
  CHECK_FALSE(floors.may_cut(a));
  floors.sync_ended(a, one);
  CHECK_FALSE(floors.may_cut(a));
  floors.sync_ended(a, two);
  CHECK(floors.may_cut(a));
}

// Later records of the log lie in the newer segment and do not hold the trim up.
TEST_CASE_FIXTURE(FloorsTest,
                  "journal floors: a segment is unlinked once marks name its last record, whatever "
                  "came later (J4_marks)") {
  record({a}, first);
  sync(a, 0, first);
  record({a}, second);
  CHECK_FALSE(floors.may_unlink(a, first));
  sync(a, 1, second);  // names record 1: the second segment was not synced before
  sync(a, 1, second);
  CHECK(floors.may_unlink(a, first));
  CHECK_FALSE(floors.may_unlink(a, second));
  CHECK(floors.may_unlink(a, Offset{131072}));
}

TEST_CASE_FIXTURE(
    FloorsTest,
    "journal floors: the header of a new segment names a floor in both slots (J4_slots)") {
  record({a}, first);
  sync(a, 0, first);
  sync(a, 2, second);
  CHECK(floors.may_unlink(a, first));
  CHECK(floors.may_cut(a));
}

TEST_CASE_FIXTURE(FloorsTest,
                  "journal floors: after a cut the log needs no record, and goes on (J4)") {
  record({a});
  sync(a);
  sync(a, 1);
  sync(a, 1);
  floors.cut(a);
  record({b});
  CHECK(floor(a) == RecordNumber{2});
  record({a});
  CHECK(floor(a) == RecordNumber{2});
  CHECK_FALSE(floors.may_cut(a));
}

// Its operations still end, after the log is gone.
TEST_CASE_FIXTURE(FloorsTest, "journal floors: a dropped log is forgotten, with its syncs (T5)") {
  record({a});
  const Ticket t = begin(a);
  ring.opened();
  floors.drop(a);
  CHECK(ring.pins().empty());
  CHECK(floors.to_checkpoint(a) == std::nullopt);
  floors.sync_ended(a, t);
  CHECK(floors.may_cut(a));
}

// The page cache has newer bytes of the last block than the buffers of direct groups.
TEST_CASE_FIXTURE(
    FloorsTest,
    "journal floors: the first direct group after journalled groups reads the last block") {
  CHECK_FALSE(floors.must_read_last_block(a));
  floors.direct_group(a);
  CHECK_FALSE(floors.must_read_last_block(a));
  record({a});
  CHECK(floors.must_read_last_block(a));
  floors.direct_group(a);
  CHECK_FALSE(floors.must_read_last_block(a));
}

TEST_CASE_FIXTURE(FloorsTest,
                  "journal floors: a direct group's sync is the log's checkpoint (J3)") {
  record({a});
  record({a});
  const Ticket direct = begin(a, 1);
  floors.direct_group(a);
  floors.sync_ended(a, direct);
  CHECK(floor(a) == RecordNumber{2});
  CHECK(floors.to_checkpoint(a) == std::nullopt);
}

TEST_CASE(
    "journal floors: a replayed record is durable, and unlinks wait until marks name it "
    "(J4_marks)") {
  JournalRing ring{{3, journal_header_block + journal_record_max}};
  JournalFloors floors{ring};
  ring.recovered({RecordNumber{41}, 1, {1, 1, 1}});
  floors.replayed(a, first, RecordNumber{30});
  floors.replayed(a, first, RecordNumber{35});
  floors.recovered(RecordNumber{41});
  CHECK(floors.floor_for_marks(a) == RecordNumber{41});
  CHECK(floors.to_checkpoint(a) == std::nullopt);
  CHECK_FALSE(floors.may_unlink(a, first));
  CHECK_FALSE(floors.may_cut(a));
  floors.sync_begun(a, first, Ticket{1}, {floors.floor_for_marks(a), 2});
  floors.sync_ended(a, Ticket{1});
  CHECK(floors.may_unlink(a, first));
  CHECK(floors.may_cut(a));
}

}  // namespace

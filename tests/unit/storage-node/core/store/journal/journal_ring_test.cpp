// The places of records, and when a file of the ring may be written again (J2).
#include "storage-node/core/store/journal/journal_ring.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::storage;

namespace {

constexpr std::uint64_t mib = 1u << 20;
constexpr LogId a{1}, b{2}, c{3};

/// A ring of three files of two of the largest records each.
struct RingTest {
  RingTest() { ring.recovered({{}, 0, {1, 1, 1}}); }
  JournalRing ring{{3, journal_header_block + 2 * mib}};
  /// Fills a file that was opened with two records of these logs.
  void fill(std::vector<LogId> logs) {
    ring.opened();
    ring.take(mib, logs);
    ring.take(mib, logs);
    REQUIRE(ring.room() == 0);
  }
};

TEST_CASE_FIXTURE(RingTest,
                  "journal ring: nothing has a place before the first slot is durable (J2_slot)") {
  CHECK_FALSE(ring.is_open());
  CHECK(ring.room() == 0);
  CHECK(ring.occupied() == 0);
  REQUIRE(ring.next_is_free());
  const JournalFileHeader slot = ring.slot();
  CHECK(slot.index == 0);
  CHECK(slot.files == 3);
  CHECK(slot.counter == 2);
  CHECK(slot.from == RecordNumber{1});
  ring.opened();
  CHECK(ring.is_open());
  CHECK(ring.room() == mib);
  CHECK(ring.occupied() == 1);
}

TEST_CASE_FIXTURE(RingTest,
                  "journal ring: records lie one behind the other, and numbers rise by 1") {
  ring.opened();
  CHECK(ring.take(4096, {a}) == JournalRing::Place{0, 4096});
  CHECK(ring.take(8192, {b}) == JournalRing::Place{0, 8192});
  CHECK(ring.newest() == RecordNumber{2});
  CHECK(ring.room() == mib);  // no record is larger
  CHECK(ring.take(mib, {a}) == JournalRing::Place{0, 16384});
  CHECK(ring.room() == mib - 12288);
}

TEST_CASE_FIXTURE(
    RingTest, "journal ring: the next file's slot names the number of its first record (J2_slot)") {
  fill({a});
  const JournalFileHeader slot = ring.slot();
  CHECK(slot.index == 1);
  CHECK(slot.from == RecordNumber{3});
  ring.opened();
  CHECK(ring.take(4096, {a}) == JournalRing::Place{1, 4096});
}

// The ring has a fixed size, so appends wait rather than lose a record that a log needs.
TEST_CASE_FIXTURE(RingTest,
                  "journal ring: a full ring gives no place until a floor rises (J2_free)") {
  fill({a});
  fill({a, b});
  fill({a});
  CHECK(ring.occupied() == 3);
  CHECK_FALSE(ring.next_is_free());
  ring.raise(a, RecordNumber{1});  // record 2 in the first file is needed still
  CHECK_FALSE(ring.next_is_free());
  ring.raise(a, RecordNumber{2});
  REQUIRE(ring.next_is_free());
  CHECK(ring.occupied() == 2);
  CHECK(ring.slot().index == 0);
  CHECK(ring.slot().counter == 3);
  CHECK(ring.slot().from == RecordNumber{7});
}

// A floor is a number of the whole journal; a log compares it with its own last record in the
// file.
TEST_CASE_FIXTURE(
    RingTest,
    "journal ring: each log of a file must have reached its own last record there (J2_free)") {
  ring.opened();
  ring.take(mib, {a});
  ring.take(mib, {b});
  fill({c});
  fill({c});
  ring.raise(b, RecordNumber{2});
  CHECK(ring.pins() == std::vector{a});
  CHECK_FALSE(ring.next_is_free());
  ring.raise(a, RecordNumber{1});  // its last record here, although the file holds record 2
  CHECK(ring.next_is_free());
}

// A file that is free behind an occupied file is not the next to be written.
TEST_CASE_FIXTURE(
    RingTest,
    "journal ring: files are released in the order in which they were written (J2_free)") {
  fill({a});
  fill({b});
  fill({c});
  ring.raise(b, RecordNumber{6});
  CHECK_FALSE(ring.next_is_free());
  CHECK(ring.occupied() == 3);
  ring.raise(a, RecordNumber{6});
  CHECK(ring.next_is_free());
  CHECK(ring.occupied() == 1);  // the second file was waiting behind the first
}

// BookKeeper lost data when a mark of this kind moved backwards.
TEST_CASE_FIXTURE(RingTest, "journal ring: a lower floor than before takes nothing back (J2)") {
  fill({a});
  fill({a});
  ring.raise(a, RecordNumber{2});
  CHECK(ring.occupied() == 1);
  ring.raise(a, RecordNumber{1});
  CHECK(ring.occupied() == 1);
}

TEST_CASE_FIXTURE(RingTest, "journal ring: a dropped log holds no file (J2_free, T5)") {
  fill({a, b});
  fill({b});
  fill({b});
  ring.raise(b, RecordNumber{6});
  CHECK_FALSE(ring.next_is_free());
  ring.drop(a);
  CHECK(ring.next_is_free());
}

// Marks without bytes need no checkpoint, and the checkpoint of the bytes writes marks anyway.
TEST_CASE_FIXTURE(RingTest, "journal ring: a record of marks alone holds no file") {
  fill({});
  fill({});
  CHECK(ring.occupied() == 1);
  CHECK(ring.next_is_free());
}

// A log that takes no appends any more would otherwise hold its file for ever.
TEST_CASE_FIXTURE(
    RingTest, "journal ring: an idle log is named for a checkpoint before the ring is full (J2)") {
  fill({a});
  CHECK_FALSE(ring.wants_checkpoints());
  CHECK(ring.pins().empty());
  ring.opened();
  ring.take(4096, {b});
  CHECK(ring.wants_checkpoints());  // two of three files
  CHECK(ring.pins() == std::vector{a});
  ring.raise(a, RecordNumber{2});
  CHECK_FALSE(ring.wants_checkpoints());
  CHECK(ring.pins().empty());
}

TEST_CASE_FIXTURE(RingTest, "journal ring: the ring goes round and round") {
  for (int lap = 0; lap < 5; ++lap) {
    fill({a});
    ring.raise(a, ring.newest());
  }
  CHECK(ring.newest() == RecordNumber{10});
  CHECK(ring.slot().index == 2);
  CHECK(ring.slot().counter == 3);
}

TEST_CASE(
    "journal ring: after a start the journal goes on in the file and under the number that were "
    "found") {
  JournalRing ring{{3, journal_header_block + 2 * mib}};
  ring.recovered({RecordNumber{41}, 2, {7, 8, 9}});
  const JournalFileHeader slot = ring.slot();
  CHECK(slot.index == 2);
  CHECK(slot.counter == 10);
  CHECK(slot.from == RecordNumber{42});
  ring.opened();
  ring.take(4096, {a});
  CHECK(ring.newest() == RecordNumber{42});
  CHECK(ring.slot().index == 0);
}

}  // namespace

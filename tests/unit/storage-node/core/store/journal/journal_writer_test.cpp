// The records that a node writes: what they hold (J1, J6), and how groups wait (J2, J9).
#include "storage-node/core/store/journal/journal_writer.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/storage-node/core/store/journal/journal_bench.h"

using namespace loglog;
using namespace loglog::storage;

namespace {

/// The record of a write.
JournalRecord record_of(const JournalWrite& w) {
  std::vector<std::byte> bytes;
  for (const Bytes& b : w.buffers) bytes.insert(bytes.end(), b.data(), b.data() + b.size());
  return look_at_journal_record(bytes);
}
std::vector<LogId> logs_of(const JournalWrite& w) {
  std::vector<LogId> logs;
  for (const JournalEntry& e : record_of(w).entries) logs.push_back(e.log);
  return logs;
}
std::vector<LogId> logs(std::vector<std::uint64_t> ids) {
  std::vector<LogId> out;
  for (const auto id : ids) out.push_back(LogId{id});
  return out;
}

TEST_CASE("journal writer: the first write of a start is the slot of the first file (J2_slot)") {
  const Identity identity{bench_cluster, bench_disk, 1, 2, "demo"};
  JournalRing ring{bench_sizes};
  JournalFloors floors{ring};
  JournalWriter writer{identity, ring, floors, {}};
  ring.recovered({RecordNumber{8}, 2, {1, 4, 3}});
  const auto w = writer.next();
  REQUIRE(w.has_value());
  CHECK(w->file == 2);
  CHECK(w->position == 0);  // counter 4
  CHECK(w->sync);
  REQUIRE(w->buffers.size() == 1);
  Bytes block = encode_journal_header({1, bench_cluster, bench_disk, 2, 3, RecordNumber{}});
  std::memcpy(block.mutable_data(), w->buffers[0].data(), w->buffers[0].size());
  const auto slot = decode_journal_header(block);
  REQUIRE(slot.has_value());
  CHECK(*slot == JournalFileHeader{4, bench_cluster, bench_disk, 2, 3, RecordNumber{9}});
  CHECK_FALSE(ring.is_open());
  CHECK(writer.done().empty());
  CHECK(ring.is_open());
  CHECK(writer.next() == std::nullopt);
}

// The marks vouch for the tail before the group, because the record may be torn.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal writer: a record holds the group's frames and the marks of its log (K3)") {
  JournalGroup g = group(7, 1000);
  g.offset = Offset{5000};
  g.segment = Offset{4000};
  g.committed = Offset{4500};
  writer.add(std::move(g));
  const JournalWrite w = finish();
  CHECK(w.file == 0);
  CHECK(w.position == journal_header_block);
  CHECK(size_of(w) == 4096);
  const JournalRecord r = record_of(w);
  CHECK(r.state == JournalState::good);
  CHECK(r.header == JournalHeader{bench_cluster, bench_disk, RecordNumber{1}, 0});
  REQUIRE(r.entries.size() == 1);
  const JournalEntry& e = r.entries[0];
  CHECK(e.log == LogId{7});
  CHECK(e.offset == Offset{5000});
  CHECK(e.length == 1000);
  CHECK(e.segment == Offset{4000});
  CHECK(e.chain == Chain{7});
  CHECK(e.committed == Offset{4500});
  CHECK(e.durable == Offset{5000});  // the tail before the group
  CHECK_FALSE(e.opens_segment);
  CHECK(durable == logs({7}));
}

TEST_CASE_FIXTURE(JournalBench,
                  "journal writer: marks name an open hole, and a segment's begin is told (K3)") {
  JournalGroup g = group(7, 1000);
  g.hole_until = Offset{9999};
  g.opens_segment = true;
  writer.add(std::move(g));
  const JournalRecord r = record_of(finish());
  CHECK(r.entries[0].durable == Offset{9999});
  CHECK(r.entries[0].opens_segment);
}

TEST_CASE_FIXTURE(
    JournalBench,
    "journal writer: groups are durable only when their record's sync has ended (J1_sync)") {
  writer.add(group(7, 100));
  durable.clear();
  const auto w = writer.next();
  REQUIRE(w.has_value());
  CHECK(w->sync);
  CHECK(writer.holds(LogId{7}));
  CHECK(floors.floor_for_marks(LogId{9}) == RecordNumber{0});
  CHECK(writer.done() == logs({7}));
  CHECK_FALSE(writer.holds(LogId{7}));
  CHECK(floors.floor_for_marks(LogId{9}) == RecordNumber{1});
}

// The gathering needs no timer: the disk sets the pace.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal writer: groups that come while a write is under way share the next record (J6_one)") {
  writer.add(group(1, 100));
  auto w = writer.next();
  REQUIRE(w.has_value());
  for (std::uint64_t log = 2; log <= 5; ++log) writer.add(group(log, 100));
  CHECK(writer.next() == std::nullopt);
  CHECK(writer.waiting() == 4);
  CHECK(writer.done() == logs({1}));
  w = writer.next();
  REQUIRE(w.has_value());
  CHECK(logs_of(*w) == logs({2, 3, 4, 5}));
  CHECK(record_of(*w).header.number == RecordNumber{2});
  CHECK(writer.next() == std::nullopt);
  CHECK(writer.done() == logs({2, 3, 4, 5}));
}

TEST_CASE_FIXTURE(
    JournalBench,
    "journal writer: each record names the checksum of the record before (J5_chain)") {
  const JournalRecord first = record_of(journal(1, 100));
  const JournalRecord second = record_of(journal(1, 100));
  CHECK(first.header.previous == 0);
  CHECK(second.header.previous == first.checksum);
  CHECK(second.entries[0].offset == Offset{100});
}

TEST_CASE(
    "journal writer: after a start the first record names the newest record that was found "
    "(J5_chain)") {
  JournalBench bench;
  bench.writer.recovered(0xABCD, {});
  CHECK(record_of(bench.journal(1, 100)).header.previous == 0xABCD);
}

// A leader that asks for the log's state must not be told a tail that a record will move.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal writer: a log waits for its record, and no other log does (J9_barrier)") {
  CHECK_FALSE(writer.holds(LogId{1}));
  writer.add(group(1, 100));
  CHECK(writer.holds(LogId{1}));
  CHECK_FALSE(writer.holds(LogId{2}));
  finish();
  CHECK_FALSE(writer.holds(LogId{1}));
}

TEST_CASE_FIXTURE(JournalBench, "journal writer: marks alone make a record, and hold no file") {
  const JournalRecord r = record_of(journal(1, 0));
  REQUIRE(r.entries.size() == 1);
  CHECK(r.entries[0].length == 0);
  CHECK(durable == logs({1}));
  CHECK(floors.to_checkpoint(LogId{1}) == std::nullopt);
}

// One sync for all of them is what the journal is for.
TEST_CASE_FIXTURE(JournalBench, "journal writer: 2000 logs share a record") {
  for (std::uint64_t log = 1; log <= 2000; ++log) writer.add(group(log, 100));
  const JournalWrite w = finish();
  CHECK(record_of(w).entries.size() == 2000);
  CHECK(record_of(w).state == JournalState::good);
  CHECK(size_of(w) == journal_padded(64 + 2000 * 164));
  CHECK(durable.size() == 2000);
  CHECK(durable.front() == LogId{1});
  CHECK(durable.back() == LogId{2000});
}

TEST_CASE_FIXTURE(
    JournalBench,
    "journal writer: a record is as large as 1 MiB, and the rest waits for the next") {
  // Header, four entries and these frames are 1 MiB.
  const std::uint64_t quarter = journal_record_max / 4 - journal_entry_size;
  for (std::uint64_t log = 1; log <= 3; ++log) writer.add(group(log, quarter));
  writer.add(group(4, quarter - journal_record_header_size));
  writer.add(group(5, 0));
  JournalWrite w = finish();
  CHECK(size_of(w) == journal_record_max);
  CHECK(record_of(w).length == journal_record_max);
  CHECK(logs_of(w) == logs({1, 2, 3, 4}));
  CHECK(writer.waiting() == 1);
}

TEST_CASE_FIXTURE(JournalBench,
                  "journal writer: a byte more than 1 MiB goes into the next record") {
  const std::uint64_t quarter = journal_record_max / 4 - journal_entry_size;
  for (std::uint64_t log = 1; log <= 3; ++log) writer.add(group(log, quarter));
  writer.add(group(4, quarter - journal_record_header_size + 1));
  CHECK(logs_of(finish()) == logs({1, 2, 3}));
}

TEST_CASE_FIXTURE(JournalBench, "journal writer: a group above the limit is not journalled") {
  CHECK(writer.takes(256u << 10));
  CHECK_FALSE(writer.takes((256u << 10) + 1));
  CHECK(record_of(journal(1, 256u << 10)).state == JournalState::good);
}

TEST_CASE("journal writer: the largest group that any limit allows fills a record") {
  constexpr std::uint64_t largest =
      journal_record_max - journal_record_header_size - journal_entry_size;
  JournalBench bench{{largest, journal_record_max}};
  const JournalWrite w = bench.journal(1, largest);
  CHECK(size_of(w) == journal_record_max);
  CHECK(record_of(w).state == JournalState::good);
}

// A record lies whole in one file.
TEST_CASE_FIXTURE(JournalBench,
                  "journal writer: a record that does not fit goes into the next file, after its "
                  "slot (J2_slot)") {
  for (int i = 0; i < 4; ++i) journal(1, 250'000);
  writer.add(group(1, 250'000));
  JournalWrite w = finish();
  CHECK(durable.empty());  // the slot
  CHECK(w.file == 1);
  CHECK(w.position < journal_header_block);
  CHECK(w.sync);
  w = finish();
  CHECK(w.file == 1);
  CHECK(w.position == journal_header_block);
  CHECK(record_of(w).header.number == RecordNumber{5});
}

TEST_CASE_FIXTURE(
    JournalBench,
    "journal writer: nothing is written while a slot is under way, whatever waits (J6_one)") {
  for (int i = 0; i < 4; ++i) journal(1, 250'000);
  writer.add(group(1, 250'000));
  REQUIRE(writer.next().has_value());
  writer.add(group(2, 100));
  CHECK(writer.next() == std::nullopt);
  CHECK(writer.done().empty());
  const auto w = writer.next();
  REQUIRE(w.has_value());
  CHECK(logs_of(*w) == logs({1, 2}));
}

TEST_CASE_FIXTURE(JournalBench,
                  "journal writer: if the ring is full, groups wait, and a checkpoint lets them go "
                  "on (J2_free)") {
  for (int i = 0; i < 12; ++i) journal(1, 250'000);
  CHECK(ring.occupied() == 3);
  CHECK(ring.wants_checkpoints());
  writer.add(group(1, 250'000));
  CHECK(writer.next() == std::nullopt);
  CHECK(writer.stalled());
  CHECK(writer.holds(LogId{1}));
  CHECK(ring.pins() == logs({1}));
  REQUIRE(floors.to_checkpoint(LogId{1}) == Offset{0});
  sync(1);
  CHECK_FALSE(writer.stalled());
  CHECK(finish().file == 0);
  const JournalWrite w = finish();
  CHECK(w.file == 0);
  CHECK(w.position == journal_header_block);
  CHECK(durable == logs({1}));
}

// What fits is written, because its logs need not wait for a checkpoint.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal writer: a ring without a free file fills the rest of its last file with what fits") {
  for (int i = 0; i < 12; ++i) journal(1, 250'000);  // 32 KiB are left
  writer.add(group(2, 15'000));
  writer.add(group(3, 15'000));
  writer.add(group(4, 15'000));
  const JournalWrite w = finish();
  CHECK(w.file == 2);
  CHECK(logs_of(w) == logs({2, 3}));
  CHECK(writer.stalled());
  CHECK(writer.waiting() == 1);
}

// Otherwise small groups could keep a large group waiting for ever.
TEST_CASE_FIXTURE(JournalBench,
                  "journal writer: a group that waits behind a larger one does not overtake it") {
  for (int i = 0; i < 12; ++i) journal(1, 250'000);
  writer.add(group(2, 250'000));
  writer.add(group(3, 100));
  CHECK(writer.next() == std::nullopt);
  CHECK(writer.stalled());
}

// A record that is built later would pin a file for a log that is gone.
TEST_CASE_FIXTURE(JournalBench, "journal writer: the group of a dropped log is not written (T5)") {
  writer.add(group(1, 100));
  writer.add(group(2, 100));
  writer.drop(LogId{1});
  writer.drop(LogId{3});
  CHECK_FALSE(writer.holds(LogId{1}));
  CHECK(logs_of(finish()) == logs({2}));
}

TEST_CASE_FIXTURE(
    JournalBench,
    "journal writer: the record of a log that is dropped meanwhile ends as usual (T5)") {
  writer.add(group(1, 100));
  REQUIRE(writer.next().has_value());
  writer.drop(LogId{1});
  CHECK(writer.holds(LogId{1}));
  CHECK(writer.done() == logs({1}));
}

}  // namespace

// What a start finds in the journal: its end (J6), lost and damaged records (J5), a journal that is
// missing or another's (J7), and the frames that the segments may lack (J4).
#include "storage-node/core/store/journal/journal_scan.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/storage-node/core/store/journal/journal_bench.h"

using namespace loglog;
using namespace loglog::storage;

namespace {

constexpr LogId a{1}, b{2};
/// Where the n-th record of the first file lies, if each takes one block.
constexpr std::uint64_t at(std::uint64_t n) { return journal_header_block * n; }

RecordNumber rec(std::uint64_t n) { return RecordNumber{n}; }
std::vector<std::uint64_t> numbers(const FoundJournal& found) {
  std::vector<std::uint64_t> out;
  for (const FoundRecord& r : found.records) out.push_back(r.number.value);
  return out;
}
using Numbers = std::vector<std::uint64_t>;

/// A scan of `bench` by a node that its identity does not tell of a journal.
FoundJournal scan_unexpected(JournalBench& bench) {
  ExpectedJournal e = bench.expected();
  e.must_exist = false;
  auto found = scan_journal(bench.files, e);
  REQUIRE(found.has_value());
  return std::move(*found);
}

/// The pieces above the floors; a log without a floor is not on the node.
std::vector<JournalPiece> pieces(JournalBench& bench, const FoundJournal& found,
                                 const std::map<LogId, RecordNumber>& floors) {
  std::vector<JournalPiece> out;
  const auto ok = replay_journal(
      bench.files, found,
      [&](LogId log) {
        const auto it = floors.find(log);
        return it == floors.end() ? std::nullopt : std::optional(it->second);
      },
      [&](const JournalPiece& p) -> Result<void> {
        out.push_back(p);
        return {};
      });
  REQUIRE(ok.has_value());
  return out;
}
Numbers numbers(const std::vector<JournalPiece>& pieces) {
  Numbers out;
  for (const JournalPiece& p : pieces) out.push_back(p.record.value);
  return out;
}

// ---- The end

TEST_CASE_FIXTURE(JournalBench, "journal scan: a new journal is whole and begins with record 1") {
  files = FakeJournalFiles(bench_sizes);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::whole);
  CHECK(found.records.empty());
  CHECK(found.begin.newest == rec(0));
  CHECK(found.begin.file == 0);
  CHECK(found.begin.counters == std::vector<std::uint64_t>{1, 1, 1});
  CHECK(found.previous == 0);
  CHECK_FALSE(found.is_suspect(a, rec(0)));
}

TEST_CASE_FIXTURE(JournalBench,
                  "journal scan: all records are found, and the journal goes on in the next file") {
  for (int i = 0; i < 3; ++i) journal(1, 100);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::whole);
  CHECK(found.torn.empty());
  CHECK(numbers(found) == Numbers{1, 2, 3});
  CHECK(found.records[1].place == JournalRing::Place{0, at(2)});
  CHECK(found.begin.newest == rec(3));
  CHECK(found.begin.file == 1);
  CHECK(found.begin.counters == std::vector<std::uint64_t>{2, 1, 1});
  CHECK(found.previous == found.records[2].checksum);
}

// The record was never acknowledged, because its sync had not ended.
TEST_CASE_FIXTURE(JournalBench,
                  "journal scan: a torn last record ends the journal, and no log is suspect (J6)") {
  for (int i = 0; i < 3; ++i) journal(1, 100);
  files.rot(0, at(3) + 64 + 64 + 5);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::whole);
  CHECK(found.torn == std::vector{JournalRing::Place{0, at(3)}});
  CHECK(numbers(found) == Numbers{1, 2});
  CHECK(found.begin.newest == rec(2));
  CHECK_FALSE(found.is_suspect(a, rec(0)));
}

TEST_CASE_FIXTURE(
    JournalBench,
    "journal scan: a last record with a torn header is as if it was never begun (J6)") {
  for (int i = 0; i < 3; ++i) journal(1, 100);
  files.rot(0, at(3) + 9);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::whole);
  CHECK(numbers(found) == Numbers{1, 2});
}

// The slot that was written first says that nothing in the file counts any more.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal scan: a torn first record of a file ends the journal before the file (J2_slot)") {
  for (int i = 0; i < 4; ++i) journal(1, 250'000);
  REQUIRE(journal(1, 250'000).file == 1);
  files.rot(1, journal_header_block + 9);
  FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::whole);
  CHECK(numbers(found) == Numbers{1, 2, 3, 4});
  CHECK(found.begin.file == 1);  // it is empty, so it is written first
  CHECK(found.begin.counters == std::vector<std::uint64_t>{2, 2, 1});
}

// The bytes that the torn write has destroyed are those of a record that no log needs.
TEST_CASE_FIXTURE(JournalBench,
                  "journal scan: a torn first record of a file that is written again ends the "
                  "journal (J2_slot)") {
  for (int i = 0; i < 12; ++i) journal(1, 250'000);
  sync(1);
  REQUIRE(journal(1, 250'000).file == 0);
  files.rot(0, journal_header_block + 9);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::whole);
  CHECK(numbers(found) == Numbers{5, 6, 7, 8, 9, 10, 11, 12});
  CHECK(found.begin.newest == rec(12));
}

TEST_CASE_FIXTURE(JournalBench,
                  "journal scan: the ring's wrap is found, and older records behind the newest do "
                  "not count (J2)") {
  for (int lap = 0; lap < 3; ++lap)
    for (int i = 0; i < 12; ++i) {
      journal(1, 250'000);
      sync(1);
    }
  REQUIRE(journal(1, 40'000).file == 0);  // over record 25, before records 26 to 28
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::whole);
  CHECK(numbers(found) == Numbers{29, 30, 31, 32, 33, 34, 35, 36, 37});
  CHECK(found.begin.newest == rec(37));
  CHECK(found.begin.file == 1);
}

// Clients may append any bytes, a copy of a journal among them.
TEST_CASE_FIXTURE(JournalBench, "journal scan: a payload with the image of a record is no record") {
  const JournalWrite image = journal(1, 100);
  std::string payload(3 * journal_block, 'p');
  // The image lies at the begin of a block, in a record of head, first frames and payload.
  std::uint64_t to = journal_block - journal_record_header_size - journal_entry_size;
  Bytes bytes = Bytes::copy_of(payload);
  for (const Bytes& part : image.buffers) {
    if (part.size() > bytes.size() - to) break;
    std::memcpy(bytes.mutable_data() + to, part.data(), part.size());
    to += part.size();
  }
  JournalGroup g = group(1, bytes.size());
  g.frames = {bytes};
  writer.add(std::move(g));
  finish();
  journal(1, 100);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::whole);
  CHECK(numbers(found) == Numbers{1, 2, 3});
}

// ---- Lost and damaged records

// Appends in record 3 were acknowledged; an end before it would lose them without a word.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal scan: rot of a record below the newest is a loss, not the end (J5_loss)") {
  for (int i = 0; i < 5; ++i) journal(1, 100);
  files.rot(0, at(3) + 30);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::damaged);
  CHECK(numbers(found) == Numbers{1, 2, 4, 5});
  REQUIRE(found.lost.size() == 1);
  CHECK(found.lost[0].first == rec(3));
  CHECK(found.lost[0].last == rec(3));
  CHECK(found.begin.newest == rec(5));
}

TEST_CASE_FIXTURE(
    JournalBench,
    "journal scan: a lost record makes each log suspect whose floor is below it (J5_suspect)") {
  for (int i = 0; i < 5; ++i) journal(1, 100);
  files.rot(0, at(3) + 30);
  const FoundJournal found = scan();
  CHECK(found.is_suspect(a, rec(0)));
  CHECK(found.is_suspect(a, rec(2)));
  CHECK_FALSE(found.is_suspect(a, rec(3)));
  CHECK(found.is_suspect(b, rec(2)));  // no other record holds bytes of it
  CHECK_FALSE(found.is_suspect(b, rec(4)));
}

// The table is good, so it is known whose bytes are damaged.
TEST_CASE_FIXTURE(JournalBench,
                  "journal scan: damaged frames make their own log suspect alone (J5_suspect)") {
  journal(1, 100);
  writer.add(group(1, 100));
  writer.add(group(2, 100));
  finish();
  journal(2, 100);
  files.rot(0, at(2) + 64 + 2 * 64 + 150);  // the frames of log 2
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::damaged);
  CHECK(found.lost.empty());
  CHECK(numbers(found) == Numbers{1, 2, 3});
  CHECK_FALSE(found.is_suspect(a, rec(0)));
  CHECK(found.is_suspect(b, rec(1)));
  CHECK_FALSE(found.is_suspect(b, rec(2)));
  CHECK(numbers(pieces(*this, found, {{a, rec(0)}, {b, rec(0)}})) == Numbers{1, 2, 3});
}

// Record 3 was begun, so record 2 was durable.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal scan: the header of a torn record proves the record before it (J5_loss, J6)") {
  for (int i = 0; i < 3; ++i) journal(1, 100);
  files.rot(0, at(2) + 30);
  files.rot(0, at(3) + 64 + 64 + 5);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::damaged);
  CHECK(found.torn == std::vector{JournalRing::Place{0, at(3)}});
  CHECK(numbers(found) == Numbers{1});
  REQUIRE(found.lost.size() == 1);
  CHECK(found.lost[0].last == rec(2));
  CHECK(found.begin.newest == rec(2));
  CHECK(found.previous == 0);
}

// The slot was begun, so record 4 was durable.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal scan: the slot of the next file proves the records before it (J5_loss)") {
  for (int i = 0; i < 4; ++i) journal(1, 250'000);
  const std::uint64_t last = scan().records.back().place.position;
  writer.add(group(1, 250'000));
  REQUIRE(finish().file == 1);  // the slot alone
  files.rot(0, last + 9);
  const FoundJournal found = scan();
  CHECK(numbers(found) == Numbers{1, 2, 3});
  REQUIRE(found.lost.size() == 1);
  CHECK(found.lost[0].first == rec(4));
  CHECK(found.lost[0].last == rec(4));
  CHECK(found.begin.newest == rec(4));
}

// This is how an older copy of the journal shows, such as a restored snapshot of its device.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal scan: a floor above the newest record shows that the end is gone (J5_loss)") {
  for (int i = 0; i < 3; ++i) journal(1, 100);
  files.rot(0, at(3) + 9);
  highest_floor = rec(3);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::damaged);
  CHECK(numbers(found) == Numbers{1, 2});
  // Nobody knows how many records were behind record 3.
  CHECK(found.is_suspect(a, rec(3)));
  CHECK(found.is_suspect(a, rec(1000)));
  CHECK(found.begin.newest == rec(3));  // the number that a floor names is not used again
}

TEST_CASE_FIXTURE(JournalBench, "journal scan: a floor at the newest record is no sign of a loss") {
  for (int i = 0; i < 3; ++i) journal(1, 100);
  highest_floor = rec(3);
  CHECK(scan().verdict == JournalVerdict::whole);
}

TEST_CASE_FIXTURE(JournalBench,
                  "journal scan: a write that the disk lost is a lost record (J5_loss)") {
  const JournalWrite first = journal(1, 100);
  writer.add(group(1, 100));
  REQUIRE(writer.next().has_value());  // never reaches the disk
  writer.done();
  journal(1, 100);
  const FoundJournal found = scan();
  CHECK(numbers(found) == Numbers{1, 3});
  CHECK(found.is_suspect(a, rec(1)));
}

// Both records 2 are good by themselves; only the chain of checksums tells them apart.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal scan: a record other than the one that its successor names is lost (J5_chain)") {
  JournalBench other;
  other.journal(1, 50, 'o');
  const JournalWrite replaced = other.journal(1, 50, 'o');
  for (int i = 0; i < 3; ++i) journal(1, 100);
  files.write(replaced);  // a good record 2 of another past
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::damaged);
  CHECK(numbers(found) == Numbers{1, 3});
  REQUIRE(found.lost.size() == 1);
  CHECK(found.lost[0].first == rec(2));
}

// A write that the disk has put in a wrong place loses only the record that it has overwritten.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal scan: a record that lies elsewhere in its file counts, because its bytes are right") {
  journal(1, 100);
  JournalWrite w = journal(1, 100);
  journal(1, 100);
  for (std::uint64_t i = 0; i < journal_block; ++i) files.files[0][at(2) + i] = std::byte{0x5A};
  w.position = 512 * 1024;
  files.write(w);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::whole);
  CHECK(numbers(found) == Numbers{1, 2, 3});
}

TEST_CASE_FIXTURE(
    JournalBench,
    "journal scan: a misdirected record that covers another shows the other as lost (J5_loss)") {
  journal(1, 100);
  journal(1, 100);
  JournalWrite w = journal(1, 100);
  for (std::uint64_t i = 0; i < journal_block; ++i) files.files[0][at(3) + i] = std::byte{0x5A};
  w.position = at(1);
  files.write(w);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::damaged);
  CHECK(numbers(found) == Numbers{2, 3});
  REQUIRE(found.lost.size() == 1);
  CHECK(found.lost[0].last == rec(1));
}

// The record may have been acknowledged, so the place where it belongs is no clean end.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal scan: the newest record in a wrong file is a loss and not a torn end (J5_loss)") {
  journal(1, 100);
  journal(1, 100);
  JournalWrite w = journal(1, 100);
  for (std::uint64_t i = 0; i < journal_block; ++i) files.files[0][at(3) + i] = std::byte{0x5A};
  w.file = 2;
  files.write(w);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::damaged);
  CHECK(numbers(found) == Numbers{1, 2});
  CHECK(found.is_suspect(a, rec(2)));
  CHECK(found.begin.newest == rec(3));
}

TEST_CASE_FIXTURE(JournalBench,
                  "journal scan: rot of the oldest record is a loss, unlike a torn first record "
                  "(J2_slot, J5_loss)") {
  for (int i = 0; i < 12; ++i) journal(1, 250'000);
  files.rot(0, journal_header_block + 9);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::damaged);
  REQUIRE(found.lost.size() == 1);
  CHECK(found.lost[0].first == rec(1));
  CHECK(found.lost[0].last == rec(1));
}

// The header alone tells which numbers the file must hold.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal scan: a file that lost its header makes all logs suspect, and is written first (J5)") {
  for (int i = 0; i < 6; ++i) journal(1, 250'000);
  files.rot(0, 0);
  files.rot(0, 512);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::damaged);
  CHECK(numbers(found) == Numbers{5, 6});
  CHECK(found.is_suspect(a, rec(1000)));
  CHECK(found.begin.file == 0);
  CHECK(found.begin.newest == rec(6));
  CHECK(found.lost_before(a, rec(3), rec(5)));
  CHECK_FALSE(found.lost_before(a, rec(4), rec(5)));
}

TEST_CASE_FIXTURE(JournalBench,
                  "journal scan: rot of a file's newer slot is a loss, and no record of it is "
                  "forgotten (J5_loss)") {
  for (int i = 0; i < 6; ++i) journal(1, 250'000);
  files.rot(1, 0);  // counter 2; the other slot says that the file was never written
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::damaged);
  CHECK(found.is_suspect(a, rec(4)));
  CHECK(found.begin.newest == rec(6));
}

TEST_CASE_FIXTURE(JournalBench,
                  "journal scan: a file that does not exist is a loss, if the others do (J5)") {
  for (int i = 0; i < 6; ++i) journal(1, 250'000);
  files.files[0].clear();
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::damaged);
  CHECK(found.is_suspect(a, rec(1000)));
}

TEST_CASE_FIXTURE(JournalBench,
                  "journal scan: files under each other's names hold nothing that counts (J5)") {
  for (int i = 0; i < 6; ++i) journal(1, 250'000);
  std::swap(files.files[0], files.files[1]);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::damaged);
  CHECK(found.records.empty());
  CHECK(found.is_suspect(a, rec(1000)));
  CHECK(found.begin.newest == rec(6));
}

TEST_CASE_FIXTURE(JournalBench, "journal scan: a record that cannot be read is lost (J5_loss)") {
  for (int i = 0; i < 5; ++i) journal(1, 100);
  files.unreadable.insert({0, at(2)});
  const FoundJournal found = scan();
  CHECK(numbers(found) == Numbers{1, 3, 4, 5});
  CHECK(found.is_suspect(a, rec(1)));
}

// A torn write can be read; a block that cannot be read may have held anything.
TEST_CASE_FIXTURE(JournalBench,
                  "journal scan: an end that cannot be read may have been a record (K3, J5_loss)") {
  for (int i = 0; i < 3; ++i) journal(1, 100);
  files.unreadable.insert({0, at(3)});
  FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::damaged);
  CHECK(numbers(found) == Numbers{1, 2});
  CHECK(found.begin.newest == rec(3));
  CHECK(found.is_suspect(a, rec(2)));
  // A block behind it cannot have been the next record.
  files.unreadable = {{0, at(4) + journal_block}};
  found = scan();
  CHECK(found.verdict == JournalVerdict::whole);
}

TEST_CASE_FIXTURE(
    JournalBench,
    "journal scan: the first block of a new file that cannot be read may have been a record") {
  for (int i = 0; i < 4; ++i) journal(1, 250'000);
  REQUIRE(journal(1, 250'000).file == 1);
  files.unreadable.insert({1, journal_header_block});
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::damaged);
  CHECK(found.begin.newest == rec(5));
}

// ---- A journal that is not there, or another's

// A new node has none. A node whose journal is gone must not pass for a new one.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal scan: without files there is no journal, or it is missing (J7_missing)") {
  files.files.clear();
  CHECK(scan().verdict == JournalVerdict::missing);
  CHECK(scan_unexpected(*this).verdict == JournalVerdict::none);
  highest_floor = rec(1);  // marks of a log say that there was a journal
  CHECK(scan_unexpected(*this).verdict == JournalVerdict::missing);
}

TEST_CASE_FIXTURE(JournalBench,
                  "journal scan: files without any header are no journal (J7_missing)") {
  journal(1, 100);
  for (std::uint32_t f = 0; f < 3; ++f)
    for (const std::uint64_t slot : {0, 512}) files.rot(f, slot);
  CHECK(scan().verdict == JournalVerdict::missing);
  CHECK(scan_unexpected(*this).verdict == JournalVerdict::none);
}

TEST_CASE_FIXTURE(
    JournalBench,
    "journal scan: a file of another cluster or disk makes the journal foreign (J7_foreign)") {
  journal(1, 100);
  ExpectedJournal e = expected();
  e.cluster = ClusterId{0xC2};
  CHECK(scan_journal(files, e)->verdict == JournalVerdict::foreign);
  e = expected();
  e.disk = DiskId{0xD2};
  CHECK(scan_journal(files, e)->verdict == JournalVerdict::foreign);
  files.write(2, 0, encode_journal_header({1, bench_cluster, DiskId{0xD2}, 2, 3, {}}));
  CHECK(scan().verdict == JournalVerdict::foreign);
}

TEST_CASE_FIXTURE(JournalBench,
                  "journal scan: records of another disk in a file do not count (J7)") {
  journal(1, 100);
  const Identity stranger{bench_cluster, DiskId{0xD2}, 1, 2, "demo"};
  JournalRing their_ring{bench_sizes};
  JournalFloors their_floors{their_ring};
  JournalWriter theirs{stranger, their_ring, their_floors, {}};
  their_ring.recovered({rec(1), 0, {1, 1, 1}});
  REQUIRE(theirs.next().has_value());
  theirs.done();
  theirs.add(group(1, 100));
  JournalWrite w = *theirs.next();
  w.position = at(2);
  files.write(w);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::whole);
  CHECK(numbers(found) == Numbers{1});
}

TEST_CASE_FIXTURE(JournalBench, "journal scan: a journal of a newer format ends the start (T7)") {
  journal(1, 100);
  files.files[1][4] = std::byte{2};
  const auto found = scan_journal(files, expected());
  REQUIRE_FALSE(found.has_value());
  CHECK(found.error().code == Errc::newer_format);
}

TEST_CASE_FIXTURE(JournalBench,
                  "journal scan: an error of listing or reading ends the start (K7)") {
  journal(1, 100);
  files.error = Error{Errc::directory_unreadable, "journal"};
  const auto found = scan_journal(files, expected());
  REQUIRE_FALSE(found.has_value());
  CHECK(found.error().code == Errc::directory_unreadable);
}

// ---- Replay

TEST_CASE_FIXTURE(JournalBench, "journal replay: a piece says where its frames belong") {
  JournalGroup g = group(1, 100, 'f');
  g.offset = g.segment = Offset{4096};
  g.opens_segment = true;
  g.committed = Offset{77};
  writer.add(std::move(g));
  finish();
  const auto got = pieces(*this, scan(), {{a, rec(0)}});
  REQUIRE(got.size() == 1);
  CHECK(got[0].record == rec(1));
  CHECK(got[0].entry.log == a);
  CHECK(got[0].entry.offset == Offset{4096});
  CHECK(got[0].entry.segment == Offset{4096});
  CHECK(got[0].entry.opens_segment);
  CHECK(got[0].entry.committed == Offset{77});
  CHECK(got[0].frames.text() == std::string(100, 'f'));
  CHECK_FALSE(got[0].after_loss);
}

// Their bytes are in the segments, or were cut since.
TEST_CASE_FIXTURE(JournalBench,
                  "journal replay: records up to a log's floor are skipped (J4_skip)") {
  for (int i = 0; i < 4; ++i) {
    writer.add(group(1, 100));
    writer.add(group(2, 100));
    finish();
  }
  const auto got = pieces(*this, scan(), {{a, rec(2)}, {b, rec(3)}});
  CHECK(numbers(got) == Numbers{3, 4, 4});
  CHECK(got[0].entry.log == a);
  CHECK(got[2].entry.log == b);
}

TEST_CASE_FIXTURE(JournalBench,
                  "journal replay: a log that the node does not hold is left out (J4)") {
  journal(1, 100);
  journal(2, 100);
  const auto got = pieces(*this, scan(), {{b, rec(0)}});
  REQUIRE(got.size() == 1);
  CHECK(got[0].entry.log == b);
}

TEST_CASE_FIXTURE(JournalBench, "journal replay: marks without frames are handed out") {
  journal(1, 100);
  journal(1, 0);
  const auto got = pieces(*this, scan(), {{a, rec(0)}});
  REQUIRE(got.size() == 2);
  CHECK(got[1].frames.empty());
  CHECK(got[1].entry.durable == Offset{100});
}

// If record 2 held bytes of log 1, the bytes of record 3 would leave a gap before them.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal replay: pieces behind a loss are marked, for logs that may miss bytes (J5_suspect)") {
  for (int i = 0; i < 4; ++i) {
    writer.add(group(1, 100));
    writer.add(group(2, 100));
    finish();
  }
  files.rot(0, at(2) + 9);
  const auto got = pieces(*this, scan(), {{a, rec(0)}, {b, rec(2)}});
  CHECK(numbers(got) == Numbers{1, 3, 3, 4, 4});
  CHECK_FALSE(got[0].after_loss);
  CHECK(got[1].after_loss);        // log 1 may miss bytes of record 2
  CHECK_FALSE(got[2].after_loss);  // log 2 has all bytes of record 2 in its segment
}

TEST_CASE_FIXTURE(
    JournalBench,
    "journal replay: pieces behind damaged frames are marked for their log alone (J5_suspect)") {
  for (int i = 0; i < 2; ++i) {
    writer.add(group(1, 100));
    writer.add(group(2, 100));
    finish();
  }
  files.rot(0, at(1) + 64 + 2 * 64 + 50);  // the frames of log 1
  const auto got = pieces(*this, scan(), {{a, rec(0)}, {b, rec(0)}});
  REQUIRE(got.size() == 3);
  CHECK(got[0].entry.log == b);
  CHECK_FALSE(got[0].after_loss);
  CHECK(got[1].entry.log == a);
  CHECK(got[1].after_loss);
  CHECK_FALSE(got[2].after_loss);
}

// A replay changes nothing in the journal.
TEST_CASE_FIXTURE(
    JournalBench,
    "journal replay: a crash in a replay is harmless, for the next one gives the same (J5)") {
  for (int i = 0; i < 6; ++i) journal(1, 250'000);
  const std::map<LogId, RecordNumber> floors_found{{a, rec(1)}};
  const auto whole = pieces(*this, scan(), floors_found);
  int left = 2;
  const auto cut_short = replay_journal(
      files, scan(), [&](LogId) { return std::optional(rec(1)); },
      [&](const JournalPiece&) -> Result<void> {
        return left-- > 0 ? Result<void>{} : fail(Errc::system_error, "crash");
      });
  REQUIRE_FALSE(cut_short.has_value());
  CHECK(cut_short.error().code == Errc::system_error);
  const auto again = pieces(*this, scan(), floors_found);
  REQUIRE(numbers(again) == Numbers{2, 3, 4, 5, 6});
  CHECK(numbers(again) == numbers(whole));
}

TEST_CASE_FIXTURE(JournalBench,
                  "journal replay: a record that changed since the scan ends the start") {
  journal(1, 100);
  const FoundJournal found = scan();
  files.rot(0, at(1) + 64 + 64 + 5);
  const auto ok = replay_journal(
      files, found, [](LogId) { return std::optional(rec(0)); },
      [](const JournalPiece&) -> Result<void> { return {}; });
  REQUIRE_FALSE(ok.has_value());
  CHECK(ok.error().code == Errc::corrupt);
}

TEST_CASE_FIXTURE(JournalBench, "journal replay: a record of 1500 logs gives 1500 pieces") {
  std::map<LogId, RecordNumber> floors_found;
  for (std::uint64_t log = 1; log <= 1500; ++log) {
    writer.add(group(log, 100 + log % 50));
    floors_found[LogId{log}] = rec(0);
  }
  finish();
  const auto got = pieces(*this, scan(), floors_found);
  REQUIRE(got.size() == 1500);
  CHECK(got[1499].entry.log == LogId{1500});
  CHECK(got[1499].frames.text() == std::string(100, 'x'));
}

// ---- The next start

/// A node that starts on the files of `before`.
struct NextStart {
  explicit NextStart(JournalBench& before) : files(before.files), found(before.scan()) {
    ring.recovered(found.begin);
    floors.recovered(found.begin.newest);
    writer.recovered(found.previous, found.torn);
  }
  Identity identity{bench_cluster, bench_disk, 1, 2, "demo"};
  FakeJournalFiles& files;
  FoundJournal found;
  JournalRing ring{bench_sizes};
  JournalFloors floors{ring};
  JournalWriter writer{identity, ring, floors, {}};
  /// Performs the next write.
  JournalWrite finish() {
    auto w = writer.next();
    REQUIRE(w.has_value());
    files.write(*w);
    writer.done();
    return *w;
  }
};

TEST_CASE_FIXTURE(JournalBench,
                  "journal start: the journal goes on with the next number, tied to the newest "
                  "record (J5_chain)") {
  for (int i = 0; i < 3; ++i) journal(1, 100);
  NextStart next(*this);
  next.finish();
  next.writer.add(group(1, 100));
  CHECK(next.finish().file == 1);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::whole);
  CHECK(numbers(found) == Numbers{1, 2, 3, 4});
}

TEST_CASE_FIXTURE(
    JournalBench,
    "journal start: a torn record's number is used again, and its remains do no harm (J6)") {
  for (int i = 0; i < 3; ++i) journal(1, 100);
  files.rot(0, at(3) + 64 + 64 + 5);
  NextStart next(*this);
  next.finish();  // the wipe
  next.finish();  // the slot
  next.writer.add(group(1, 100));
  next.finish();
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::whole);
  CHECK(numbers(found) == Numbers{1, 2, 3});
  CHECK(found.records[2].place.file == 1);
  CHECK(found.torn.empty());
}

// The same run may be ordered again at the same offset, so the same frames come again.
TEST_CASE_FIXTURE(JournalBench,
                  "journal start: a torn record does not become whole by the bytes of the next "
                  "record (J6_wipe)") {
  for (int i = 0; i < 4; ++i) journal(1, 250'000);
  const JournalWrite torn = journal(2, 40'000, 'y');  // the first record of the second file
  REQUIRE(torn.file == 1);
  // All but the last sector reached the disk.
  const std::uint64_t missing = torn.position + 78 * 512;
  for (std::uint64_t i = 0; i < 512; ++i) files.files[1][missing + i] = std::byte{0x5A};
  NextStart next(*this);
  CHECK(next.found.torn == std::vector{JournalRing::Place{1, torn.position}});
  CHECK(next.found.begin.newest == rec(4));
  const JournalWrite wiped = next.finish();
  CHECK(wiped.file == 1);
  CHECK(wiped.position == torn.position);
  CHECK(wiped.sync);
  CHECK(next.finish().position == 512);  // the slot, under its third counter
  // The same frames come again in a record of the same number, and of this write only the sector
  // that was missing before reaches the disk.
  ends[b] = Offset{0};
  next.writer.add(group(2, 40'000, 'y'));
  const auto again = next.writer.next();
  REQUIRE(again.has_value());
  REQUIRE(again->position == torn.position);
  std::string bytes;
  for (const Bytes& part : again->buffers) bytes += part.text();
  files.write(1, missing, std::as_bytes(std::span(bytes)).subspan(78 * 512, 512));
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::whole);
  CHECK(numbers(found) == Numbers{1, 2, 3, 4});
}

// A node that crashes at each start must not run through its ring.
TEST_CASE_FIXTURE(JournalBench, "journal start: starts that write no record use no file up") {
  for (int i = 0; i < 3; ++i) journal(1, 100);
  for (int i = 0; i < 5; ++i) {
    NextStart next(*this);
    CHECK(next.finish().file == 1);
    CHECK(next.found.verdict == JournalVerdict::whole);
    CHECK(next.found.begin.newest == rec(3));
  }
}

TEST_CASE_FIXTURE(
    JournalBench,
    "journal start: a file without a header gets its header back, and the next start is whole") {
  for (int i = 0; i < 6; ++i) journal(1, 250'000);
  NextStart torn_file(*this);  // the slot of file 2, and no record there
  CHECK(torn_file.finish().file == 2);
  files.rot(0, 0);
  files.rot(0, 512);
  NextStart next(*this);
  CHECK(next.found.verdict == JournalVerdict::damaged);
  CHECK(next.finish().file == 0);
  next.writer.add(group(1, 100));
  CHECK(next.finish().file == 0);
  highest_floor = rec(6);
  const FoundJournal found = scan();
  CHECK(found.verdict == JournalVerdict::whole);
  CHECK(numbers(found) == Numbers{5, 6, 7});
  CHECK(found.begin.file == 1);
}

}  // namespace

// The bytes of a journal: every field comes back, every damaged byte is seen, and any bytes give a
// verdict.
#include "proto-spec/disk/journal.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "proto-spec/vocabulary/random.h"

using namespace loglog;

namespace {

constexpr JournalFileHeader file_header{6, ClusterId{0xC1}, DiskId{0xD1}, 2, 4, RecordNumber{70}};

struct Sample {
  JournalHeader header{ClusterId{0xC1}, DiskId{0xD1}, RecordNumber{7}, 0xBEEF};
  std::vector<JournalEntry> entries;
  std::vector<std::byte> bytes;

  void add(JournalEntry e, const std::string& frames) {
    e.length = static_cast<std::uint32_t>(frames.size());
    const Bytes b = Bytes::copy_of(frames);
    e.frames_checksum = journal_checksum(std::span(&b, 1));
    entries.push_back(e);
    all += frames;
  }
  void encode() {
    const Bytes head = encode_journal_head(header, entries);
    bytes.assign(head.data(), head.data() + head.size());
    const auto frames = std::as_bytes(std::span(all));
    bytes.insert(bytes.end(), frames.begin(), frames.end());
  }
  std::string all;
};

/// Two logs with frames, and one log with marks alone.
Sample sample() {
  Sample s;
  s.add(
      {LogId{3}, Offset{9216}, 0, false, Offset{8192}, Chain{0xCA}, Offset{9000}, Offset{9216}, 0},
      "frames of log 3");
  s.add({LogId{4}, Offset{500}, 0, false, Offset{0}, Chain{0xFE}, Offset{500}, Offset{777}, 0}, "");
  s.add({LogId{5}, Offset{64}, 0, true, Offset{64}, Chain{1}, Offset{0}, Offset{64}, 0},
        "frames of log 5");
  s.encode();
  return s;
}

}  // namespace

TEST_CASE("journal bytes: a record comes back with every field") {
  const Sample s = sample();
  const JournalRecord r = look_at_journal_record(s.bytes);
  CHECK(r.state == JournalState::good);
  CHECK(r.header == s.header);
  CHECK(r.entries == s.entries);
  CHECK(r.length == s.bytes.size());
  CHECK(r.head_size() == 64 + 3 * 64);
  CHECK(r.checksum == journal_record_checksum(s.bytes));
  CHECK(r.frames_good == std::vector<bool>{true, true, true});
}

TEST_CASE("journal bytes: bytes behind a record do not matter") {
  Sample s = sample();
  const auto length = s.bytes.size();
  s.bytes.resize(length + 5000, std::byte{0xEE});
  const JournalRecord r = look_at_journal_record(s.bytes);
  CHECK(r.state == JournalState::good);
  CHECK(r.length == length);
}

TEST_CASE("journal bytes: a turned byte of header or table makes the record bad, or no record") {
  const Sample s = sample();
  for (std::size_t i = 0; i < 64 + 3 * 64; ++i) {
    if (i >= 56 && i < 64) continue;  // zeros that nobody reads
    Sample turned = s;
    turned.bytes[i] ^= std::byte{0x10};
    const JournalState state = look_at_journal_record(turned.bytes).state;
    INFO("byte " << i);
    CHECK(state != JournalState::good);
    CHECK(state != JournalState::torn);
  }
}

TEST_CASE("journal bytes: a turned byte of frames damages the entry that it belongs to (J5)") {
  Sample s = sample();
  s.bytes[64 + 3 * 64 + 2] ^= std::byte{1};
  JournalRecord r = look_at_journal_record(s.bytes);
  CHECK(r.state == JournalState::torn);
  CHECK(r.header == s.header);
  CHECK(r.frames_good == std::vector<bool>{false, true, true});
  s = sample();
  s.bytes.back() ^= std::byte{1};
  r = look_at_journal_record(s.bytes);
  CHECK(r.state == JournalState::torn);
  CHECK(r.frames_good == std::vector<bool>{true, true, false});
}

TEST_CASE("journal bytes: a part of a record says how many bytes are needed to judge it") {
  const Sample s = sample();
  const auto first = [&](std::size_t n) {
    return look_at_journal_record(ByteSpan(s.bytes).first(n));
  };
  for (std::size_t n = 0; n < s.bytes.size(); ++n) {
    const JournalRecord r = first(n);
    INFO("the first " << n << " bytes");
    CHECK(r.state == JournalState::incomplete);
    CHECK(r.length == (n < 64 ? 64 : n < 64 + 3 * 64 ? 64 + 3 * 64 : s.bytes.size()));
  }
}

TEST_CASE("journal bytes: a record of another version is told apart from damage (T7)") {
  Sample s = sample();
  s.bytes[4] = std::byte{2};
  CHECK(look_at_journal_record(s.bytes).state == JournalState::newer);
  s.bytes[0] = std::byte{0};
  CHECK(look_at_journal_record(s.bytes).state == JournalState::nothing);
}

TEST_CASE(
    "journal bytes: a record whose checksums are right but that says nothing possible is bad") {
  const auto state_of = [](JournalEntry e, const std::string& frames) {
    Sample s;
    s.add(e, frames);
    s.encode();
    return look_at_journal_record(s.bytes).state;
  };
  const JournalEntry good{LogId{3}, Offset{64}, 0, false, Offset{0}, {}, {}, {}, 0};
  CHECK(state_of(good, "frames") == JournalState::good);
  JournalEntry no_log = good;
  no_log.log = {};
  CHECK(state_of(no_log, "frames") == JournalState::bad);
  JournalEntry before_segment = good;
  before_segment.segment = Offset{65};
  CHECK(state_of(before_segment, "frames") == JournalState::bad);
  JournalEntry opens_elsewhere = good;
  opens_elsewhere.opens_segment = true;
  CHECK(state_of(opens_elsewhere, "frames") == JournalState::bad);
  JournalEntry opens_with_nothing = good;
  opens_with_nothing.opens_segment = true;
  opens_with_nothing.segment = opens_with_nothing.offset;
  CHECK(state_of(opens_with_nothing, "frames") == JournalState::good);
  CHECK(state_of(opens_with_nothing, "") == JournalState::bad);
  Sample number_zero = sample();
  number_zero.header.number = {};
  number_zero.encode();
  CHECK(look_at_journal_record(number_zero.bytes).state == JournalState::bad);
  Sample empty;
  empty.encode();
  CHECK(look_at_journal_record(empty.bytes).state == JournalState::bad);
}

TEST_CASE("journal bytes: the largest record has 1 MiB, and holds a table of all marks or frames") {
  Sample marks;
  for (std::uint64_t i = 1; i <= journal_entries_max; ++i) marks.add({.log = LogId{i}}, "");
  marks.encode();
  CHECK(marks.bytes.size() == journal_record_max);
  CHECK(look_at_journal_record(marks.bytes).entries.size() == journal_entries_max);
  Sample frames;
  frames.add({.log = LogId{1}}, std::string(journal_record_max - 64 - 64, 'f'));
  frames.encode();
  CHECK(frames.bytes.size() == journal_record_max);
  CHECK(look_at_journal_record(frames.bytes).state == JournalState::good);
}

TEST_CASE("journal bytes: padding goes to the next multiple of 4096") {
  CHECK(journal_padded(1) == 4096);
  CHECK(journal_padded(4096) == 4096);
  CHECK(journal_padded(4097) == 8192);
  CHECK(journal_padded(journal_record_max) == journal_record_max);
}

TEST_CASE("journal bytes: the checksum of frames does not depend on their buffers") {
  const std::vector<Bytes> parts{Bytes::copy_of("one "), Bytes{}, Bytes::copy_of("two")};
  const std::vector<Bytes> whole{Bytes::copy_of("one two")};
  CHECK(journal_checksum(parts) == journal_checksum(whole));
  CHECK(journal_checksum({}) != journal_checksum(whole));
}

TEST_CASE(
    "journal bytes: the newer slot of a file's header counts, and the other if it rots (J2)") {
  Bytes block = encode_journal_header(file_header);
  CHECK(decode_journal_header(block) == file_header);
  JournalFileHeader newer = file_header;
  newer.counter = 7;
  newer.from = RecordNumber{140};
  CHECK(journal_slot_at(newer) == 512);
  CHECK(journal_slot_at(file_header) == 0);
  std::memcpy(block.mutable_data() + journal_slot_at(newer), encode_journal_slot(newer).data(),
              journal_slot_size);
  CHECK(decode_journal_header(block) == newer);
  block.mutable_data()[512 + 40] ^= std::byte{1};
  CHECK(decode_journal_header(block) == file_header);
  block.mutable_data()[0] ^= std::byte{1};
  CHECK(decode_journal_header(block) == std::nullopt);
  CHECK(decode_journal_header(block.slice(0, 1023)) == std::nullopt);
}

TEST_CASE("journal bytes: a new file's header survives rot of either slot") {
  for (const std::size_t at : {std::size_t{0}, std::size_t{512}}) {
    Bytes block = encode_journal_header(file_header);
    block.mutable_data()[at + 9] ^= std::byte{1};
    const auto h = decode_journal_header(block);
    REQUIRE(h.has_value());
    CHECK(h->from == file_header.from);
    CHECK(h->disk == file_header.disk);
  }
}

TEST_CASE("journal bytes: a file of a newer version is told apart from damage (T7)") {
  Bytes block = encode_journal_header(file_header);
  CHECK_FALSE(is_newer_journal(block));
  CHECK_FALSE(is_newer_journal(block.slice(0, 100)));
  block.mutable_data()[512 + 4] = std::byte{2};
  CHECK(is_newer_journal(block));
  block.mutable_data()[512] = std::byte{0};
  CHECK_FALSE(is_newer_journal(block));
}

TEST_CASE("journal bytes: any bytes give a verdict") {
  Random random(7);
  const Sample s = sample();
  for (int i = 0; i < 2000; ++i) {
    Sample damaged = s;
    for (std::uint64_t n = 1 + random.below(4); n > 0; --n)
      damaged.bytes[random.below(damaged.bytes.size())] = static_cast<std::byte>(random.below(256));
    damaged.bytes.resize(random.below(damaged.bytes.size() + 1));
    const JournalRecord r = look_at_journal_record(damaged.bytes);
    if (r.state == JournalState::good || r.state == JournalState::torn)
      CHECK(r.length <= damaged.bytes.size());
    (void)decode_journal_header(damaged.bytes);
    (void)is_newer_journal(damaged.bytes);
  }
}

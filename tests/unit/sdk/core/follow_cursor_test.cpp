// Pages to entries: frames that pages cut, frames of the log's own, damage, and a length that
// reaches beyond the committed offset (spec/06 "Checking").
#include "sdk/core/follow_cursor.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/unit/sdk/core/stored_log.h"

using namespace loglog;
using namespace loglog::client;

namespace {

constexpr LogId log_of_test = StoredLog::log;

/// A log of a term start, three entries and their offsets.
struct Stored : StoredLog {
  Stored() {
    term_start();
    for (const std::string text : {"one", "second", ""}) entry(9, begins.size(), text);
  }
};

}  // namespace

TEST_CASE("entries come with their offsets, and the log's own frames only move the cursor") {
  const Stored s;
  FollowCursor cursor(log_of_test, Offset{});
  std::vector<Entry> entries;
  CHECK(cursor.at_first());
  CHECK(cursor.take(s.bytes, s.end(), entries));
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].offset == s.begins[1]);
  CHECK(entries[0].next == s.begins[2]);
  CHECK(entries[1].payload.text() == "second");
  CHECK(entries[2].payload.empty());
  CHECK(cursor.next() == s.end());
  CHECK_FALSE(cursor.at_first());
}

TEST_CASE("frames that pages cut at any byte are put together") {
  const Stored s;
  for (std::size_t page = 1; page < s.bytes.size(); ++page) {
    CAPTURE(page);
    FollowCursor cursor(log_of_test, Offset{});
    std::vector<Entry> entries;
    while (cursor.ask() < s.end()) {
      const std::size_t at = cursor.ask().value;
      REQUIRE(
          cursor.take(s.bytes.slice(at, std::min(page, s.bytes.size() - at)), s.end(), entries));
    }
    CHECK(entries.size() == 3);
    CHECK(cursor.next() == s.end());
    CHECK(cursor.missing() == 0);
  }
}

TEST_CASE("the cursor stops at the frame that does not verify, and gives the entries before it") {
  const Stored s;
  for (std::size_t at = s.begins[2].value; at < s.begins[3].value; ++at) {
    CAPTURE(at);
    Bytes damaged = Bytes::copy_of(s.bytes.span());
    damaged.mutable_data()[at] ^= std::byte{0x40};
    FollowCursor cursor(log_of_test, Offset{});
    std::vector<Entry> entries;
    CHECK_FALSE(cursor.take(damaged, s.end(), entries));
    CHECK(entries.size() == 1);
    CHECK(cursor.next() == s.begins[2]);
    CHECK(cursor.ask() == s.begins[2]);  // another replica sends the frame from its beginning
    CHECK(cursor.take(s.bytes.slice(s.begins[2].value), s.end(), entries));
    CHECK(entries.size() == 3);
  }
}

TEST_CASE("a partial frame that claims to reach beyond the committed offset is damage") {
  const Stored s;
  FollowCursor cursor(log_of_test, s.begins[2]);
  std::vector<Entry> entries;
  const Bytes part = s.bytes.slice(s.begins[2].value, frame_prefix_size + 1);
  CHECK_FALSE(cursor.take(part, s.begins[3] + (~std::uint64_t{0}), entries));  // a byte too little
  CHECK(cursor.take(part, s.begins[3], entries));
  CHECK(cursor.missing() == s.begins[3] - s.begins[2] - part.size());
}

TEST_CASE("entries that begin at or above the end of the range are not taken") {
  const Stored s;
  FollowCursor cursor(log_of_test, Offset{});
  std::vector<Entry> entries;
  CHECK(cursor.take(s.bytes, s.end(), entries, s.begins[2]));
  CHECK(entries.size() == 1);
  CHECK(cursor.next() == s.begins[2]);
}

TEST_CASE("bytes of another log or of another offset are not taken for entries") {
  const Stored s;
  std::vector<Entry> entries;
  FollowCursor other_log(LogId{8}, Offset{});
  CHECK_FALSE(other_log.take(s.bytes, s.end(), entries));
  FollowCursor other_place(log_of_test, s.begins[1]);
  CHECK_FALSE(other_place.take(s.bytes.slice(s.begins[2].value), s.end(), entries));
  CHECK(entries.empty());
  CHECK(other_place.at_first());
}

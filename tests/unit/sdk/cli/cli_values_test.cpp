// Values of command line options: sizes, durations and points in time, as people write them and as
// they are printed back. Wrong values are refused with a hint.
#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>

#include "sdk/cli/cli.h"

using namespace loglog::cli;
using loglog::config::parse_bytes;
using std::chrono::milliseconds;
using std::chrono::system_clock;

TEST_CASE("sizes as people write them") {
  CHECK(parse_bytes("65536") == 65'536);
  CHECK(parse_bytes("0") == 0);
  CHECK(parse_bytes("7B") == 7);
  CHECK(parse_bytes("256KiB") == 256u << 10);
  CHECK(parse_bytes("1.5GiB") == 3ull << 29);
  CHECK(parse_bytes("2TiB") == 2ull << 40);
  for (const char* wrong : {"", "GiB", "-1", "1 GiB", "1gb", "1e3", "99999999TiB", "1KiBx", "off"})
    CHECK_MESSAGE(!parse_bytes(wrong), wrong);
}

TEST_CASE("a size that cannot be read is told what it may have meant (D)") {
  CHECK(read_size("64MiB") == 64u << 20);
  CHECK(read_size("1048576") == 1u << 20);
  CHECK(read_size("1Gb").error().find("write 1GiB") != std::string::npos);
  CHECK(read_size("10 mb").error().find("write 10MiB") != std::string::npos);
  CHECK(read_size("1.5t").error().find("write 1.5TiB") != std::string::npos);
  for (const char* wrong : {"", "-1", "many", "1x", "1e3"}) CHECK_MESSAGE(!read_size(wrong), wrong);
}

TEST_CASE("a time without a unit is in seconds where an option takes one (D)") {
  CHECK(read_duration("30") == milliseconds(30'000));
  CHECK(read_duration("0.5") == milliseconds(500));
  CHECK(read_duration("5m") == milliseconds(300'000));
  for (const char* wrong : {"", "-1", "soon", "5 m", "1h30m"})
    CHECK_MESSAGE(!read_duration(wrong), wrong);
}

TEST_CASE("durations as people write them") {
  CHECK(parse_duration("250ms") == milliseconds(250));
  CHECK(parse_duration("1.5s") == milliseconds(1500));
  CHECK(parse_duration("15m") == milliseconds(900'000));
  CHECK(parse_duration("2h") == milliseconds(7'200'000));
  CHECK(parse_duration("7d") == milliseconds(604'800'000));
  for (const char* wrong : {"", "7", "-7d", "7 d", "7days", "d", "999999999999d"})
    CHECK_MESSAGE(!parse_duration(wrong), wrong);
}

TEST_CASE("points in time as people write them") {
  const auto at = [](std::int64_t ms) { return system_clock::time_point(milliseconds(ms)); };
  const auto now = at(1'800'000'000'000);
  CHECK(parse_time("2026-11-21T20:00:00Z", now) == at(1'795'291'200'000));
  CHECK(parse_time("2026-11-21 20:00:00Z", now) == at(1'795'291'200'000));
  CHECK(parse_time("2026-11-21T20:00:00.25Z", now) == at(1'795'291'200'250));
  CHECK(parse_time("2026-11-21T21:30:00+01:30", now) == at(1'795'291'200'000));
  CHECK(parse_time("2026-11-21T19:00:00-0100", now) == at(1'795'291'200'000));
  CHECK(parse_time("-15m", now) == now - milliseconds(900'000));
  const char* zone = std::getenv("TZ");
  const std::string before = zone ? zone : "";
  setenv("TZ", "UTC-2", 1);  // two hours east of UTC
  tzset();
  CHECK(parse_time("2026-11-21T22:00:00", now) == at(1'795'291'200'000));
  CHECK(parse_time("2026-11-21", now) == at(1'795'291'200'000 - 22 * 3'600'000));
  if (zone) setenv("TZ", before.c_str(), 1);
  else unsetenv("TZ");
  tzset();
  for (const char* wrong : {"", "now", "12345", "15m", "2026-11-31T00:00:00Z", "2026-13-01",
                            "2026-11-21T20:00", "2026-11-21T25:00:00Z", "2026-11-21T20:00:00Zx",
                            "2026-11-21T20:00:00+1", "-15", "2026-11-21x"})
    CHECK_MESSAGE(!parse_time(wrong, now), wrong);
}

TEST_CASE(
    "points in time: what lies beyond all that a clock can count is as far as it can, it does not "
    "come round (F08)") {
  // Dates beyond the range of the clock saturate; a wrapped value would lie on the wrong side of
  // now.
  const auto now = system_clock::time_point(milliseconds(1'800'000'000'000));
  for (const char* before :
       {"-127000d", "-150000d", "-213000d", "-5000000h", "-8000000000000000ms", "1677-09-01",
        "1500-01-01", "1000-01-01T00:00:00Z", "0001-01-01T00:00:00Z"})
    CHECK_MESSAGE(parse_time(before, now).value() < system_clock::time_point{}, before);
  for (const char* after : {"2262-01-01", "2263-01-01", "2600-01-01", "9999-12-31T23:59:59Z"})
    CHECK_MESSAGE(parse_time(after, now).value() > now, after);
}

TEST_CASE(
    "points in time: of an hour that comes twice it is the earlier one, and no zone is beyond 14 "
    "hours (F08)") {
  const auto at = [](std::int64_t s) { return system_clock::time_point(std::chrono::seconds(s)); };
  const char* zone = std::getenv("TZ");
  const std::string before = zone ? zone : "";
  setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);  // Berlin
  tzset();
  const auto now = at(1'800'000'000);
  CHECK(parse_time("2026-10-25T01:50:00", now) == at(1'792'885'800));
  // 00:00 UTC, still in summer time
  CHECK(parse_time("2026-10-25T02:00:00", now) == at(1'792'886'400));
  CHECK(parse_time("2026-10-25T02:30:00", now) == at(1'792'888'200));
  CHECK(parse_time("2026-10-25T03:00:00", now) == at(1'792'893'600));
  CHECK(parse_time("2026-07-01T12:00:00", now) == at(1'782'900'000));
  CHECK(parse_time("2026-12-01T12:00:00", now) == at(1'796'122'800));
  // This local time does not exist; the answer is no earlier than the change of clocks.
  CHECK(parse_time("2026-03-29T02:30:00", now).value() >= at(1'774'744'200));
  if (zone) setenv("TZ", before.c_str(), 1);
  else unsetenv("TZ");
  tzset();
  CHECK(parse_time("2026-11-29T10:00:00+14:00", now) == at(1'795'896'000));
  for (const char* wrong :
       {"2026-11-29T10:00:00+14:30", "2026-11-29T10:00:00+25:00", "2026-11-29T10:00:00-1500"})
    CHECK_MESSAGE(!parse_time(wrong, now), wrong);
}

TEST_CASE(
    "sizes and times are shown as an option takes them, not as a count of bytes and milliseconds "
    "(D)") {
  CHECK(as_written(std::uint64_t{10} << 30) == "10GiB");
  CHECK(as_written(std::uint64_t{1536} << 10) == "1536KiB");
  CHECK(as_written(std::uint64_t{1000}) == "1000B");
  CHECK(as_written(std::uint64_t{0}) == "0B");
  CHECK(as_written(std::chrono::milliseconds(7 * 86'400'000)) == "7d");
  CHECK(as_written(std::chrono::milliseconds(90'000)) == "90s");
  CHECK(as_written(std::chrono::milliseconds(1500)) == "1500ms");
  for (const std::uint64_t n : {1ull, 1024ull, 5'000'000ull, 1ull << 41})
    CHECK(parse_bytes(as_written(n)) == n);
}

// The text of `loglog status`: alignment, sizes for people beside exact offsets, colours, and the
// line of progress. The expected text is exact.
#include "sdk/cli/status_text.h"

#include <doctest/doctest.h>

#include "sdk/cli/progress.h"
#include "sdk/cli/text.h"

using namespace loglog;
using namespace loglog::cli;

namespace {
/// A report of a healthy cluster of three sequencers, three storage nodes and a log.
ClusterReport healthy() {
  ClusterReport r;
  r.cluster = "test";
  r.health = ClusterReport::Health::healthy;
  r.verdict = "appends and reads are served; 1 storage node and 1 sequencer may fail";
  r.sequencers = {{1, "h:1", "leader", 4}, {2, "h:2", "follower", 4}, {3, "h:3", "follower", 4}};
  r.storage = {{1, "h:11", "up", 0, 5u << 20, 10u << 20},
               {2, "h:12", "up", 2048, 0, 0},
               {3, "h:13", "up", 0, 0, 0}};
  r.logs = {{"events",
             0,
             3u << 20,
             7,
             2,
             {{1, 3u << 20, "streaming"}, {2, 3u << 20, "streaming"}, {3, 3u << 20, "streaming"}},
             "open"}};
  return r;
}
bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
}  // namespace

TEST_CASE(
    "status: the text aligns, says sizes for people and exact offsets, and has colours only where "
    "asked") {
  ClusterReport r = healthy();
  r.logs[0].replicas[2] = {3, (3u << 20) - 1536, "lagging"};
  r.logs[0].replicas[0].disk_bytes = 8u << 20;
  r.writers_total = 5;
  r.writers = {{"10.0.0.7:4711", "orders\x1b[2J", "0.1.0", "events", 7, 12, 100, 1.5, 3072},
               {"10.0.0.8:4711", "", "", "events", 8, 1, 1, 0, 0}};
  r.health = ClusterReport::Health::degraded;
  r.verdict =
      "appends and reads go on: replicas of events are not in step; no storage node and 1 "
      "sequencer may fail";
  r.alarms = {{"replica-behind", false, "The replica of events on storage node 3 lacks 1.5 KiB.",
               "It catches up by itself."}};
  const std::string text = status_text(r, {});
  CHECK(text ==
        "cluster test  degraded: appends and reads go on: replicas of events are not in step; no "
        "storage node and 1 sequencer may fail\n"
        "\n"
        "warning  The replica of events on storage node 3 lacks 1.5 KiB.\n"
        "         It catches up by itself.\n"
        "\n"
        "NODE         ADDRESS  STATE\n"
        "sequencer 1  h:1      leader    raft term 4\n"
        "sequencer 2  h:2      follower  raft term 4\n"
        "sequencer 3  h:3      follower  raft term 4\n"
        "storage 1    h:11     up        5.0 MiB of 10.0 MiB free\n"
        "storage 2    h:12     up        2.0 KiB staged\n"
        "storage 3    h:13     up\n"
        "\n"
        "LOG             STATE      FIRST  COMMITTED            SIZE     DISK  TERM  NEEDS\n"
        "events          open           0    3145728         3.0 MiB  8.0 MiB     7  2 of 3\n"
        "  on storage 1  streaming           3145728          no lag  8.0 MiB\n"
        "  on storage 2  streaming           3145728          no lag\n"
        "  on storage 3  lagging             3144192  1.5 KiB behind\n"
        "\n"
        "WRITER         VERSION  ADDRESS        LOG     ENTRIES   RATE\n"
        "orders\\x1b[2J  0.1.0    10.0.0.7:4711  events       12  1.5/s  3.0 KiB/s\n"
        "(no name)               10.0.0.8:4711  events        1  0.0/s      0 B/s\n"
        "and 3 more\n");
  const std::map<std::string, double> rates = {{"events", 10.0 * (1u << 20)}};
  const std::string coloured = status_text(r, {.colours = true, .rates = &rates});
  CHECK(has(coloured, "\x1b[33mdegraded\x1b[0m"));
  CHECK(has(coloured, "\x1b[32mup\x1b[0m"));
  CHECK(has(coloured, "10.0 MiB/s"));
  CHECK(cut_to("\x1b[1mabc\x1b[0m", 2) == "\x1b[1mab\x1b[0m");
}

TEST_CASE("status: the lag of a replica that cannot be reached is shown once it was heard (D)") {
  ClusterReport r = healthy();
  r.logs[0].replicas[2] = {3, (3u << 20) - 1536, "unreachable"};
  CHECK(has(status_text(r, {}), "on storage 3  unreachable           3144192  1.5 KiB behind"));
  // Nothing is known of a replica that was never heard, so no lag is made up.
  r.logs[0].replicas[2] = {3, 0, "unreachable"};
  CHECK_FALSE(has(status_text(r, {}), "behind"));
}

TEST_CASE("sizes and times for people") {
  CHECK(human_bytes(0) == "0 B");
  CHECK(human_bytes(1023) == "1023 B");
  CHECK(human_bytes(1024) == "1.0 KiB");
  CHECK(human_bytes(1536) == "1.5 KiB");
  CHECK(human_bytes(1024 * 1024 - 1) == "1.0 MiB");
  CHECK(human_bytes(150.4 * 1024) == "150 KiB");
  CHECK(human_bytes(1e24) == "867362 EiB");
  CHECK(human_seconds(0.4) == "0 s");
  CHECK(human_seconds(200) == "3 min 20 s");
  CHECK(human_seconds(7500) == "2 h 5 min");
  CHECK(columns_of("\x1b[31mgrün\x1b[0m…") == 5);
}

TEST_CASE("progress: a bar where there is room for one, and never more than the width") {
  CHECK(progress_line("read", 0.5, "1 of 2", 50) ==
        "read [##############---------------]  50 %  1 of 2");
  CHECK(progress_line("read", 0.5, "1 of 2", 24) == "read  50 %  1 of 2");
  CHECK(progress_line("read", 0.5, "1 of 2", 10) == "read  50 %");
  CHECK(progress_line("read", -1, "7 entries", 80) == "read: 7 entries");
  CHECK(columns_of(progress_line("read", 2, "1 of 2", 500)) <= 70);
  CHECK(has(progress_line("read", 2, "1 of 2", 80), "100 %"));
  CHECK(transfer_text(1u << 20, 3u << 20, 2) == "1.0 MiB of 3.0 MiB, 512 KiB/s, 4 s left");
  CHECK(transfer_text(1u << 20, 0, 1) == "1.0 MiB, 1.0 MiB/s");
  CHECK(transfer_text(0, 0, 0) == "0 B, 0 B/s");
}

#include "sdk/cli/status_text.h"

#include <doctest/doctest.h>

#include "sdk/cli/progress.h"
#include "sdk/cli/text.h"

using namespace loglog;
using namespace loglog::cli;

namespace {
ClusterReport healthy() {
  ClusterReport r;
  r.cluster = "test";
  r.sequencers = {{1, "h:1", "leader", 4}, {2, "h:2", "follower", 4}, {3, "h:3", "follower", 4}};
  r.storage = {{1, "h:11", "up", 0}, {2, "h:12", "up", 2048}, {3, "h:13", "up", 0}};
  r.logs = {{"events", 0, 3u << 20, 7, 2, {{1, 3u << 20, "streaming"}, {2, 3u << 20, "streaming"}, {3, 3u << 20, "streaming"}}, "open"}};
  return r;
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
}  // namespace

TEST_CASE("status: a whole cluster is healthy and says what may fail") {
  const HealthVerdict v = health_of(healthy());
  CHECK(v.health == Health::healthy);
  CHECK(v.sentence == "appends and reads are served; 1 storage node and 1 sequencer may fail");
}

TEST_CASE("status: what is away but not needed degrades") {
  ClusterReport r = healthy();
  SUBCASE("a storage node") {
    r.storage[2].state = r.logs[0].replicas[2].state = "unreachable";
    CHECK(health_of(r).sentence == "storage 3 unreachable; appends and reads go on, no storage node and 1 sequencer may fail");
  }
  SUBCASE("a sequencer") {
    r.sequencers[1].role = "unreachable";
    CHECK(health_of(r).sentence == "sequencer 2 unreachable; appends and reads go on, 1 storage node and no sequencer may fail");
  }
  SUBCASE("a replica of a node that is up") {
    r.logs[0].replicas[1].state = "lagging";
    CHECK(health_of(r).sentence == "replicas of events are not in step; appends and reads go on, no storage node and 1 sequencer may fail");
  }
  SUBCASE("a disk") {
    r.storage[2].state = "foreign_disk";
    r.logs[0].replicas[2].state = "unreachable";
    CHECK(has(health_of(r).sentence,
              "storage 3 came with another disk (gone for good? loglog nodes replace-disk 3); appends and reads go on"));
  }
  SUBCASE("what a disk held") {
    r.storage[2].state = "data_loss";
    CHECK(has(health_of(r).sentence, "storage 3 lost data that it had acknowledged (see its log); appends and reads go on"));
  }
  CHECK(health_of(r).health == Health::degraded);
}

TEST_CASE("status: what stops appends is not serving, and says what still goes on") {
  ClusterReport r = healthy();
  std::string said;
  SUBCASE("no leader") {
    r.sequencers = {{1, "h:1", "candidate", 4}, {2, "h:2", "unreachable", 0}, {3, "h:3", "unreachable", 0}};
    r.storage.clear();
    r.logs.clear();
    said = "no leader: 1 of 3 sequencers answer and 2 must; appends wait, what is committed can still be read";
  }
  SUBCASE("a leader that only begins") {
    r.storage.clear();
    said = "only beginning its term";
  }
  SUBCASE("too few replicas") {
    for (std::size_t i = 1; i < 3; ++i) r.storage[i].state = r.logs[0].replicas[i].state = "unreachable";
    said = "too few replicas: events (1 of 3 replicas, 2 needed); appends wait (storage 2 unreachable, storage 3 unreachable)";
  }
  SUBCASE("too many newcomers") {
    for (auto& l : r.logs) l.state = "recovering";
    r.logs[0].replicas[0].state = "newcomer";
    CHECK(has(health_of(r).sentence, "being recovered: events"));
    r.logs[0].replicas[2].state = "newcomer";
    said = "too many disks replaced at once: events; nobody knows all that was acknowledged, and no appends are taken any more";
  }
  SUBCASE("halted") {
    r.logs[0].state = "halted";
    said = "halted, its replicas contradict each other: events; appends are refused";
  }
  SUBCASE("recovering, of many logs") {
    r.logs.resize(5, r.logs[0]);
    for (auto& l : r.logs) l.state = "recovering";
    said = "being recovered: events, events, events and 2 more; appends wait";
  }
  const HealthVerdict v = health_of(r);
  CHECK(v.health == Health::not_serving);
  CHECK_MESSAGE(has(v.sentence, said), v.sentence);
}

TEST_CASE("status: logs that are made or deleted are no trouble") {
  ClusterReport r = healthy();
  for (const char* state : {"creating", "deleting"}) {
    r.logs[0].state = state;
    r.logs[0].replicas[0].state = "lagging";
    CHECK(health_of(r).health == Health::healthy);
  }
}

TEST_CASE("status: the text aligns, says sizes for people and exact offsets, and has colours only where asked") {
  ClusterReport r = healthy();
  r.logs[0].replicas[2] = {3, (3u << 20) - 1536, "lagging"};
  const std::string text = status_text(r, {});
  CHECK(text ==
        "cluster test  degraded: replicas of events are not in step; appends and reads go on, no storage node and 1 sequencer may fail\n"
        "\n"
        "NODE         ADDRESS  STATE\n"
        "sequencer 1  h:1      leader    raft term 4\n"
        "sequencer 2  h:2      follower  raft term 4\n"
        "sequencer 3  h:3      follower  raft term 4\n"
        "storage 1    h:11     up\n"
        "storage 2    h:12     up        2.0 KiB staged\n"
        "storage 3    h:13     up\n"
        "\n"
        "LOG             STATE      FIRST  COMMITTED            SIZE  TERM  NEEDS\n"
        "events          open           0    3145728         3.0 MiB     7  2 of 3\n"
        "  on storage 1  streaming           3145728          no lag\n"
        "  on storage 2  streaming           3145728          no lag\n"
        "  on storage 3  lagging             3144192  1.5 KiB behind\n");
  const std::map<std::string, double> rates = {{"events", 10.0 * (1u << 20)}};
  const std::string coloured = status_text(r, {.colours = true, .rates = &rates});
  CHECK(has(coloured, "\x1b[33mdegraded\x1b[0m"));
  CHECK(has(coloured, "\x1b[32mup\x1b[0m"));
  CHECK(has(coloured, "10.0 MiB/s"));
  CHECK(cut_to("\x1b[1mabc\x1b[0m", 2) == "\x1b[1mab\x1b[0m");
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
  CHECK(progress_line("read", 0.5, "1 of 2", 50) == "read [##############---------------]  50 %  1 of 2");
  CHECK(progress_line("read", 0.5, "1 of 2", 24) == "read  50 %  1 of 2");
  CHECK(progress_line("read", 0.5, "1 of 2", 10) == "read  50 %");
  CHECK(progress_line("read", -1, "7 entries", 80) == "read: 7 entries");
  CHECK(columns_of(progress_line("read", 2, "1 of 2", 500)) <= 70);
  CHECK(has(progress_line("read", 2, "1 of 2", 80), "100 %"));
  CHECK(transfer_text(1u << 20, 3u << 20, 2) == "1.0 MiB of 3.0 MiB, 512 KiB/s, 4 s left");
  CHECK(transfer_text(1u << 20, 0, 1) == "1.0 MiB, 1.0 MiB/s");
  CHECK(transfer_text(0, 0, 0) == "0 B, 0 B/s");
}

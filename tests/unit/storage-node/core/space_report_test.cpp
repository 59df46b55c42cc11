// The report to the leader: its timer, and the turns of logs whose sizes are told.
#include "storage-node/core/space_report.h"

#include <doctest/doctest.h>

#include "proto-spec/vocabulary/limits.h"

using namespace loglog;
using namespace loglog::storage;

namespace {

struct Bench {
  Bench() : node(Options{}, 1), promise(node, LogId{}), logs(node, promise), report(node) {}
  void add_logs(std::size_t from, std::size_t to) {
    for (std::size_t id = from; id <= to; ++id) {
      LogInfo info;
      info.id = LogId{id};
      logs.add(info).state.made = true;
    }
  }
  SpaceIs make() { return report.make(logs, {}, {}); }
  Node node;
  PromiseKeeper promise;
  LogTable logs;
  SpaceReport report;
};

}  // namespace

TEST_CASE("report: it is due every second and tells the disk's last measure") {
  Bench b;
  b.node.now = Time{} + 5s;
  CHECK(b.report.next_tick() <= b.node.now);
  b.report.measured({100, 1000});
  const SpaceIs m = b.report.make(b.logs, {NodeId{2}}, {SequencerId{3}});
  CHECK(m.disk_free_bytes == 100);
  CHECK(m.disk_size_bytes == 1000);
  CHECK(m.staged_bytes_max == Options{}.staging.bytes_max);
  CHECK(m.cannot_reach == std::vector{NodeId{2}});
  CHECK(m.twice == std::vector{SequencerId{3}});
  CHECK(b.report.next_tick() == b.node.now + 1s);
}

TEST_CASE("report: logs take turns, and a dropped log is left out") {
  Bench b;
  b.add_logs(1, log_bytes_told_max + 2);
  const auto first = b.make().logs;
  REQUIRE(first.size() == log_bytes_told_max);
  CHECK(first.front().log == LogId{1});
  b.logs.find(LogId{2})->state.dropped = true;
  const auto second = b.make().logs;
  REQUIRE(second.size() == log_bytes_told_max);
  CHECK(second[0].log == LogId{log_bytes_told_max + 1});
  CHECK(second[1].log == LogId{log_bytes_told_max + 2});
  CHECK(second[2].log == LogId{1});
  CHECK(second[3].log == LogId{3});
}

TEST_CASE("report: damage in any log makes the node suspect (K3)") {
  Bench b;
  b.add_logs(1, 2);
  CHECK_FALSE(b.make().suspect);
  b.logs.find(LogId{2})->state.suspect = true;
  CHECK(b.make().suspect);
}

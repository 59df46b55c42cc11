// The table of a node's logs: an id stands for the same log for ever (T5), and a dropped log stays
// until its tombstone is durable and nothing of it is under way.
#include "storage-node/core/log_table.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::storage;

namespace {

constexpr ConnectionId leader{1};

LogInfo named(std::uint64_t id, std::string name) {
  LogInfo info;
  info.id = LogId{id};
  info.name = std::move(name);
  info.options.segment_size = 1u << 20;
  return info;
}

/// A table with a disk that the test plays.
struct Bench {
  Bench() : node(Options{}, 1), promise(node, LogId{}), table(node, promise) {}
  LogReplica& add(const LogInfo& info) {
    LogReplica& l = table.add(info);
    l.state.made = true;
    return l;
  }
  /// Ends the oldest disk operation, which must be an `Operation`.
  template <class Operation>
  void finish() {
    REQUIRE(!node.out.disk.empty());
    const DiskRequest r = std::move(node.out.disk.front());
    node.out.disk.erase(node.out.disk.begin());
    CHECK(std::holds_alternative<Operation>(r.operation));
    DiskDone done{r.ticket, Errc::ok, {}, {}};
    node.disk_done(done);
  }
  Node node;
  PromiseKeeper promise;
  LogTable table;
};

}  // namespace

TEST_CASE("logs: a log that is being made is found, and is not live yet") {
  Bench b;
  LogReplica& l = b.table.add(named(7, "orders"));
  CHECK(b.table.find(LogId{7}) == &l);
  CHECK(b.table.live(LogId{7}) == nullptr);
  l.state.made = true;
  CHECK(b.table.live(LogId{7}) == &l);
  b.table.remove(LogId{7});
  CHECK(b.table.find(LogId{7}) == nullptr);
}

TEST_CASE("logs: another name under an id is another log, other retention is not (T5)") {
  Bench b;
  b.add(named(7, "orders"));
  LogInfo told = named(7, "orders");
  told.options.retention.bytes = 1000;
  CHECK_FALSE(b.table.is_another_log(told));
  told.options.segment_size = 1u << 21;
  CHECK(b.table.is_another_log(told));
  CHECK(b.table.is_another_log(named(7, "bills")));
  CHECK_FALSE(b.table.is_another_log(named(8, "bills")));  // no log has that id here
}

TEST_CASE("logs: a dropped log leaves a tombstone, then its folder goes, then it is freed (T5)") {
  Bench b;
  b.table.drop(b.add(named(7, "orders")), leader, RequestId{3});
  CHECK(b.table.find(LogId{7}) != nullptr);
  CHECK(b.table.live(LogId{7}) == nullptr);
  b.finish<SaveTombstones>();
  CHECK(b.table.tombstones().forbids(LogId{7}));
  CHECK(b.table.take_gone().empty());
  CHECK(b.node.out.sends.empty());
  b.finish<DropLog>();
  REQUIRE(b.node.out.sends.size() == 1);
  CHECK(std::get<Dropped>(b.node.out.sends[0].message).log == LogId{7});
  CHECK(b.table.take_gone() == std::vector{LogId{7}});
  CHECK(b.table.take_gone().empty());
}

TEST_CASE("logs: a dropped log stays while the disk still works on it") {
  Bench b;
  LogReplica& l = b.add(named(7, "orders"));
  b.table.drop(l, leader, RequestId{3});
  b.finish<SaveTombstones>();
  b.finish<DropLog>();
  bool read = false;
  const Ticket t = b.node.disk(ReadSegment{LogId{7}, {}, 0, 0}, [&](DiskDone&&) { read = true; });
  CHECK(b.table.take_gone().empty());
  DiskDone done{t, Errc::io_error, {}, {}};
  b.node.disk_done(done);
  CHECK(read);
  CHECK(b.table.take_gone() == std::vector{LogId{7}});
}

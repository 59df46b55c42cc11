// The flow of pages to readers (spec/06, spec/09): bounds on the bytes under way for each
// connection and for the node, and on waiting reads and follows.
#include "storage-node/core/page_flow.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::storage;

namespace {

constexpr std::uint64_t page = 1u << 20;

/// The flow with default options, and the bytes queued by connection.
struct FlowTest {
  Options options;
  PageFlow flow{options};
  std::map<ConnectionId, std::uint64_t> queued;
  /// Starts pages for a connection that takes nothing, until no more may start. Returns the bytes
  /// queued to it.
  std::uint64_t fill(ConnectionId to) {
    while (const std::uint64_t n = flow.allowed(to, page)) {
      flow.started(to, n);
      flow.fetched(to, n, n);
      queued[to] += n;
    }
    return queued[to];
  }
};

}  // namespace

TEST_CASE_FIXTURE(FlowTest, "page flow: a reader that does not read has 8 MiB under way (Z3)") {
  CHECK(fill(ConnectionId{1}) == connection_queue_max);
  flow.hold(ConnectionId{1}, LogId{7});
  CHECK_FALSE(flow.next_to_resume());
  // Space for a page lets the held log go on, once.
  flow.written(ConnectionId{1}, page);
  CHECK(flow.next_to_resume() == std::pair{ConnectionId{1}, LogId{7}});
  CHECK_FALSE(flow.next_to_resume());
  flow.forget(ConnectionId{1});
  CHECK(flow.bytes() == 0);
}

TEST_CASE_FIXTURE(FlowTest,
                  "page flow: however many readers do not read, all have the node's budget, and "
                  "one that reads goes on (Z3, F13)") {
  constexpr std::uint64_t readers = 1000;
  for (std::uint64_t c = 1; c <= readers; ++c) {
    fill(ConnectionId{c});
    CHECK(queued[ConnectionId{c}] >= connection_queue_floor);
  }
  CHECK(flow.bytes() <= options.pages_in_flight_max + readers * connection_queue_floor);
  const ConnectionId reads{readers + 1};
  // A reader that takes its pages goes on, although the others use up the budget.
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t n = flow.allowed(reads, page);
    REQUIRE(n > 0);
    flow.started(reads, n);
    flow.fetched(reads, n, n);
    flow.written(reads, n);
  }
  for (std::uint64_t c = 1; c <= readers; ++c) flow.forget(ConnectionId{c});
  CHECK(flow.bytes() == 0);
}

TEST_CASE_FIXTURE(FlowTest,
                  "page flow: pages that are still being read for a connection that has gone count "
                  "until they come") {
  flow.started(ConnectionId{1}, page);
  flow.forget(ConnectionId{1});
  CHECK(flow.bytes() == page);
  CHECK(flow.allowed(ConnectionId{1}, page) == 0);
  flow.fetched(ConnectionId{1}, page, page);
  CHECK(flow.bytes() == 0);
}

TEST_CASE_FIXTURE(FlowTest, "page flow: a page that could not be read lets the connection go on") {
  fill(ConnectionId{1});
  flow.written(ConnectionId{1}, page);
  flow.started(ConnectionId{1}, page);
  flow.hold(ConnectionId{1}, LogId{7});
  flow.hold(ConnectionId{1}, LogId{8});
  flow.hold(ConnectionId{1}, LogId{7});  // waits already
  flow.fetched(ConnectionId{1}, page, 0);
  CHECK(flow.next_to_resume() == std::pair{ConnectionId{1}, LogId{7}});
  CHECK(flow.next_to_resume() == std::pair{ConnectionId{1}, LogId{8}});
  CHECK_FALSE(flow.next_to_resume());
}

TEST_CASE_FIXTURE(
    FlowTest, "page flow: 4096 reads that wait and follows of one connection, and no more (Z12)") {
  for (std::size_t i = 0; i < readers_per_connection_max - 1; ++i)
    CHECK(flow.enter(ConnectionId{1}));
  CHECK(flow.enter_follow(ConnectionId{1}, RequestId{5}, LogId{7}));
  CHECK_FALSE(flow.enter(ConnectionId{1}));
  CHECK_FALSE(flow.enter_follow(ConnectionId{1}, RequestId{6}, LogId{7}));
  CHECK(flow.enter(ConnectionId{2}));
  CHECK(flow.followed(ConnectionId{1}, RequestId{5}) == LogId{7});
  flow.leave_follow(ConnectionId{1}, RequestId{5});
  flow.leave_follow(ConnectionId{1}, RequestId{5});  // has left already
  CHECK_FALSE(flow.followed(ConnectionId{1}, RequestId{5}));
  CHECK(flow.enter(ConnectionId{1}));
  CHECK(flow.readers() == readers_per_connection_max + 1);
  flow.forget(ConnectionId{1});
  CHECK(flow.readers() == 1);
}

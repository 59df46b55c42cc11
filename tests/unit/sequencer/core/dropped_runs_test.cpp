// Addresses whose runs had to be dropped (spec/05 V1, decision 0039): when an address is suspect,
// and the connections that closed before their runs were dropped.
#include "sequencer/core/dropped_runs.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::sequencer;

namespace {
constexpr Time start{1h};
}

TEST_CASE("dropped runs: a run of a closed connection counts for the address that it came from") {
  DroppedRuns d;
  d.closed(start, ConnectionId{7}, "10.0.0.1");
  d.closed(start, ConnectionId{8}, "10.0.0.2");
  for (unsigned i = 0; i <= DroppedRuns::free_max; ++i) {
    CHECK_FALSE(d.is_suspect(start + 1s, "10.0.0.1"));
    d.dropped_after_close(start + 1s, ConnectionId{7});
  }
  CHECK(d.is_suspect(start + 1s, "10.0.0.1"));
  CHECK_FALSE(d.is_suspect(start + 1s, "10.0.0.2"));
}

TEST_CASE("dropped runs: an unknown connection, and a peer in this process, count for nobody") {
  DroppedRuns d;
  d.closed(start, ConnectionId{7}, "");
  d.dropped_after_close(start, ConnectionId{7});
  d.dropped_after_close(start, ConnectionId{9});
  CHECK(d.addresses() == 0);
}

TEST_CASE("dropped runs: a connection that closed long ago is forgotten at the next close") {
  DroppedRuns d;
  d.closed(start, ConnectionId{7}, "10.0.0.1");
  d.closed(start + 6s, ConnectionId{8}, "10.0.0.2");
  d.dropped_after_close(start + 6s, ConnectionId{7});
  CHECK(d.addresses() == 0);
  d.dropped_after_close(start + 6s, ConnectionId{8});
  CHECK(d.addresses() == 1);
}

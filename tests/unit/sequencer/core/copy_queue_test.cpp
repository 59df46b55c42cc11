// The queue of copies to a node (P4): at most so many logs at a time, in the order in which they
// asked.
#include "sequencer/core/copy_queue.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::sequencer;

namespace {
constexpr NodeId node{3}, other{2};
}

TEST_CASE(
    "400 logs of a replaced disk are copied a few at a time, in the order in which they asked "
    "(C-2)") {
  CopyQueue q(8);
  std::size_t begun = 0;
  for (std::uint64_t log = 1; log <= 400; ++log) begun += q.begin(LogId{log}, node, false);
  CHECK(begun == 8);
  CHECK(q.take_ready().empty());
  q.end(LogId{3}, node);
  q.end(LogId{3}, node);
  CHECK(q.take_ready() == std::vector<std::pair<LogId, NodeId>>{{LogId{9}, node}});
  CHECK(q.begin(LogId{9}, node, false));         // its turn: take_ready() has named it
  CHECK_FALSE(q.begin(LogId{10}, node, false));  // a log that asks twice waits once
  CHECK(q.begin(LogId{10}, other, false));       // each node has its own queue
}

TEST_CASE("a log that takes no appends before its copy is done does not wait for the others") {
  CopyQueue q(1);
  CHECK(q.begin(LogId{1}, node, false));
  CHECK_FALSE(q.begin(LogId{2}, node, false));
  CHECK(q.begin(LogId{2}, node, true));
  q.end(LogId{1}, node);
  CHECK(q.take_ready().empty());  // log 2 does not wait any more
}

TEST_CASE(
    "a log that is gone, or a copy that is not wanted any more, leaves its place to the next") {
  CopyQueue q(1);
  CHECK(q.begin(LogId{1}, node, false));
  CHECK_FALSE(q.begin(LogId{2}, node, false));
  CHECK_FALSE(q.begin(LogId{3}, node, false));
  q.end(LogId{2}, node);
  q.forget(LogId{1});
  CHECK(q.take_ready() == std::vector<std::pair<LogId, NodeId>>{{LogId{3}, node}});
}

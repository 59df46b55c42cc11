// Reads that wait at the end of a log (spec/06 "Read"): new bytes wake the reads below them, time
// wakes the reads that are due, and no others are touched.
#include "storage-node/core/waiting_reads.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::storage;
using namespace std::chrono_literals;

namespace {

WaitingRead read_of(std::uint64_t connection, std::uint32_t request, std::uint64_t offset,
                    Duration deadline) {
  return {ConnectionId{connection}, RequestId{request}, Read{LogId{7}, Offset{offset}, 0, 0},
          Time(deadline)};
}

std::vector<std::uint32_t> requests(const std::vector<WaitingRead>& reads) {
  std::vector<std::uint32_t> out;
  for (const WaitingRead& r : reads) out.push_back(r.request.value);
  return out;
}

}  // namespace

TEST_CASE(
    "waiting reads: new bytes touch those below them, time those that are due, and no others "
    "(Z12)") {
  WaitingReads w;
  CHECK(w.next_deadline() == never);
  w.add(read_of(1, 1, 100, 5s));
  w.add(read_of(2, 2, 300, 1s));
  w.add(read_of(1, 3, 100, 3s));
  w.add(read_of(3, 4, 200, 9s));
  CHECK(w.next_deadline() == Time(1s));
  CHECK(requests(w.take_below(Offset{100})).empty());
  CHECK(requests(w.take_below(Offset{101})) == std::vector<std::uint32_t>{1, 3});
  CHECK(requests(w.take_due(Time(1s) - Duration(1))).empty());
  CHECK(requests(w.take_due(Time(1s))) == std::vector<std::uint32_t>{2});
  w.add(read_of(1, 5, 400, 4s));
  w.add(read_of(3, 6, 400, 4s));
  w.forget(ConnectionId{3});
  CHECK(w.next_deadline() == Time(4s));
  CHECK(requests(w.take_all()) == std::vector<std::uint32_t>{5});
  CHECK(w.next_deadline() == never);
}

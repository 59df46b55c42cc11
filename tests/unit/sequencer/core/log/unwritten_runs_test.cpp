// Runs that are ordered and durable nowhere, counted by the connection that committed them (V1,
// spec/09): the bound against clients that never upload.
#include "sequencer/core/log/unwritten_runs.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::sequencer;

TEST_CASE("unwritten runs: counted by connection until some replica has written them (Z11)") {
  constexpr ConnectionId one{1}, two{2};
  UnwrittenRuns u;
  u.ordered(Offset{100}, one);
  u.ordered(Offset{200}, two);
  u.ordered(Offset{300}, one);
  CHECK(u.size() == 3);
  CHECK(u.of(one) == 2);
  CHECK(u.of(two) == 1);
  u.written(Offset{99});
  CHECK(u.size() == 3);
  u.written(Offset{200});
  CHECK(u.of(one) == 1);
  CHECK(u.of(two) == 0);
  u.written(Offset{1000});
  CHECK(u.size() == 0);
  CHECK(u.of(one) == 0);
}

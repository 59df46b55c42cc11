// Pauses between attempts: they double up to their maximum, and jitter keeps processes apart.
#include "proto-spec/vocabulary/retry_schedule.h"

#include <doctest/doctest.h>

#include <set>

using namespace loglog;

TEST_CASE("a pause doubles with each failure up to its maximum, and a success resets it") {
  Random random(1);
  RetrySchedule schedule(20ms, 160ms);
  const Time now{5s};
  for (const Duration pause : {20ms, 40ms, 80ms, 160ms, 160ms, 160ms}) {
    const Duration took = schedule.after_failure(now, random) - now;
    CHECK(took >= pause / 2);
    CHECK(took <= pause + pause / 2);
  }
  schedule.succeeded();
  CHECK(schedule.after_failure(now, random) - now <= 30ms);
}

TEST_CASE("clients that failed at the same time come back at different times") {
  std::set<Time> times;
  for (std::uint64_t client = 1; client <= 50; ++client) {
    Random random(client);
    RetrySchedule schedule(1s, 1s);
    times.insert(schedule.after_failure(Time{}, random));
  }
  CHECK(times.size() > 45);
}

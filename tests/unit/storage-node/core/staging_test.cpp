// The staging of uploaded runs (spec/05 step 3, D6): expiry, pins, limits, and the memory that a
// run really keeps.
#include "storage-node/core/staging.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::storage;
using namespace std::chrono_literals;

namespace {

/// A staging area with a clock that the test moves.
struct StagingTest {
  Options options;
  Staging staging{options};
  Time now{1h};

  static Reference run(std::uint64_t first) { return {ProducerId{5}, Sequence{first}, 1, 100, {}}; }
  void add(std::uint64_t first) {
    REQUIRE(staging.add(now, LogId{7}, run(first), Bytes::copy_of(std::string(100, 'x')),
                        Staging::Claim::upload) == Errc::ok);
  }
};

TEST_CASE_FIXTURE(StagingTest, "a run that was taken out leaves nothing to wake for") {
  CHECK(staging.next_expiry() == never);
  add(1);
  CHECK(staging.next_expiry() == now + options.staging.run_expires);
  staging.remove(LogId{7}, ProducerId{5}, Sequence{1});
  CHECK(staging.next_expiry() == never);
  add(1);
  now += 1s;
  add(2);
  staging.remove(LogId{7}, ProducerId{5}, Sequence{1});
  CHECK(staging.next_expiry() == now + options.staging.run_expires);
  staging.remove_log(LogId{7});
  CHECK(staging.next_expiry() == never);
  CHECK(staging.bytes() == 0);
}

TEST_CASE_FIXTURE(StagingTest, "a run staged again counts from then") {
  add(1);
  staging.remove(LogId{7}, ProducerId{5}, Sequence{1});
  now += 20s;
  add(1);
  now += 15s;
  CHECK(staging.expire(now) == 0);
  now += 15s;
  CHECK(staging.expire(now) == 1);
  CHECK(staging.next_expiry() == never);
}

TEST_CASE_FIXTURE(StagingTest, "a pinned run does not expire, and is looked at again (D6)") {
  add(1);
  now += 1s;
  add(2);
  staging.find(LogId{7}, ProducerId{5}, Sequence{1})->pinned = true;
  now += 30s;
  CHECK(staging.expire(now) == 1);
  CHECK(staging.find(LogId{7}, ProducerId{5}, Sequence{1}) != nullptr);
  CHECK(staging.next_expiry() == now + options.staging.run_expires);
}

TEST_CASE_FIXTURE(StagingTest,
                  "a small run does not keep the block that it was received in, and all that it "
                  "keeps counts (Z1)") {
  // Each run of 41 bytes comes in a block of its own. Counting 41 bytes while keeping the block
  // would use far more memory than the limit.
  std::uint64_t kept = 0;
  for (std::uint64_t i = 1; i <= 1000; ++i) {
    REQUIRE(staging.add(now, LogId{7}, run(i), Bytes::allocate(256u << 10).slice(500, 41),
                        Staging::Claim::upload) == Errc::ok);
    kept += staging.find(LogId{7}, ProducerId{5}, Sequence{i})->frames.held();
  }
  CHECK(kept == 1000 * (41 + block_overhead));
  CHECK(staging.bytes() == kept + 1000 * staged_run_overhead);
  staging.remove_log(LogId{7});
  CHECK(staging.bytes() == 0);
}

TEST_CASE_FIXTURE(
    StagingTest,
    "before a log is matched, few of the runs that come with the copy as well are kept (C-1)") {
  constexpr std::uint64_t mib = 1u << 20;
  const auto upload = [&](std::uint64_t first) {
    return staging.add(now, LogId{7}, run(first), Bytes::allocate(mib),
                       Staging::Claim::upload_unmatched);
  };
  std::uint64_t first = 0;
  while (upload(++first) == Errc::ok) REQUIRE(first < 64);
  // The last of 16 runs exceeds the limit, because each counts for more than its bytes.
  CHECK(first == options.staging.bytes_unmatched_max / mib);
  CHECK(staging.bytes() <= options.staging.bytes_unmatched_max);
  CHECK(staging.add(now, LogId{7}, run(first), Bytes::allocate(mib), Staging::Claim::upload) ==
        Errc::ok);
  CHECK(staging.add(now, LogId{7}, run(first + 1), Bytes::allocate(mib), Staging::Claim::ordered) ==
        Errc::ok);
}

}  // namespace

// The cache of a log's newest frames (spec/06, spec/09): it keeps copies of small groups and counts
// whole blocks.
#include "storage-node/core/tail_cache.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::storage;

TEST_CASE(
    "tail cache: small groups do not keep the blocks that they came in, and whole blocks count "
    "(Z1)") {
  // Groups of 60 bytes arrive in blocks of 256 KiB, as beside another log's large runs. Keeping the
  // blocks would exceed the bound by far.
  TailCache cache;
  constexpr std::uint64_t bound = 64u << 10;
  Offset at{};
  std::size_t kept = 0;
  for (int i = 0; i < 2000; ++i) {
    const Bytes small = Bytes::allocate(256u << 10).slice(100, 60);
    std::memset(const_cast<std::byte*>(small.data()), i, small.size());
    cache.add(at, small, bound);
    at += 60;
    CHECK(cache.bytes() <= bound);
  }
  for (Offset o{}; o < at; o += 60)
    if (const Bytes b = cache.get(o, 60); !b.empty()) {
      CHECK(b.held() == 60 + block_overhead);
      kept += b.held();
    }
  CHECK(kept > 0);
  CHECK(kept == cache.bytes());
}

TEST_CASE(
    "tail cache: a small answer from a large group is a copy, so that a slow reader keeps no group "
    "(Z1)") {
  TailCache cache;
  cache.add(Offset{}, Bytes::allocate(1u << 20), 8u << 20);
  CHECK(cache.get(Offset{}, 40u << 10).held() == (40u << 10) + block_overhead);
  CHECK(cache.get(Offset{}, 1u << 20).held() == (1u << 20) + block_overhead);
}

namespace {
/// The memory that a cached block of this size takes.
constexpr std::uint64_t held(std::uint64_t size) { return size + block_overhead; }
}  // namespace

// After a burst of writes to many logs the caches of those logs were full for ever, and the log
// that was written next got no room.
TEST_CASE("tail caches: a log that is written takes the room of logs that are not") {
  constexpr std::uint64_t block = 10'000;
  TailCacheLimits limits;
  limits.bytes_max = 3 * held(block);
  TailCaches all(limits);
  TailCache first, second, busy;
  Time now{};
  all.add(first, now, Offset{}, Bytes::allocate(block));
  all.add(second, now, Offset{}, Bytes::allocate(block));
  all.add(first, now, Offset{block}, Bytes::allocate(block));
  CHECK(all.bytes() == limits.bytes_max);
  all.add(busy, now, Offset{}, Bytes::allocate(block));
  CHECK(second.bytes() == 0);  // nothing was written to it for longest
  CHECK(first.bytes() == 2 * held(block));
  all.add(busy, now, Offset{block}, Bytes::allocate(block));
  CHECK(first.get(Offset{}, block).empty());  // its oldest bytes go
  CHECK(first.get(Offset{block}, block).size() == block);
  for (std::uint64_t i = 2; i < 5; ++i)
    all.add(busy, now, Offset{i * block}, Bytes::allocate(block));
  CHECK(first.bytes() == 0);
  CHECK(busy.bytes() == limits.bytes_max);
  CHECK(all.bytes() == limits.bytes_max);
}

TEST_CASE("tail caches: the bytes of a log stay for a while after its last write, and then go") {
  const TailCacheLimits limits;
  TailCaches all(limits);
  CHECK(all.next_tick() == never);
  Time now{};
  TailCache idle, busy;
  all.add(idle, now, Offset{}, Bytes::allocate(1000));
  now += 1s;
  all.add(busy, now, Offset{}, Bytes::allocate(1000));
  CHECK(all.next_tick() == Time{} + limits.unused_max);
  all.tick(all.next_tick() - 1us);
  CHECK(idle.bytes() == held(1000));
  all.tick(all.next_tick());
  CHECK(idle.bytes() == 0);
  CHECK(all.bytes() == held(1000));
  CHECK(all.next_tick() == now + limits.unused_max);
  all.clear(busy);
  CHECK(all.next_tick() == never);
  CHECK(all.bytes() == 0);
}

TEST_CASE("tail caches: a cache that goes leaves its room") {
  const TailCacheLimits limits;
  TailCaches all(limits);
  {
    TailCache gone;
    all.add(gone, Time{}, Offset{}, Bytes::allocate(1000));
  }
  CHECK(all.bytes() == 0);
  CHECK(all.next_tick() == never);
}

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

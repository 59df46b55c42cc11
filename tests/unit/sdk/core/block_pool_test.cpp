// The pool of large blocks (spec/09): a block is given out again only when nobody else holds it,
// and the pool keeps no more than its limit.
#include "sdk/core/block_pool.h"

#include <doctest/doctest.h>

#include <vector>

using namespace loglog;
using client::BlockPool;

TEST_CASE("a large block is used again once no run and no connection holds it, and not before") {
  BlockPool pool;
  Bytes run = pool.allocate(BlockPool::pooled_min);
  const std::byte* const block = run.data();
  Bytes queued = run.slice(10, 20);  // a connection has not written it yet
  run = {};
  CHECK(pool.allocate(BlockPool::pooled_min).data() != block);
  queued = {};
  CHECK(pool.allocate(BlockPool::pooled_min).data() == block);
  // A block more than twice as large would be wasted on a small run.
  CHECK(pool.allocate(BlockPool::pooled_min).data() == block);
  const Bytes large = pool.allocate(4 * BlockPool::pooled_min);
  CHECK(large.size() == 4 * BlockPool::pooled_min);
}

TEST_CASE("the pool of blocks keeps at most 4 MiB, and small blocks not at all") {
  BlockPool pool;
  std::vector<Bytes> held;
  for (int i = 0; i < 100; ++i) held.push_back(pool.allocate(1u << 20));
  // `unique` is false for a block that the pool still holds beside the run.
  std::size_t kept = 0;
  for (const Bytes& b : held)
    if (!b.unique()) kept += b.size();
  CHECK(kept == BlockPool::kept_max);
  CHECK(pool.allocate(BlockPool::pooled_min - 1).unique());
  CHECK(pool.allocate(BlockPool::kept_max + 1).unique());
}

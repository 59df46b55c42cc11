// A block is free if the pool holds its only handle, so no user has to give it back.
#include "sdk/core/block_pool.h"

#include <algorithm>

namespace loglog::client {

Bytes BlockPool::allocate(std::size_t size) {
  if (size < pooled_min || size > kept_max) return Bytes::allocate(size);
  const auto fits = [size](const Bytes& b) {
    return b.size() >= size && b.size() <= 2 * size && b.unique();
  };
  if (const auto found = std::ranges::find_if(blocks_, fits); found != blocks_.end()) return *found;
  for (; kept_ + size > kept_max; blocks_.pop_front()) kept_ -= blocks_.front().size();
  kept_ += size;
  return blocks_.emplace_back(Bytes::allocate(size));
}

}  // namespace loglog::client

// Ranges are handles on the blocks in which the bytes were received or stamped.
#include "storage-node/core/tail_cache.h"

#include <algorithm>

namespace loglog::storage {
namespace {
/// Ranges below this size are gathered into an answer; a larger range goes out as a slice without a
/// copy.
constexpr std::size_t gather_below = 32u << 10;
}  // namespace

void TailCache::add(Offset at, const Bytes& bytes, std::uint64_t bound) {
  if (bytes.empty()) return;
  // A gap: the log was cut or copied, so the old ranges are of no use.
  if (!ranges_.empty() && ranges_.back().at + ranges_.back().bytes.size() != at) clear();
  ranges_.push_back({at, bytes.to_keep()});
  bytes_ += ranges_.back().bytes.held();
  while (bytes_ > bound && !ranges_.empty()) {
    bytes_ -= ranges_.front().bytes.held();
    ranges_.pop_front();
  }
}

void TailCache::clear() {
  ranges_.clear();
  bytes_ = 0;
}

Bytes TailCache::get(Offset at, std::uint64_t length) const {
  auto it = std::upper_bound(ranges_.begin(), ranges_.end(), at,
                             [](Offset o, const Range& r) { return o < r.at; });
  if (it == ranges_.begin()) return {};
  --it;
  const std::uint64_t skip = at - it->at;
  if (skip >= it->bytes.size()) return {};
  // Enough bytes in a single range are returned as they are.
  const std::uint64_t here = std::min<std::uint64_t>(length, it->bytes.size() - skip);
  if (here == length || here >= gather_below || std::next(it) == ranges_.end())
    return it->bytes.slice(skip, here).to_keep();
  std::uint64_t total = here;
  auto last = std::next(it);
  for (; last != ranges_.end() && total < length; ++last)
    total += std::min<std::uint64_t>(length - total, last->bytes.size());
  Bytes out = Bytes::allocate(total);
  std::uint64_t put = 0;
  for (auto r = it; r != last; ++r) {
    const std::uint64_t from = r == it ? skip : 0;
    const std::uint64_t n = std::min<std::uint64_t>(total - put, r->bytes.size() - from);
    std::memcpy(out.mutable_data() + put, r->bytes.data() + from, n);
    put += n;
  }
  return out;
}

}  // namespace loglog::storage

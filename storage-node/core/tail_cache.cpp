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
  while (bytes_ > bound && !ranges_.empty()) drop_oldest();
}

TailCache::~TailCache() {
  if (list_ != nullptr) list_->clear(*this);
}

void TailCache::clear() {
  ranges_.clear();
  bytes_ = 0;
}

void TailCache::drop_oldest() {
  if (ranges_.empty()) return;
  bytes_ -= ranges_.front().bytes.held();
  ranges_.pop_front();
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

void TailCaches::add(TailCache& cache, Time now, Offset at, const Bytes& bytes) {
  bytes_ -= cache.bytes();
  cache.add(at, bytes, std::min(limits_.bytes_per_log_max, limits_.bytes_max));
  bytes_ += cache.bytes();
  cache.written_ = now;
  if (cache.list_ == nullptr) {
    cache.list_ = this;
    cache.place_ = by_age_.insert(by_age_.end(), &cache);
  } else {
    by_age_.splice(by_age_.end(), by_age_, cache.place_);
  }
  while (bytes_ > limits_.bytes_max) {
    TailCache& oldest = *by_age_.front();
    bytes_ -= oldest.bytes();
    oldest.drop_oldest();
    bytes_ += oldest.bytes();
    if (oldest.bytes() == 0) leave(oldest);
  }
}

void TailCaches::clear(TailCache& cache) {
  bytes_ -= cache.bytes();
  cache.clear();
  if (cache.list_ != nullptr) leave(cache);
}

void TailCaches::leave(TailCache& cache) {
  by_age_.erase(cache.place_);
  cache.list_ = nullptr;
}

void TailCaches::tick(Time now) {
  while (next_tick() <= now) clear(*by_age_.front());
}

Time TailCaches::next_tick() const {
  return by_age_.empty() ? never : by_age_.front()->written_ + limits_.unused_max;
}

}  // namespace loglog::storage

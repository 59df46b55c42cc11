// items_ is ordered by offset and has no gaps, so offsets are found by binary search.
#include "sequencer/core/log/order_stream.h"

#include <algorithm>

#include "proto-spec/vocabulary/check.h"

namespace loglog::sequencer {

Offset OrderStream::push(OrderItem item) {
  const Offset at = end_;
  const std::uint32_t length = item.run.length;
  check(length > 0, "an ordered item has bytes");
  items_.push_back({std::move(item), at, length});
  end_ += length;
  return at;
}

/// The item that begins at exactly `o`; the end if `o` is no beginning of an item.
std::deque<OrderStream::Placed>::const_iterator OrderStream::at(Offset o) const {
  const auto i = std::lower_bound(items_.begin(), items_.end(), o,
                                  [](const Placed& p, Offset x) { return p.at < x; });
  return i != items_.end() && i->at == o ? i : items_.end();
}

bool OrderStream::is_boundary(Offset o) const { return o == end_ || at(o) != items_.end(); }

Offset OrderStream::collect(Offset from, std::size_t count, std::uint64_t bytes,
                            std::vector<OrderItem>& out) const {
  Offset end = from;
  for (auto i = at(from); i != items_.end() && count > 0; ++i, --count) {
    if (end > from && end - from + i->length > bytes) break;
    out.push_back(i->item);
    end += i->length;
  }
  return end;
}

std::size_t OrderStream::items_between(Offset from, Offset to) const {
  const auto before = [](const Placed& p, Offset x) { return p.at < x; };
  return static_cast<std::size_t>(std::lower_bound(items_.begin(), items_.end(), to, before) -
                                  std::lower_bound(items_.begin(), items_.end(), from, before));
}

void OrderStream::drop_below(Offset o) {
  while (!items_.empty() && end_of_front() <= o) drop_front();
}

void OrderStream::drop_front() {
  begin_ = end_of_front();
  items_.pop_front();
}

/// Only the newest offsets stay: a replica that lags further is reconciled by other means (S4).
bool ChainRecord::note(Offset o, Chain c) {
  const auto [at, fresh] = points_.try_emplace(o, c);
  if (!fresh) return at->second == c;
  if (points_.size() > kept) points_.erase(points_.begin());
  return true;
}

}  // namespace loglog::sequencer

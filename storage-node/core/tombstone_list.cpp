// A write of the file is in flight at most once; ids that come meanwhile share the next write.
#include "storage-node/core/tombstone_list.h"

#include <algorithm>
#include <utility>

namespace loglog::storage {

bool TombstoneList::names(LogId log) const { return std::ranges::binary_search(list_.ids, log); }

/// T5: ids are Raft indexes, so an id at or below the floor is an old log's. Only a disk that
/// replaces another disk joins old logs (C1), and the metadata names those.
bool TombstoneList::forbids(LogId log) const {
  if (names(log)) return true;
  return log <= list_.floor &&
         std::ranges::none_of(node_.metadata.logs, [log](const LogInfo& l) { return l.id == log; });
}

void TombstoneList::add(LogId log, std::function<void()> then) {
  next_.push_back(std::move(then));
  if (const auto at = std::ranges::lower_bound(list_.ids, log);
      at == list_.ids.end() || *at != log) {
    list_.ids.insert(at, log);
    // P2: the older half becomes the floor, so that the file has a bound.
    if (list_.ids.size() > tombstones_max) {
      const auto kept = list_.ids.begin() + static_cast<std::ptrdiff_t>(tombstones_max / 2);
      list_.floor = *std::prev(kept);
      list_.ids.erase(list_.ids.begin(), kept);
    }
  }
  changed_ = true;
  if (!saving_) save();
}

void TombstoneList::save() {
  saving_ = true;
  changed_ = false;
  waits_ = std::exchange(next_, {});
  // The alternating slot keeps the list before this write intact until the write is durable.
  ++list_.counter;
  node_.disk(SaveTombstones{list_.counter, encode_tombstones(list_)}, [this](DiskDone&&) {
    saving_ = false;
    const auto done = std::exchange(waits_, {});
    // The next write starts before the callbacks, because a callback may add another log.
    if (changed_) save();
    for (const auto& then : done) then();
  });
}

}  // namespace loglog::storage

#include "storage-node/core/tombstone_list.h"

#include <algorithm>
#include <utility>

namespace loglog::storage {

bool TombstoneList::names(LogId log) const { return std::ranges::binary_search(list_.ids, log); }

/// Ids are Raft indexes, so an id below the floor is an old log's. Only a disk that takes another's
/// place joins old logs, and the metadata names those.
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
  ++list_.counter;
  node_.disk(SaveTombstones{list_.counter, encode_tombstones(list_)}, [this](DiskDone&&) {
    saving_ = false;
    const auto done = std::exchange(waits_, {});
    if (changed_) save();
    for (const auto& then : done) then();
  });
}

}  // namespace loglog::storage

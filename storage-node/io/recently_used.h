// A map of limited size that drops its least recently used entry. Used for open descriptors.
#pragma once
#include <cstddef>
#include <list>
#include <map>
#include <utility>

namespace loglog::storage {

/// Not thread-safe; the owner locks.
template <class Key, class Value>
class RecentlyUsed {
 public:
  /// `most`: entries at most, at least 1.
  explicit RecentlyUsed(std::size_t most) : most_(most) {}

  /// The value of a key, or null. The entry becomes the most recently used. The pointer is valid
  /// until the next call.
  Value* find(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return &found->second->second;
  }
  /// Sets the value of a key, and drops the oldest entry if the map is full.
  void put(const Key& key, Value value) {
    erase(key);
    order_.emplace_front(key, std::move(value));
    places_[key] = order_.begin();
    if (places_.size() > most_) erase(Key(order_.back().first));
  }
  void erase(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return;
    order_.erase(found->second);
    places_.erase(found);
  }
  /// Removes the entries whose key satisfies `which`.
  template <class Which>
  void erase_if(const Which& which) {
    for (auto i = places_.begin(); i != places_.end();) {
      if (!which(i->first)) {
        ++i;
        continue;
      }
      order_.erase(i->second);
      i = places_.erase(i);
    }
  }
  std::size_t size() const { return places_.size(); }

 private:
  using Order = std::list<std::pair<const Key, Value>>;
  std::size_t most_;
  /// The most recently used entry is first.
  Order order_;
  std::map<Key, typename Order::iterator> places_;
};

}  // namespace loglog::storage

// A map of bounded size that lets go of what was not asked for longest.
#pragma once
#include <cstddef>
#include <list>
#include <map>
#include <utility>

namespace loglog::storage {

/// Not thread-safe.
template <class Key, class Value>
class RecentlyUsed {
 public:
  /// `most` ≥ 1.
  explicit RecentlyUsed(std::size_t most) : most_(most) {}

  /// nullptr: none. What is found is the most recently used one from now on; the pointer holds
  /// until the next call.
  Value* find(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return &found->second->second;
  }
  /// Replaces what the key had.
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
  /// Those whose key `which` says true of.
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
  Order order_;  // the most recently used first
  std::map<Key, typename Order::iterator> places_;
};

}  // namespace loglog::storage

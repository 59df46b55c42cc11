// A bounded map that drops the entry which was unused for the longest time (RecentlyUsed). The node
// keeps open files in it.
#include "storage-node/io/recently_used.h"

#include <doctest/doctest.h>

#include <memory>

using loglog::storage::RecentlyUsed;

TEST_CASE("recently used: what was not asked for longest goes first") {
  RecentlyUsed<int, std::shared_ptr<int>> kept(3);
  const auto held = std::make_shared<int>(10);
  kept.put(1, held);
  kept.put(2, std::make_shared<int>(20));
  kept.put(3, std::make_shared<int>(30));
  REQUIRE(kept.find(1) != nullptr);
  CHECK(**kept.find(1) == 10);
  kept.put(4, std::make_shared<int>(40));
  CHECK(kept.find(2) == nullptr);
  kept.put(3, std::make_shared<int>(31));  // replacing counts as a use
  kept.put(5, std::make_shared<int>(50));
  CHECK(kept.size() == 3);
  CHECK(kept.find(1) == nullptr);
  CHECK(held.use_count() == 1);
  CHECK(**kept.find(3) == 31);
  CHECK(**kept.find(4) == 40);
  CHECK(**kept.find(5) == 50);
}

TEST_CASE("recently used: by key, and all that match, away") {
  RecentlyUsed<int, int> kept(8);
  for (int i = 1; i <= 6; ++i) kept.put(i, 10 * i);
  kept.erase(1);
  kept.erase(1);
  kept.erase_if([](int key) { return key % 2 == 0; });
  CHECK(kept.size() == 2);
  CHECK(kept.find(4) == nullptr);
  REQUIRE(kept.find(3) != nullptr);
  CHECK(*kept.find(3) == 30);
  CHECK(*kept.find(5) == 50);
  for (int i = 11; i <= 17; ++i) kept.put(i, i);  // erased entries take no place
  CHECK(kept.size() == 8);
  CHECK(kept.find(3) == nullptr);
  CHECK(kept.find(5) != nullptr);
}

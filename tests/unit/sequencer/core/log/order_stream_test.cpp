// The leader's window of ordered runs (OrderStream): offsets, boundaries between runs, and what may
// be dropped; and the comparison of chains (D4).
#include "sequencer/core/log/order_stream.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::sequencer;

TEST_CASE("order stream: offsets, boundaries, window (D1)") {
  OrderStream s(Term{3}, Offset{1000}, Term{2});
  const auto item = [](std::uint32_t length) {
    return OrderItem{{ProducerId{1}, Sequence{1}, 1, length, {}}, {}};
  };
  // Three runs of 100, 50 and 70 bytes from offset 1000 on.
  CHECK(s.is_boundary(Offset{1000}));
  CHECK(s.push(item(100)) == Offset{1000});
  CHECK(s.push(item(50)) == Offset{1100});
  CHECK(s.push(item(70)) == Offset{1150});
  CHECK(s.end() == Offset{1220});
  CHECK(s.is_boundary(Offset{1100}));
  CHECK(!s.is_boundary(Offset{1101}));
  CHECK(s.term_before(Offset{1000}) == Term{2});
  CHECK(s.term_before(Offset{1100}) == Term{3});
  CHECK(s.items_between(Offset{1000}, Offset{1150}) == 2);
  std::vector<OrderItem> out;
  CHECK(s.collect(Offset{1100}, 10, 1000, out) == Offset{1220});
  CHECK(out.size() == 2);
  out.clear();
  CHECK(s.collect(Offset{1000}, 10, 1, out) == Offset{1100});  // at least a single item
  s.drop_below(Offset{1149});
  CHECK(s.begin() == Offset{1100});
  s.drop_below(Offset{1150});
  CHECK(s.begin() == Offset{1150});
  CHECK(!s.is_boundary(Offset{1100}));
}

TEST_CASE("chains: unequal ones at the same offset are seen (D4)") {
  ChainRecord c;
  CHECK(c.note(Offset{1}, Chain{5}));
  CHECK(c.note(Offset{1}, Chain{5}));
  CHECK(!c.note(Offset{1}, Chain{6}));
  for (std::uint64_t i = 2; i < 5000; ++i) CHECK(c.note(Offset{i}, Chain{i}));
  CHECK(c.points().size() == ChainRecord::kept);
}

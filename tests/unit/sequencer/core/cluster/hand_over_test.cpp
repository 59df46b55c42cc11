// When a leader hands over (spec/04 S8, "Handing over at a stop"): the part alone, without Raft.
// tests/unit/sequencer/core/sequencer_machine_test.cpp has the way through the machine.
#include "sequencer/core/cluster/hand_over.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::sequencer;

namespace {
constexpr Time start{1h};
const SequencerId one{1}, two{2}, three{3};
}  // namespace

TEST_CASE(
    "hand over: a leader yields after 2 s without a quorum, and then with longer pauses (S8)") {
  const Options options;
  HandOver h(options);
  CHECK_FALSE(h.should_yield(start, 1, 2));
  CHECK_FALSE(h.should_yield(start + 1s, 1, 2));
  CHECK(h.should_yield(start + 2s, 1, 2));
  h.yielded(start + 2s);
  CHECK_FALSE(h.should_yield(start + 6s, 1, 2));
  CHECK(h.should_yield(start + 7s, 1, 2));
  h.yielded(start + 7s);
  CHECK_FALSE(h.should_yield(start + 16s, 1, 2));
  CHECK(h.should_yield(start + 17s, 1, 2));
  SUBCASE("all quorums in reach: the pause begins anew, and so do the 2 s") {
    CHECK_FALSE(h.should_yield(start + 18s, 2, 2));
    CHECK_FALSE(h.should_yield(start + 19s, 1, 2));
    CHECK(h.should_yield(start + 21s, 1, 2));
  }
}

TEST_CASE("hand over: a leader that stops asks the sequencer that serves most, each before again") {
  const Options options;
  HandOver h(options);
  CHECK_FALSE(h.is_due(start));
  h.resign(start, true);
  CHECK(h.is_due(start));
  CHECK(h.may_wait_for_answers(start + 199ms));
  CHECK_FALSE(h.may_wait_for_answers(start + 200ms));
  CHECK(h.wake(true, true) == start + 200ms);
  CHECK(h.in_order({{one, 0}, {two, 3}, {three, 3}}) == std::vector{two, three, one});
  h.asked(start, two);
  CHECK_FALSE(h.is_due(start + 299ms));
  CHECK(h.is_due(start + 300ms));
  CHECK(h.in_order({{one, 0}, {two, 3}, {three, 3}}) == std::vector{three, one, two});
  h.asked(start + 300ms, std::nullopt);
  CHECK(h.is_due(start + 310ms));
  CHECK_FALSE(h.is_over(start + 1999ms));
  CHECK(h.is_over(start + 2s));
}

TEST_CASE("hand over: a sequencer that did not lead has nothing to hand over") {
  const Options options;
  HandOver h(options);
  CHECK_FALSE(h.is_over(start));
  h.resign(start, false);
  CHECK(h.is_over(start));
}

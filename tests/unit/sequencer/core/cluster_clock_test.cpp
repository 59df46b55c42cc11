// The clock of a majority (spec/06 R5): the least clock of a majority ages entries, the greatest
// stamps them, and a clock that was set does not count for an hour.
// No real clock: the tests give the steady time and every wall clock.
#include "sequencer/core/cluster_clock.h"

#include <doctest/doctest.h>

#include "proto-spec/disk/frame.h"

using namespace loglog;
using namespace loglog::sequencer;

namespace {

const SequencerId one{1}, two{2}, three{3};
constexpr std::uint64_t noon = 1'700'000'000'000;
constexpr std::uint64_t day = 86'400'000;

/// The clock of sequencer 1 of three, an hour after its start, when it has just heard the other
/// two.
ClusterClock clock(std::uint64_t own, std::uint64_t second, std::uint64_t third) {
  ClusterClock c(one, 3);
  c.look(Time{1h}, own);
  c.heard(Time{1h}, two, second);
  c.heard(Time{1h}, three, third);
  return c;
}

}  // namespace

TEST_CASE(
    "clocks: that of one machine a day ahead makes nothing old, and none a day behind stamps "
    "anything a day early (C-11, F15)") {
  // In both cases two right clocks outvote the wrong clock, whichever sequencer has it.
  for (const std::uint64_t wrong : {noon + day, noon - day}) {
    CAPTURE(wrong);
    const ClusterClock leader_is_wrong = clock(wrong, noon, noon + 10);
    CHECK(!leader_is_wrong.age_by(Time{1h}));
    CHECK(leader_is_wrong.stamp(Time{1h}) >= noon);
    CHECK(leader_is_wrong.stamp(Time{1h}) <= noon + 10);
    CHECK(leader_is_wrong.off_ms(Time{1h}, one) >= day - 10);
    CHECK(leader_is_wrong.off_ms(Time{1h}, two) <= 10);
    const ClusterClock other_is_wrong = clock(noon, wrong, noon + 10);
    CHECK(!other_is_wrong.age_by(Time{1h}));
    CHECK(other_is_wrong.off_ms(Time{1h}, two) >= day - 10);
  }
}

TEST_CASE(
    "clocks: entries are old by the least clock of a majority, and stamped with the greatest of "
    "one (C-11, F15, R5)") {
  const ClusterClock c = clock(noon + 2000, noon, noon + 4000);
  CHECK(c.age_by(Time{1h}) == noon + 2000);
  CHECK(c.stamp(Time{1h}) == noon + 2000);
  CHECK(c.age_by(Time{1h + 3s}) == noon + 5000);  // steady time moves it on between answers

  ClusterClock two_of_three(one, 3);
  two_of_three.look(Time{1h}, noon);
  CHECK(!two_of_three.age_by(Time{1h}));  // its own clock is no majority
  CHECK(two_of_three.stamp(Time{1h}) == no_clock);
  two_of_three.heard(Time{1h}, three, noon + 1000);
  CHECK(two_of_three.age_by(Time{1h}) == noon);
  CHECK(two_of_three.stamp(Time{1h}) == noon + 1000);
  two_of_three.look(Time{1h + 11s}, noon + 11'000);  // the other's answer is too long ago
  CHECK(!two_of_three.age_by(Time{1h + 11s}));
}

TEST_CASE(
    "clocks: one that is set does not count for an hour, so that a setting of all makes nothing "
    "old (C-11, F15)") {
  ClusterClock alone(one, 1);
  alone.look(Time{1h}, noon);
  alone.look(Time{1h + 10s}, noon + 12'000);  // NTP moves the clock a little
  CHECK(alone.age_by(Time{1h + 10s}) == noon + 12'000);
  // The clock was set by 400 days: the sequencer names 0 as its clock.
  alone.look(Time{1h + 20s}, noon + 22'000 + 400 * day);
  CHECK(alone.told(Time{1h + 20s}) == 0);
  CHECK(!alone.age_by(Time{1h + 20s}));
  CHECK(alone.off_ms(Time{1h + 20s}, one) == ~std::uint32_t{0});
  SUBCASE("it is back three seconds later") {
    alone.look(Time{1h + 23s}, noon + 25'000);
    CHECK(alone.age_by(Time{1h + 23s}) == noon + 25'000);
  }
  SUBCASE("it stays") {
    // An hour later the new time counts.
    const Time later = Time{2h + 20s};
    alone.look(Time{2h + 19s}, noon + 3'621'000 + 400 * day);
    CHECK(!alone.age_by(Time{2h + 19s}));
    alone.look(later, noon + 3'622'000 + 400 * day);
    CHECK(alone.age_by(later) == noon + 3'622'000 + 400 * day);
  }
  SUBCASE("it was set back: what is stamped meanwhile is not early") {
    alone.look(Time{1h + 23s}, noon - day);
    CHECK(!alone.age_by(Time{1h + 23s}));
    CHECK(alone.stamp(Time{1h + 23s}) == no_clock);
  }
}

TEST_CASE(
    "clocks: a leader a day behind that heard one doubted voter stamps nothing, so the next leader "
    "finds nothing old (C-11, F15, R5)") {
  ClusterClock behind(one, 3);
  behind.look(Time{1h}, noon - day);
  behind.heard(Time{1h}, three, 0);  // the voter's clock was just set
  CHECK(behind.stamp(Time{1h}) == no_clock);
  behind.heard(Time{1h}, two, noon);
  CHECK(behind.stamp(Time{1h}) == noon);
}

TEST_CASE(
    "clocks: a sequencer whose clock was just set says so, and the others decide (C-11, F15)") {
  ClusterClock c(one, 3);
  c.look(Time{1h}, noon);
  c.heard(Time{1h}, two, 0);
  CHECK(!c.age_by(Time{1h}));
  CHECK(c.off_ms(Time{1h}, two) == ~std::uint32_t{0});
  c.heard(Time{1h}, three, noon + 3);
  CHECK(c.age_by(Time{1h}) == noon);
}

TEST_CASE("clocks: the alarm is raised once, and its end is told once") {
  const std::vector<SequencerInfo> all{{one, "a:1"}, {two, "b:1"}, {three, "c:1"}};
  ClusterClock c(one, 3);
  c.look(Time{1h}, noon);
  c.heard(Time{1h}, two, noon);
  c.heard(Time{1h}, three, noon - day);
  const auto raised = c.differ(Time{1h}, all);
  REQUIRE(raised);
  CHECK(raised->level == Event::Level::alarm);
  CHECK_FALSE(c.differ(Time{1h + 2s}, all));
  c.heard(Time{1h + 2s}, three, noon + 2000);
  CHECK_FALSE(c.differ(Time{1h + 2500ms}, all));  // at most one look a second
  const auto over = c.differ(Time{1h + 3s}, all);
  REQUIRE(over);
  CHECK(over->level == Event::Level::info);
}

// Points in a log by time (R6) and the segment of an offset: replicas that vanish, refuse or trim
// meanwhile, and clocks that are unknown. Searches over whole logs are in client_machine_test.cpp.
#include "sdk/core/time_search.h"

#include <doctest/doctest.h>

#include "tests/unit/sdk/core/asked_cluster.h"
#include "tests/unit/sdk/core/stored_log.h"

using namespace loglog;
using namespace loglog::client;

namespace {
struct Searching : AskedCluster {
  StoredLog stored;
  std::vector<Offset> segments;
  std::shared_ptr<TimeSearch> search;
  struct Step {
    Errc why;
    Offset found;
  };
  std::vector<Step> steps;

  void segment(std::uint64_t clock) {
    segments.push_back(stored.end());
    stored.segment_start(clock);
    stored.entry(9, segments.size(), "entry");
  }
  /// `question`: a time in milliseconds, or an offset.
  template <class Question>
  void begin(Question question) {
    search = std::make_shared<TimeSearch>(
        options, view, choice, log, question,
        [this](Time, Errc e, Offset found) { steps.push_back({e, found}); });
    search->poll(now);
  }
  void pass(Duration d) {
    now += d;
    view.tick(now);
    search->poll(now);
  }
  Message listed(Offset first = {}) const {
    return SegmentsAre{log, first, stored.end(), segments, {}};
  }
  /// Answers reads of start frames as long as there are any.
  void answer_reads() {
    for (auto sent = take<Read>(); !sent.empty(); sent = take<Read>())
      for (const Send& s : sent)
        answer(s,
               stored.page(std::get<Read>(s.message).offset, std::get<Read>(s.message).max_bytes));
  }
};
}  // namespace

// The list alone answers, so the question needs no read. A trim within the segment moves the answer
// up to the log's begin.
TEST_CASE("the segment of an offset is the last that begins at or below it, by the list alone") {
  Searching c;
  for (const std::uint64_t clock : {1000, 2000, 3000}) c.segment(clock);
  Offset asked = c.segments[1], first{}, expected = c.segments[1];
  SUBCASE("the offset is a segment's begin") {}
  SUBCASE("it lies within a segment") { asked = c.segments[2] + (~std::uint64_t{0}); }
  SUBCASE("the log begins within that segment") { first = expected = c.segments[1] + 10; }
  c.begin(asked);
  const Send s = c.only<GetSegments>();
  CHECK(std::get<GetSegments>(s.message).from == asked);
  c.answer(s, c.listed(first));
  REQUIRE(c.steps.size() == 1);
  CHECK(c.steps[0].why == Errc::ok);
  CHECK(c.steps[0].found == expected);
  CHECK(c.take<Read>().empty());
}

// A leader whose clock was just set writes no time. Taken for early, its segment would hide entries
// that are younger than the asked time.
TEST_CASE("a start whose leader knew no time is later than every time (R6)") {
  Searching c;
  for (const std::uint64_t clock : {std::uint64_t{1000}, std::uint64_t{2000}, no_clock})
    c.segment(clock);
  c.begin(std::uint64_t{10'000});
  c.answer(c.only<GetSegments>(), c.listed());
  c.answer_reads();
  REQUIRE(c.steps.size() == 1);
  CHECK(c.steps[0].found == c.segments[1]);
}

// The list names points that are gone, so the halves of the search mean nothing any more.
TEST_CASE("a point that is trimmed after it was listed: the points are listed anew (R6)") {
  Searching c;
  for (const std::uint64_t clock : {1000, 2000, 3000, 4000}) c.segment(clock);
  c.begin(std::uint64_t{2500});
  c.answer(c.only<GetSegments>(), c.listed());
  const Send read = c.only<Read>();
  const Offset point = std::get<Read>(read.message).offset;
  c.answer(read, c.stored.refusal(point, Errc::trimmed, c.segments[3]));
  CHECK(c.steps.empty());
  const Send again = c.only<GetSegments>();
  CHECK(std::get<GetSegments>(again.message).from == Offset{});
  c.answer(again, c.listed(c.segments[3]));
  c.answer_reads();
  REQUIRE(c.steps.size() == 1);
  CHECK(c.steps[0].found == c.segments[3]);  // nothing is left below, so all that is left is given
}

// The points are the same on every replica, so the search need not start over.
TEST_CASE("a replica that vanishes is left for another, with the same question") {
  Searching c;
  for (const std::uint64_t clock : {1000, 2000, 3000, 4000}) c.segment(clock);
  c.begin(std::uint64_t{2500});
  const Send list = c.only<GetSegments>();
  c.lose(list.to);
  const Send other = c.only<GetSegments>();
  CHECK(other.to != list.to);
  c.answer(other, c.listed());
  const Send read = c.only<Read>();
  c.pass(c.options.answer_timeout);
  const Send next = c.only<Read>();
  CHECK(next.to != read.to);
  CHECK(std::get<Read>(next.message) == std::get<Read>(read.message));
  CHECK_FALSE(c.answer(read, c.stored.page(Offset{})));  // too late
  c.answer(next, c.stored.page(std::get<Read>(next.message).offset, term_start_size_max));
  c.answer_reads();
  REQUIRE(c.steps.size() == 1);
  CHECK(c.steps[0].found == c.segments[1]);
}

// Perhaps the replicas have trimmed the points or lost the log, so the old list is not trusted.
TEST_CASE("after a round of refusals the search rests, tells why, and lists the points anew") {
  Searching c;
  for (const std::uint64_t clock : {1000, 2000}) c.segment(clock);
  c.begin(std::uint64_t{1500});
  c.answer(c.only<GetSegments>(), c.listed());
  for (int i = 0; i < 3; ++i) {
    const Send s = c.only<Read>();
    c.answer(s, c.stored.refusal(std::get<Read>(s.message).offset, Errc::not_here));
  }
  REQUIRE(c.steps.size() == 1);
  CHECK(c.steps[0].why == Errc::not_here);
  CHECK(c.search->wake() == c.now + all_refused_pause);
  c.pass(all_refused_pause - 1ms);
  CHECK(c.take<GetSegments>().empty());
  c.pass(1ms);
  CHECK(c.take<GetSegments>().size() == 1);
}

// Its call has ended at the deadline.
TEST_CASE("a search that was stopped takes no answer") {
  Searching c;
  c.segment(1000);
  c.begin(Offset{5});
  const Send s = c.only<GetSegments>();
  c.search->stop();
  CHECK(c.search->wake() == never);
  c.answer(s, c.listed());
  c.pass(10s);
  CHECK(c.steps.empty());
  CHECK(c.take<GetSegments>().empty());
}

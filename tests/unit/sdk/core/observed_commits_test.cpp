// Client-observed commit (V2): which reports of durable runs amount to a commit.
#include "sdk/core/observed_commits.h"

#include <doctest/doctest.h>

#include <set>

using namespace loglog;
using namespace loglog::client;

namespace {

constexpr LogId log_of_test{7};
constexpr ProducerId producer{9};

struct Reports {
  ObservedCommits observed{true};
  std::set<ConnectionId> gone;

  static Member member(std::uint32_t n) { return {NodeId{n}, DiskId{n}}; }
  /// The leader of the term names three members and a write quorum of two.
  explicit Reports(Term term = Term{2}) { begin(term); }
  void begin(Term term) {
    observed.begin(term);
    Message set = TermSetIs{log_of_test, term, 2, {member(1), member(2), member(3)}};
    observed.asked();
    CHECK(observed.answered(Time{}, &set));
  }
  /// Node `n` reports the run that begins with number 5 at `offset`.
  void report(std::uint32_t n, Offset offset = Offset{1000}, Term term = Term{2}) {
    observed.said(member(n), ConnectionId{n},
                  RunDurable{log_of_test, term, producer, Sequence{5}, offset});
  }
  std::optional<Offset> committed() const {
    return observed.committed(Sequence{5}, [this](ConnectionId c) {
      return gone.contains(c) ? Member{} : member(static_cast<std::uint32_t>(c.value));
    });
  }
};

}  // namespace

TEST_CASE("a write quorum of members commits a run at the offset that they report (V2)") {
  Reports r;
  r.report(1);
  CHECK_FALSE(r.committed());
  r.report(1);
  CHECK_FALSE(r.committed());  // a node counts once (V2_quorum)
  r.report(3);
  CHECK(r.committed() == Offset{1000});
  r.observed.forget(Sequence{5});
  CHECK_FALSE(r.committed());
}

TEST_CASE("reports count for the offset that they name alone (V2_same)") {
  Reports r;
  r.report(1, Offset{1000});
  r.report(2, Offset{2000});
  CHECK_FALSE(r.committed());
  r.report(3, Offset{2000});
  CHECK(r.committed() == Offset{2000});
}

TEST_CASE("reports of another term are not kept, and a new term forgets the old term's (V2_same)") {
  Reports r;
  r.report(1, Offset{1000}, Term{1});
  r.report(2, Offset{1000}, Term{3});
  r.report(3);
  CHECK_FALSE(r.committed());
  r.begin(Term{3});
  r.report(1, Offset{1000}, Term{3});
  CHECK_FALSE(r.committed());
  r.report(2, Offset{1000}, Term{3});
  CHECK(r.committed() == Offset{1000});
}

TEST_CASE("a node that is no member of the term's set does not count (V2_member)") {
  Reports r;
  r.report(1);
  r.report(4);
  CHECK_FALSE(r.committed());
}

TEST_CASE("a report counts only while its connection stands (V2_stands)") {
  Reports r;
  r.report(1);
  r.report(2);
  r.gone = {ConnectionId{2}};
  CHECK_FALSE(r.committed());
  r.report(3);
  CHECK(r.committed() == Offset{1000});
}

TEST_CASE(
    "without the term's set nothing is observed, and the leader is asked again after a pause") {
  ObservedCommits observed(true);
  observed.begin(Term{2});
  CHECK(observed.asks_for_set(Time{1s}));
  observed.asked();
  CHECK_FALSE(observed.asks_for_set(Time{1s}));
  CHECK(observed.wake() == never);
  Message refused = Failed{Errc::stale_term, {}};
  CHECK_FALSE(observed.answered(Time{1s}, &refused));
  CHECK_FALSE(observed.asks_for_set(Time{1s}));
  CHECK(observed.wake() == Time{1s} + refusal_pause);
  CHECK(observed.asks_for_set(Time{1s} + refusal_pause));
  observed.said(Reports::member(1), ConnectionId{1},
                RunDurable{log_of_test, Term{2}, producer, Sequence{5}, Offset{}});
  CHECK_FALSE(observed.committed(Sequence{5}, [](ConnectionId) { return Reports::member(1); }));
  CHECK_FALSE(ObservedCommits(false).asks_for_set(Time{1s}));
}

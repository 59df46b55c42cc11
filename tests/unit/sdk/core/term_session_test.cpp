// The term of a log as a producer knows it: when the leader is asked, and which answers begin
// another term (spec/05 step 4, spec/07).
#include "sdk/core/term_session.h"

#include <doctest/doctest.h>

#include "tests/unit/sdk/core/known_cluster.h"

using namespace loglog;
using namespace loglog::client;
using News = TermSession::News;

namespace {
struct Session : KnownCluster {
  TermSession session{view};
  News tell(std::uint32_t term, std::uint64_t start, Offset known = {}) {
    return session.take(sequencer, {log, Term{term}, Offset{start}, Offset{start + 60}}, known);
  }
  Error answer(const Message& m) { return session.answered(now, sequencer, &m); }
};
}  // namespace

TEST_CASE("the leader is asked for the term once, and again after a pause") {
  Session s;
  CHECK(s.session.ask(s.now) == s.sequencer);
  s.now += 1s;
  CHECK(s.session.ask(s.now) == ConnectionId{});  // the question is under way
  CHECK(s.answer(Failed{Errc::not_ready, {}}).code == Errc::ok);
  CHECK(s.session.ask(s.now) == ConnectionId{});
  CHECK(s.session.wake() == s.now + refusal_pause);
  s.now += refusal_pause;
  CHECK(s.session.ask(s.now) == s.sequencer);
}

TEST_CASE("a log that takes no appends is told with the reason (A6)") {
  Session s;
  s.session.ask(s.now);
  const Error why = s.answer(Failed{Errc::log_halted, "two replicas differ"});
  CHECK(why.code == Errc::log_halted);
  CHECK(why.detail == "two replicas differ");
}

TEST_CASE("a sequencer that does not lead is left") {
  Session s;
  s.session.ask(s.now);
  CHECK(s.answer(Failed{Errc::not_leader, {}}).code == Errc::ok);
  CHECK_FALSE(s.view.is_leader(s.sequencer));
}

TEST_CASE("the first term is no change of term, each later term is (A3)") {
  Session s;
  CHECK(s.tell(3, 1000) == News::first_term);
  CHECK(s.session.leader() == s.sequencer);
  CHECK(s.tell(3, 1000) == News::same);
  CHECK(s.tell(4, 2000) == News::next_term);
  CHECK(s.session.start() == Offset{2000});
  CHECK(s.session.end() == Offset{2060});
  CHECK(s.tell(3, 1000) == News::ignored);
  CHECK(s.session.term() == Term{4});
}

TEST_CASE("only a sequencer can tell a term") {
  Session s;
  CHECK(s.session.take(s.node[1], {s.log, Term{3}, {}, {}}, {}) == News::ignored);
  CHECK_FALSE(s.session.is_open());
}

TEST_CASE("a lost leader leaves the term known and closed, until the leader tells it again (A1)") {
  Session s;
  s.tell(3, 1000);
  s.session.lose(s.now, 0ms);
  CHECK_FALSE(s.session.is_open());
  CHECK(s.session.term() == Term{3});
  CHECK(s.tell(3, 1000) == News::same);
  CHECK(s.session.is_open());
}

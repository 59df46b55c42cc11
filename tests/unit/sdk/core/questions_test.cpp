// Questions to the cluster: the node that is asked, the proof that a repeat gives (T6), and the
// ends: an answer, the deadline, a cluster that was never there, close().
#include "sdk/core/questions.h"

#include <doctest/doctest.h>

#include "tests/unit/sdk/core/asked_cluster.h"

using namespace loglog;
using namespace loglog::client;

namespace {
struct Asking : AskedCluster {
  struct Heard {
    Message message;
    bool repeated;
  };
  std::vector<Heard> heard;  // the answers that the call was given
  Questions::Next next = Questions::Ended{};

  void ask(Time deadline = never, Questions::To to = Questions::To::leader) {
    questions.ask(
        now, Token{1}, GetTail{log}, deadline,
        [this](Time, ConnectionId, Message& m, bool repeated) {
          heard.push_back({m, repeated});
          return next;
        },
        to);
  }
  void pass(Duration d) {
    now += d;
    view.tick(now);
    questions.tick(now);
  }
  Message tail() const { return TailIs{log, {}, Offset{500}, Term{1}}; }
};
}  // namespace

// Most questions cost the leader work, such as a Raft round trip for GetTail. So a question that
// waits for its answer is not sent again, however often time passes.
TEST_CASE("a question goes to the leader, and once until it is answered") {
  Asking c;
  c.ask();
  const Send s = c.only<GetTail>();
  CHECK(s.to == c.sequencer);
  c.pass(1s);
  CHECK(c.take<GetTail>().empty());
  CHECK(c.answer(s, c.tail()));
  REQUIRE(c.heard.size() == 1);
  CHECK_FALSE(c.heard[0].repeated);
  c.pass(10s);
  CHECK(c.take<GetTail>().empty());
  CHECK(c.questions.wake() == never);
}

// The leader answered that it cannot act yet. It may have acted on the first copy all the same, so
// a change of the metadata must not take the next refusal for a definite refusal.
TEST_CASE("a temporary refusal is waited out, and the next answer is none to a first copy (T6)") {
  Asking c;
  c.ask();
  c.answer(c.only<GetTail>(), Failed{Errc::not_ready, {}});
  CHECK(c.heard.empty());
  CHECK(c.questions.wake() == c.now + 20ms);
  c.pass(19ms);
  CHECK(c.take<GetTail>().empty());
  c.pass(1ms);
  c.answer(c.only<GetTail>(), Failed{Errc::log_halted, "two replicas differ"});
  REQUIRE(c.heard.size() == 1);
  CHECK(c.heard[0].repeated);
}

// The former leader names no other, so the client asks around. It must not ask the former leader
// again meanwhile, which would answer the same for ever.
TEST_CASE("a sequencer that does not lead is left for the leader that another sequencer names") {
  Asking c;
  const auto sequencers = c.sequencers(2);
  c.ask();
  c.answer(c.only<GetTail>(), Failed{Errc::not_leader, {}});
  c.pass(1s);
  CHECK(c.take<GetTail>().empty());  // no leader is known
  c.view.learn(sequencers[1], {c.view.metadata(), SequencerId{2}});
  c.pass(20ms);
  CHECK(c.only<GetTail>().to == sequencers[1]);
}

// Nobody knows whether the leader acted before its answer was lost. The flag is what tells
// delete_log that 'no such log' may be its own doing.
TEST_CASE("an answer that is lost makes the next copy a repeated copy (T6)") {
  Asking c;
  c.ask();
  const Send first = c.only<GetTail>();
  SUBCASE("the leader is silent") {
    c.pass(c.options.answer_timeout - 1ms);
    CHECK(c.take<GetTail>().empty());
    c.pass(1ms);
  }
  SUBCASE("the connection ends") {
    c.lose(c.sequencer);
    c.out.connects.clear();
    c.pass(1s);
    REQUIRE(c.out.connects.size() == 1);
    c.sequencer = c.accept(Role::sequencer, 1);
  }
  c.view.learn(c.sequencer, {c.view.metadata(), SequencerId{1}});
  c.pass(20ms);
  const Send second = c.only<GetTail>();
  CHECK(second.request != first.request);
  CHECK_FALSE(c.answer(first, c.tail()));  // too late
  CHECK(c.answer(second, c.tail()));
  REQUIRE(c.heard.size() == 1);
  CHECK(c.heard[0].repeated);
}

// A chain of questions, such as tail and trim, goes on without a pause. The flag starts over,
// because no copy of the new message has been sent yet.
TEST_CASE("a message in place of an answer is asked at once, as a first copy (T6)") {
  Asking c;
  c.ask();
  c.answer(c.only<GetTail>(), Failed{Errc::not_ready, {}});
  c.pass(20ms);
  c.next = Message(TrimLog{c.log, Offset{5}});
  c.answer(c.only<GetTail>(), c.tail());
  c.questions.tick(c.now);
  const Send trim = c.only<TrimLog>();
  c.next = Questions::Again{};
  c.answer(trim, c.tail());
  CHECK_FALSE(c.heard.back().repeated);
  c.pass(19ms);
  CHECK(c.take<TrimLog>().empty());
  c.pass(1ms);
  CHECK(c.take<TrimLog>().size() == 1);  // Again: the newer message, after the pause
}

// Any node knows which logs and nodes there are, so opening a log needs no leader. A tail needs the
// leader's word.
TEST_CASE("without a leader a question for anybody goes to any node, any other question waits") {
  Asking c;
  c.view.not_leader(c.sequencer, {});
  SUBCASE("for anybody") {
    c.ask(never, Questions::To::anybody);
    CHECK(c.take<GetTail>().size() == 1);
  }
  SUBCASE("for the leader") {
    c.ask();
    c.pass(1s);
    CHECK(c.take<GetTail>().empty());
    CHECK_FALSE(c.take<GetMetadata>().empty());  // the leader is looked for
  }
}

// The caller must hear why the call took so long: a cluster that answers 'not enough nodes' is
// another problem than a cluster that is silent.
TEST_CASE("at its deadline a question fails with the last temporary reason, once") {
  Asking c;
  c.ask(c.now + 1s);
  const Send s = c.only<GetTail>();
  Errc last = Errc::unavailable;
  SUBCASE("no answer came") {}
  SUBCASE("the leader could not do it yet") {
    last = Errc::not_enough_nodes;
    c.answer(s, Failed{last, {}});
  }
  CHECK(c.questions.wake() <= c.now + 1s);
  c.pass(1s);
  CHECK(c.error().code == last);
  CHECK(c.error().detail == "the deadline passed");
  CHECK(c.result<Failure>().timed_out);
  c.answer(s, c.tail());
  CHECK(c.heard.empty());
  CHECK(c.out.completed.size() == 1);
}

// A service is often started before its cluster and waits for it. A person who typed a wrong
// address waits for nothing.
TEST_CASE("a program for a person is told at once of a cluster that was never there") {
  Options o;
  SUBCASE("for a person") { o.wait_for_cluster = false; }
  SUBCASE("a service waits") {}
  UnreachedCluster c(o);
  Questions questions{c.options, c.view, c.answers};
  questions.ask(c.now, Token{1}, GetTail{LogId{7}}, never,
                [](Time, ConnectionId, Message&, bool) { return Questions::Ended{}; });
  c.refuse();
  questions.tick(c.now + c.options.refused_patience - 1ms);
  CHECK(c.out.completed.empty());
  CHECK((questions.wake() <= c.now + c.options.refused_patience) == !o.wait_for_cluster);
  questions.tick(c.now + c.options.refused_patience);
  REQUIRE(c.out.completed.size() == (o.wait_for_cluster ? 0 : 1));
  if (o.wait_for_cluster) return;
  const auto& f = std::get<Failure>(c.out.completed[0].result);
  CHECK(f.error.code == Errc::unavailable);
  CHECK(f.error.detail == "seq:1: connection refused");
  CHECK_FALSE(f.timed_out);
}

// A read or a follow asks, and its own call ends by its own rules. A completion here would end that
// call twice.
TEST_CASE(
    "the end of a log is told once, or its absence at the time given, and completes no call") {
  Asking c;
  std::vector<Offset> ends;
  int none = 0;
  c.questions.ask_end(c.now, c.log, c.now + 1s, [&](Time, const TailIs* t) {
    if (t == nullptr) ++none;
    else ends.push_back(t->committed);
  });
  const Send s = c.only<GetTail>();
  SUBCASE("the leader answers") {
    c.answer(s, c.tail());
    CHECK(ends == std::vector{Offset{500}});
    CHECK(none == 0);
  }
  SUBCASE("the leader refuses for good") {
    c.answer(s, Failed{Errc::no_such_log, {}});
    CHECK(none == 1);
  }
  SUBCASE("no answer") {
    c.pass(1s);
    CHECK(none == 1);
    c.answer(s, c.tail());
    CHECK(ends.empty());
  }
  c.pass(10s);
  c.questions.close();
  CHECK(none + static_cast<int>(ends.size()) == 1);
  CHECK(c.out.completed.empty());
}

// The driver drops its handlers after close(), so a completion that came later would find nobody.
TEST_CASE("close ends every question with client_closed, and late answers end nothing") {
  Asking c;
  c.ask();
  const Send s = c.only<GetTail>();
  c.questions.close();
  CHECK(c.error().code == Errc::client_closed);
  c.answer(s, c.tail());
  CHECK(c.heard.empty());
  CHECK(c.out.completed.size() == 1);
}

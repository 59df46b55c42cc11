// status(): each sequencer is asked once, and a slow sequencer counts as unreachable only after a
// time that a distant cluster keeps (F18).
#include "sdk/core/status_calls.h"

#include <doctest/doctest.h>

#include "tests/unit/sdk/core/asked_cluster.h"

using namespace loglog;
using namespace loglog::client;

namespace {
struct Asking : AskedCluster {
  std::vector<ConnectionId> all = sequencers(3);
  StatusCalls statuses{options, view, answers};
  static constexpr Token token{1};

  void pass(Duration d) {
    now += d;
    view.tick(now);
    statuses.tick(now);
  }
  /// The sequencer at the other end of the request answers.
  void told(const Send& s) {
    Status status;
    status.id = SequencerId{
        static_cast<std::uint32_t>(1 + (std::find(all.begin(), all.end(), s.to) - all.begin()))};
    answer(s, status);
  }
};
}  // namespace

// Status is asked by people and by monitoring in bad times, so it must not add load by repeats.
TEST_CASE("every sequencer is asked once, and the call ends with the last answer") {
  Asking c;
  c.statuses.ask(c.now, c.token, true, never);
  const auto asked = c.take<GetStatus>();
  REQUIRE(asked.size() == 3);
  for (const Send& s : asked) CHECK(std::get<GetStatus>(s.message).logs);
  c.told(asked[2]);
  c.told(asked[0]);
  c.pass(100ms);
  CHECK(c.out.completed.empty());
  CHECK(c.take<GetStatus>().empty());
  c.told(asked[1]);
  c.pass(0ms);
  const auto& r = c.result<ClusterStatus>();
  REQUIRE(r.sequencers.size() == 3);
  CHECK(r.sequencers[0].id == SequencerId{3});  // in order of arrival
  CHECK(r.sequencers[1].id == SequencerId{1});
  CHECK(r.unreachable.empty());
  CHECK(c.statuses.wake() == never);
}

// A dead sequencer must not make an operator wait for the deadline, and must be named: its absence
// is the answer.
TEST_CASE("a sequencer that is silent for a second is named as unreachable, before the deadline") {
  Asking c;
  c.statuses.ask(c.now, c.token, false, c.now + 60s);
  const auto asked = c.take<GetStatus>();
  REQUIRE(asked.size() == 3);
  c.told(asked[0]);
  c.told(asked[1]);
  CHECK(c.statuses.wake() == c.now + c.options.status_timeout);
  c.pass(c.options.status_timeout - 1ms);
  CHECK(c.out.completed.empty());
  c.pass(1ms);
  const auto& r = c.result<ClusterStatus>();
  CHECK(r.sequencers.size() == 2);
  REQUIRE(r.unreachable.size() == 1);
  CHECK(r.unreachable[0].address == "seq:3");
  c.told(asked[2]);  // too late
  CHECK(c.out.completed.size() == 1);
}

// Answers that have come are worth more than an error.
TEST_CASE("a deadline that comes first ends the call with the answers that came") {
  Asking c;
  c.statuses.ask(c.now, c.token, false, c.now + 100ms);
  c.told(c.take<GetStatus>().at(0));
  c.pass(100ms);
  CHECK(c.result<ClusterStatus>().sequencers.size() == 1);
  CHECK(c.result<ClusterStatus>().unreachable.size() == 2);
}

// The answer on the lost connection will not come. A sequencer that restarts within the wait is
// still worth its first question.
TEST_CASE("a sequencer whose connection vanishes is not asked again, and a new one is asked") {
  Asking c;
  SUBCASE("it vanishes after the question") {
    c.statuses.ask(c.now, c.token, false, never);
    const auto asked = c.take<GetStatus>();
    REQUIRE(asked.size() == 3);
    c.lose(c.all[2]);
    c.out.connects.clear();
    c.pass(500ms);
    c.all[2] = c.accept(Role::sequencer, 3);
    c.pass(0ms);
    CHECK(c.take<GetStatus>().empty());
  }
  SUBCASE("it comes after the question") {
    c.lose(c.all[2]);
    c.statuses.ask(c.now, c.token, false, never);
    CHECK(c.take<GetStatus>().size() == 2);
    c.out.connects.clear();
    c.pass(500ms);
    c.all[2] = c.accept(Role::sequencer, 3);
    c.pass(0ms);
    CHECK(c.only<GetStatus>().to == c.all[2]);
  }
}

// In a distant cluster a second is less than a dial takes. The time that finding the sequencers
// took is the only measure of the distance at that moment.
TEST_CASE("the wait is twice as long as finding the sequencers took (F18)") {
  UnreachedCluster c;
  StatusCalls statuses{c.options, c.view, c.answers};
  const Time begun = c.now;
  statuses.ask(c.now, Token{1}, false, never);
  REQUIRE(c.out.connects.size() == 1);
  Hello h;
  h.role = Role::sequencer;
  h.id = 1;
  c.view.connected(c.now, {c.out.connects[0].connection, h});
  c.now += 2s;
  Metadata m;
  m.metadata.version = RaftIndex{1};
  m.metadata.sequencers = {{SequencerId{1}, "seq:1"}, {SequencerId{2}, "seq:2"}};
  c.view.learn(c.out.connects[0].connection, m);
  statuses.tick(c.now);
  CHECK(statuses.wake() == begun + 2s + 4s);
  c.now = begun + 6s;
  statuses.tick(c.now);
  REQUIRE(c.out.completed.size() == 1);
  CHECK(std::get<ClusterStatus>(c.out.completed[0].result).unreachable.size() == 2);
}

// If every address refuses, waiting until the deadline changes nothing; while a dial is under way
// it may.
TEST_CASE(
    "without a known sequencer the call fails with the causes: soon if every address failed") {
  UnreachedCluster c;
  StatusCalls statuses{c.options, c.view, c.answers};
  const Time deadline = c.now + 10s;
  statuses.ask(c.now, Token{1}, false, deadline);
  std::string cause = "no node answers";
  Time end = deadline;
  SUBCASE("a dial is under way") {}
  SUBCASE("every address has failed") {
    c.refuse();
    cause = "seq:1: connection refused";
    end = c.now + c.options.status_timeout;
  }
  CHECK(statuses.wake() == end);
  statuses.tick(end - 1ms);
  CHECK(c.out.completed.empty());
  statuses.tick(end);
  REQUIRE(c.out.completed.size() == 1);
  const auto& f = std::get<Failure>(c.out.completed[0].result);
  CHECK(f.error.code == Errc::unavailable);
  CHECK(f.error.detail == cause);
}

// Late answers find no call any more, and must not bring it back.
TEST_CASE("close ends a status call with client_closed, and a late answer ends nothing") {
  Asking c;
  c.statuses.ask(c.now, c.token, false, never);
  const auto asked = c.take<GetStatus>();
  c.statuses.close();
  CHECK(c.error().code == Errc::client_closed);
  for (const Send& s : asked) c.told(s);
  c.pass(1s);
  CHECK(c.out.completed.size() == 1);
}

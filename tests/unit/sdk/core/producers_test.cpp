// Which appends are accepted, and whose pipeline hears a message (spec/07): the limits come before
// anything is sent.
#include "sdk/core/producers.h"

#include <doctest/doctest.h>

#include "tests/unit/sdk/core/asked_cluster.h"

using namespace loglog;
using namespace loglog::client;

namespace {
struct Appending : AskedCluster {
  explicit Appending(Options o = {}) : AskedCluster(std::move(o)) {
    LogInfo info = *view.log(log);
    info.id = other_log;
    view.learn(info);
  }
  static constexpr LogId other_log{8};
  Producers producers{options, random, view, choice, out, answers};

  void append(std::uint64_t token, std::size_t size, LogId to = log, Time deadline = never) {
    producers.append(now, Token{token}, to, Bytes::allocate(size), false, deadline, {});
    producers.pump(now);
  }
  static const Reference& run_of(const Send& s) { return std::get<Upload>(s.message).run; }
  /// The nodes take these uploads.
  void staged(const std::vector<Send>& uploads) {
    for (const Send& s : uploads) {
      const auto& u = std::get<Upload>(s.message);
      answer(s, Uploaded{u.log, u.run.producer, u.run.first, Offset{}});
    }
    producers.pump(now);
  }
  /// The leader opens the log's term.
  void opened(LogId id) {
    producers.arrived(now, sequencer, TermIs{id, Term{3}, Offset{0}, Offset{60}});
    producers.pump(now);
  }
};
}  // namespace

// A node would refuse the frame and close the connection, and the appends of others with it. The
// largest entry is allowed.
TEST_CASE("an entry above the size limit is refused with its size, and nothing is sent (A6)") {
  Appending c;
  c.append(1, entry_size_max + 1);
  CHECK(c.error().code == Errc::entry_too_large);
  CHECK(c.error().detail == "16777216 bytes");
  CHECK(c.out.sends.empty());
  CHECK(c.view.figures().appends_refused == 1);
  CHECK(c.producers.bytes_in_flight() == 0);
  c.append(2, entry_size_max);
  CHECK(c.out.completed.size() == 1);
  CHECK(c.take<Upload>().size() == 3);
}

// If it were sent, its outcome would be unknown at once.
TEST_CASE("an append whose deadline is now is refused, and nothing is sent (A6)") {
  Appending c;
  c.append(1, 10, c.log, c.now);
  CHECK(c.error().code == Errc::deadline_exceeded);
  CHECK(c.out.sends.empty());
}

// The bound protects the memory of the program. A large entry must not wait for ever for room that
// it can never have.
TEST_CASE("all logs share the bound of bytes in flight, and a large entry goes alone") {
  Options o;
  o.bytes_in_flight_max = 1000;
  Appending c(o);
  CHECK(c.producers.has_room_for(5000));
  c.append(1, 5000, c.log, c.now + 1s);
  CHECK(c.out.completed.empty());
  CHECK(c.producers.bytes_in_flight() == 5000 + frame_overhead);
  CHECK_FALSE(c.producers.has_room_for(0));
  c.append(2, 1, c.other_log);
  CHECK(c.error().code == Errc::too_many);
  CHECK(c.error().detail == "bytes in flight");
  c.now += 1s;
  c.producers.tick(c.now);  // the first append ends at its deadline
  CHECK(c.error(1).code == Errc::deadline_exceeded);
  CHECK(c.producers.has_room_for(1000 - frame_overhead));
}

// The leader orders a producer's numbers without gaps in each log. A number that is given twice
// would make one entry hide the other.
TEST_CASE("each log has a producer of its own, whose numbers go on (A1)") {
  Appending c;
  c.append(1, 10);
  c.append(2, 10, c.other_log);
  const auto first = c.take<Upload>();
  REQUIRE(first.size() == 6);
  CHECK(c.run_of(first[0]).producer != c.run_of(first[3]).producer);
  CHECK(c.run_of(first[0]).first == c.run_of(first[3]).first);
  c.staged(first);
  c.append(3, 10);
  const auto next = c.take<Upload>();
  REQUIRE(next.size() == 3);
  CHECK(c.run_of(next[0]).producer == c.run_of(first[0]).producer);
  CHECK(c.run_of(next[0]).first == c.run_of(first[0]).first + 1);
}

// Runs of two logs have the same numbers, so a Committed that reaches the wrong pipeline would tell
// a wrong offset.
TEST_CASE("a message about a log reaches the producer of that log alone") {
  Appending c;
  c.append(1, 10);
  c.append(2, 10, c.other_log);
  c.staged(c.take<Upload>());
  c.opened(c.other_log);
  const Send commit = c.only<Commit>();
  CHECK(std::get<Commit>(commit.message).log == c.other_log);
  const Reference& run = std::get<Commit>(commit.message).run;
  const auto committed = [&](LogId id) {
    c.producers.arrived(c.now, c.sequencer,
                        Committed{id, Term{3}, run.producer, run.first, Offset{60}});
  };
  committed(c.log);
  committed(LogId{99});
  CHECK(c.out.completed.empty());
  committed(c.other_log);
  REQUIRE(c.out.completed.size() == 1);
  CHECK(c.out.completed[0].token == Token{2});
}

// A step passes over logs without appends under way, so that thousands of them cost nothing. Such a
// log must come back with its next append: to be uploaded, and to end at its deadline.
TEST_CASE("a log that has fallen idle takes its next append, which ends at its deadline (A6)") {
  Appending c;
  c.append(1, 10);
  c.staged(c.take<Upload>());
  c.opened(c.log);
  const Reference run = std::get<Commit>(c.only<Commit>().message).run;
  c.producers.arrived(c.now, c.sequencer,
                      Committed{c.log, Term{3}, run.producer, run.first, Offset{60}});
  c.producers.pump(c.now);
  CHECK(c.out.completed.size() == 1);
  CHECK(c.producers.wake(c.now) == never);

  c.append(2, 10, c.log, c.now + 1s);
  CHECK(c.take<Upload>().size() == 3);
  CHECK(c.producers.wake(c.now) <= c.now + 1s);
  c.now += 1s;
  c.producers.tick(c.now);
  CHECK(c.out.completed.size() == 2);
}

// The leader may order the run after the client is gone. The application must not append such an
// entry again without a look at the log.
TEST_CASE("close ends an append whose reference went out as unknown, every other as closed (A6)") {
  Options o;
  o.eager_commit = false;  // a reference goes out after its uploads
  Appending c(o);
  c.append(1, 10);
  c.append(2, 10, c.other_log);
  c.staged(c.take<Upload>());
  c.opened(c.other_log);
  CHECK(c.take<Commit>().size() == 1);
  c.append(3, 10, c.other_log);
  c.producers.close();
  REQUIRE(c.out.completed.size() == 3);
  for (const Completed& done : c.out.completed) {
    const Error& e = std::get<Failure>(done.result).error;
    CHECK(e.code == (done.token == Token{2} ? Errc::outcome_unknown : Errc::client_closed));
    CHECK(e.detail == "the client was closed");
  }
}

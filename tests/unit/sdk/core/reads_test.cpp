// read(): which answer ends a call, what a deadline tells, and a position beyond the end (spec/06
// "Read"). Named replicas and damage are in client_machine_test.cpp.
#include "sdk/core/reads.h"

#include <doctest/doctest.h>

#include "tests/unit/sdk/core/asked_cluster.h"
#include "tests/unit/sdk/core/stored_log.h"

using namespace loglog;
using namespace loglog::client;

namespace {
struct Calls : AskedCluster {
  StoredLog stored;
  Reads reads{options, view, choice, answers, questions};
  static constexpr Token token{1};

  Calls() {
    stored.term_start();
    for (std::uint64_t i = 1; i <= 3; ++i) stored.entry(9, i, "entry");
  }
  void read(Offset from, Time deadline = never, std::uint32_t max_bytes = 1u << 16,
            Duration wait = 0ms) {
    reads.read(now, token, log, from, max_bytes, wait, deadline, {});
  }
  void pass(Duration d) {
    now += d;
    view.tick(now);
    reads.tick(now);
    questions.tick(now);
  }
  static const Read& read_of(const Send& s) { return std::get<Read>(s.message); }
  /// All replicas refuse the read, one after the other.
  void refuse(Errc why, Offset from) {
    for (int i = 0; i < 3; ++i) answer(only<Read>(), stored.refusal(from, why));
  }
};
}  // namespace

// Term starts and segment starts belong to the leader. A read that ended there would give an empty
// page in the middle of the log, which callers take for its end.
TEST_CASE("a read goes on over the log's own frames, and ends with the first entries") {
  Calls c;
  c.read(Offset{}, never, 1);
  const Send first = c.only<Read>();
  CHECK(c.read_of(first).max_bytes == frame_overhead);  // the least that can hold a frame
  c.answer(first, c.stored.page(Offset{}, c.stored.begins[1].value));
  CHECK(c.out.completed.empty());
  const Send second = c.only<Read>();
  CHECK(c.read_of(second).offset == c.stored.begins[1]);
  c.answer(second, c.stored.page(c.stored.begins[1]));
  const auto& d = c.result<Delivered>();
  CHECK(d.entries.size() == 3);
  CHECK(d.next == c.stored.end());
  CHECK(c.view.figures().read_entries == 3);
  CHECK(c.view.figures().read_bytes == 15);
  CHECK(c.reads.wake() == never);
}

// 'not_here' of all replicas means that they lag, 'unavailable' that none answers. The operator
// looks at different things.
TEST_CASE("at its deadline a read tells the last reason, and a later page ends nothing") {
  Calls c;
  c.read(Offset{}, c.now + 1s);
  Errc why = Errc::unavailable;
  SUBCASE("no replica answered") {}
  SUBCASE("all replicas lag") {
    why = Errc::not_here;
    c.refuse(why, Offset{});
    c.pass(all_refused_pause);
  }
  const Send s = c.only<Read>();
  c.pass(1s - all_refused_pause);
  if (c.out.completed.empty()) c.pass(all_refused_pause);
  CHECK(c.error().code == why);
  CHECK(c.error().detail == "the deadline passed");
  CHECK(c.result<Failure>().timed_out);
  c.answer(s, c.stored.page(Offset{}));
  c.pass(1s);
  CHECK(c.out.completed.size() == 1);
  CHECK(c.take<Read>().empty());
}

// The application must learn that entries are gone. The offset tells where it can go on.
TEST_CASE("a trimmed position ends a read with the log's begin (R1)") {
  Calls c;
  c.read(Offset{});
  c.answer(c.only<Read>(), c.stored.refusal(Offset{}, Errc::trimmed, Offset{400}));
  CHECK(c.error().code == Errc::trimmed);
  CHECK(c.error().detail == "the log begins at 400");
  CHECK(c.result<Failure>().begins == Offset{400});
}

// A replica that has just become a member may not know the log yet. The log is gone only if no
// replica has it.
TEST_CASE("a log that a single replica does not have is read elsewhere; that none has, is gone") {
  Calls c;
  c.read(Offset{});
  SUBCASE("one has it") {
    for (int i = 0; i < 2; ++i)
      c.answer(c.only<Read>(), c.stored.refusal(Offset{}, Errc::no_such_log));
    c.answer(c.only<Read>(), c.stored.page(Offset{}));
    CHECK(c.result<Delivered>().entries.size() == 3);
  }
  SUBCASE("none has it") {
    c.refuse(Errc::no_such_log, Offset{});
    CHECK(c.error().code == Errc::no_such_log);
  }
}

// This is the common poll of a reader that has caught up. It must cost the leader nothing.
TEST_CASE("at the committed end a read ends without entries, and asks no leader") {
  Calls c;
  c.read(c.stored.end(), never, 1u << 16, 500ms);
  const Send s = c.only<Read>();
  CHECK(c.read_of(s).wait_ms == 500);
  c.answer(s, c.stored.refusal(c.stored.end(), Errc::past_end));
  CHECK(c.result<Delivered>().entries.empty());
  CHECK(c.result<Delivered>().next == c.stored.end());
  CHECK(c.take<GetTail>().empty());
}

// The replica may lag, or the position may be of another log. Only the leader can tell, and reads
// must work without a leader (decision 0035).
TEST_CASE("beyond the end of a replica the leader decides, and a silent leader decides nothing") {
  Calls c;
  const Offset beyond = c.stored.end() + 1000;
  c.read(beyond, c.now + 1s);
  c.answer(c.only<Read>(), c.stored.refusal(beyond, Errc::past_end));
  const Send s = c.only<GetTail>();
  CHECK(c.out.completed.empty());
  SUBCASE("the log ends below") {
    c.answer(s, TailIs{c.log, {}, c.stored.end(), Term{1}});
    CHECK(c.error().code == Errc::past_end);
    CHECK(c.result<Failure>().ends == c.stored.end());
  }
  SUBCASE("the log reaches the position, and the replica lags") {
    c.answer(s, TailIs{c.log, {}, beyond, Term{1}});
    CHECK(c.result<Delivered>().next == beyond);
  }
  SUBCASE("no answer by the deadline: a read needs no leader") {
    c.pass(1s);
    CHECK(c.result<Delivered>().next == beyond);
  }
  c.answer(s, TailIs{c.log, {}, c.stored.end(), Term{1}});
  c.pass(10s);
  CHECK(c.out.completed.size() == 1);
}

// The call is in two tables while the leader is asked, and may end in one of them only.
TEST_CASE("close ends every read once, also a read that asks for the end") {
  Calls c;
  c.read(c.stored.end() + 1000);
  const Send s = c.only<Read>();
  SUBCASE("a replica is asked") {}
  SUBCASE("the leader is asked") {
    c.answer(s, c.stored.refusal(c.stored.end() + 1000, Errc::past_end));
  }
  c.reads.close();
  c.questions.close();
  CHECK(c.error().code == Errc::client_closed);
  c.answer(s, c.stored.page(Offset{}));
  for (const Send& tail : c.take<GetTail>()) c.answer(tail, TailIs{c.log, {}, {}, Term{1}});
  CHECK(c.out.completed.size() == 1);
}

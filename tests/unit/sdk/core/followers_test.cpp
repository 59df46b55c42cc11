// follow(): credit, replicas that fail or are silent, and the position, which never moves by itself
// (spec/06 "Follow and credit", R1).
#include "sdk/core/followers.h"

#include <doctest/doctest.h>

#include "tests/unit/sdk/core/asked_cluster.h"
#include "tests/unit/sdk/core/stored_log.h"

using namespace loglog;
using namespace loglog::client;

namespace {
constexpr std::uint32_t window = 4000;
constexpr std::uint32_t frame = 1000;  ///< length of each entry's frame

Options with_window() {
  Options o;
  o.follow_credit = window;
  return o;
}

struct Following : AskedCluster {
  StoredLog stored;
  Followers follows{options, view, choice, answers, questions};
  static constexpr Token token{1};

  Following() : AskedCluster(with_window()) {
    for (std::uint64_t i = 1; i <= 8; ++i)
      stored.entry(9, i, std::string(frame - frame_overhead, 'x'));
  }
  Send follow(Offset from = {}) {
    follows.follow(now, token, log, from);
    return only<Follow>();
  }
  void pass(Duration d) {
    now += d;
    view.tick(now);
    follows.tick(now);
    questions.tick(now);
  }
  /// The replica pushes frames [first, first + count).
  void push(const Send& s, std::size_t first, std::size_t count) {
    answer(s, stored.page(stored.begins[first], count * frame));
  }
  static Offset offset_of(const Send& s) { return std::get<Follow>(s.message).offset; }
  /// The sum of the credits since the last call.
  std::uint32_t credit() {
    std::uint32_t sum = 0;
    for (const Send& s : take<Credit>()) sum += std::get<Credit>(s.message).bytes;
    return sum;
  }
};
}  // namespace

// The window bounds the memory of the client, whatever the application does. Credit in small steps
// would cost a message for each page.
TEST_CASE("a replica may push a window ahead of what the application consumed, and no more") {
  Following c;
  const Send s = c.follow();
  CHECK(std::get<Follow>(s.message).credit == window);
  c.push(s, 0, 3);
  CHECK(c.result<Delivered>().entries.size() == 3);
  CHECK_FALSE(c.out.completed[0].last);
  CHECK(c.credit() == 0);  // the application has the whole window
  c.follows.consumed(c.token, window / 8 - 1);
  CHECK(c.credit() == 0);  // small steps are saved up
  c.follows.consumed(c.token, 1);
  CHECK(c.credit() == window / 8);
  c.follows.consumed(c.token, 3 * frame - window / 8);
  CHECK(c.credit() == 3 * frame - window / 8);
}

// The application cannot consume a part of an entry. If parts did not count as consumed, the follow
// would wait for credit for ever.
TEST_CASE("a frame that is larger than the window comes in whole") {
  Following c;
  const Offset at = c.stored.end();
  c.stored.entry(9, 9, std::string(3 * window, 'y'));
  const Send s = c.follow(at);
  std::uint64_t credit = std::get<Follow>(s.message).credit;
  for (Offset from = at; from < c.stored.end(); credit = c.credit()) {
    REQUIRE(credit > 0);
    const Page p = c.stored.page(from, credit);
    from += p.frames.size();
    c.answer(s, p);
  }
  CHECK(c.result<Delivered>().entries.at(0).payload.size() == 3 * window);
}

// Entries that the application has not consumed still lie in its memory, whoever sent them.
TEST_CASE("a new subscription has credit for what the application can still take") {
  Following c;
  const Send s = c.follow();
  std::uint32_t unread = 3 * frame;
  SUBCASE("some of the window") {}
  SUBCASE("a byte at least, since a node sends nothing without credit") { unread = 5 * frame; }
  c.push(s, 0, unread / frame);
  c.lose(s.to);
  CHECK(std::get<Follow>(c.only<Follow>().message).credit ==
        std::max(1u, window - std::min(window, unread)));
}

// No entry is skipped and none comes twice. The part of a frame that came from the former replica
// is thrown away.
TEST_CASE("when its replica fails, a follow goes on elsewhere where it stands (R1)") {
  Following c;
  const Send s = c.follow();
  c.push(s, 0, 2);
  c.take<Credit>();
  const Offset next = c.stored.begins[2];
  bool ended = true;
  SUBCASE("the node vanishes") {
    c.lose(s.to);
    ended = false;  // nothing can be sent to it
  }
  SUBCASE("the node refuses") { c.answer(s, c.stored.refusal(next, Errc::io_error)); }
  SUBCASE("the node answers with an error") { c.answer(s, Failed{Errc::not_member, {}}); }
  SUBCASE("the node sends bytes of another offset") { c.push(s, 3, 1); }
  SUBCASE("the node vanishes in the middle of a frame") {
    c.answer(s, c.stored.page(next, 100));
    c.lose(s.to);
    ended = false;
  }
  const auto credits = c.take<Credit>();
  REQUIRE(credits.size() == (ended ? 1 : 0));
  for (const Send& end : credits) {
    CHECK(end.to == s.to);
    CHECK(end.request == s.request);
    CHECK(std::get<Credit>(end.message).bytes == 0);
  }
  const Send other = c.only<Follow>();
  CHECK(other.to != s.to);
  CHECK(c.offset_of(other) == next);
  CHECK(c.out.completed.size() == 1);
  CHECK_FALSE(c.answer(s, c.stored.page(next)));  // the former replica is not heard any more
  c.push(other, 2, 1);
  CHECK(c.result<Delivered>(1).entries.at(0).offset == next);
}

// While the cluster restarts, each follow of each client would otherwise subscribe in a busy loop.
TEST_CASE("after all replicas have failed a follow rests for a while") {
  Following c;
  Send s = c.follow();
  std::set<ConnectionId> asked;
  for (int i = 0; i < 3; ++i) {
    asked.insert(s.to);
    c.answer(s, c.stored.refusal(Offset{}, Errc::not_here));
    if (i < 2) s = c.only<Follow>();
  }
  CHECK(asked.size() == 3);
  CHECK(c.take<Follow>().empty());
  CHECK(c.follows.wake() == c.now + 200ms);
  c.pass(199ms);
  CHECK(c.take<Follow>().empty());
  c.pass(1ms);
  CHECK(c.take<Follow>().size() == 1);
  CHECK(c.out.completed.empty());  // a follow has no deadline
}

// An idle log and a replica that is cut off look the same on the connection. A small read from
// another replica tells them apart; without credit the silence proves nothing.
TEST_CASE("a silent subscription is left if another replica has more, and kept otherwise") {
  Following c;
  const Send s = c.follow();
  c.push(s, 0, 2);
  Offset next = c.stored.begins[2];
  bool moves = false;
  SUBCASE("another has more") {
    c.follows.consumed(c.token, 2 * frame);
    moves = true;
  }
  SUBCASE("another has no more") { c.follows.consumed(c.token, 2 * frame); }
  SUBCASE("the application is slow: the silence is its own") {
    c.push(s, 2, 2);
    next = c.stored.begins[4];
  }
  c.take<Credit>();
  const bool starved = next == c.stored.begins[4];
  c.pass(c.options.follow_silence - 1ms);
  CHECK(c.take<Read>().empty());
  c.pass(1ms);
  const Send probe = c.only<Read>();
  CHECK(probe.to != s.to);
  CHECK(std::get<Read>(probe.message).offset == next);
  c.answer(probe, moves || starved ? c.stored.page(next, frame_overhead)
                                   : c.stored.refusal(next, Errc::past_end));
  CHECK(c.take<Follow>().size() == (moves ? 1 : 0));
  CHECK(c.take<Credit>().size() == (moves ? 1 : 0));
}

// The leader's answer was made before the entries came, so it says nothing about a position that
// they have proved.
TEST_CASE("entries that come while the leader is asked for the end prove that the log reaches on") {
  Following c;
  const Offset from = c.stored.begins[4];
  const Send s = c.follow(from);
  c.pass(200ms);  // a follow that begins inside the log looks early
  c.answer(c.only<Read>(), Page{c.log, from, {}, c.stored.begins[2], Errc::past_end, {}});
  const Send tail = c.only<GetTail>();
  const auto answer = [&] { c.answer(tail, TailIs{c.log, {}, c.stored.begins[2], Term{1}}); };
  SUBCASE("none came: the position is beyond the end") {
    answer();
    CHECK(c.error().code == Errc::past_end);
    CHECK(c.result<Failure>().ends == c.stored.begins[2]);
    CHECK(c.out.completed[0].last);
  }
  SUBCASE("an entry came") {
    c.push(s, 4, 1);
    answer();
    CHECK(c.result<Delivered>().entries.size() == 1);
    CHECK(c.out.completed.size() == 1);
  }
}

// To go on at the log's begin would hide the loss of entries from the application.
TEST_CASE("a trimmed position ends a follow with the log's begin, and is not moved (R1)") {
  Following c;
  const Send s = c.follow(c.stored.begins[1]);
  c.answer(s, c.stored.refusal(c.stored.begins[1], Errc::trimmed, c.stored.begins[5]));
  CHECK(c.error().code == Errc::trimmed);
  CHECK(c.error().detail == "the log begins at 5000");
  CHECK(c.result<Failure>().begins == c.stored.begins[5]);
  CHECK(c.take<Follow>().empty());
}

// Entries before the damage are good and are given at once.
TEST_CASE("damage is reported to its node, and the follow goes on elsewhere at that frame (K4)") {
  Following c;
  const Send s = c.follow();
  c.answer(s, c.stored.damaged(Offset{}, c.stored.begins[2] + 5));
  CHECK(c.result<Delivered>().entries.size() == 2);
  const Send report = c.only<ReportCorrupt>();
  CHECK(report.to == s.to);
  CHECK(std::get<ReportCorrupt>(report.message).offset == c.stored.begins[2]);
  const Send other = c.only<Follow>();
  CHECK(other.to != s.to);
  CHECK(c.offset_of(other) == c.stored.begins[2]);
}

// Without the last Credit the node would keep pushing up to the window, and would hold the
// subscription in its memory.
TEST_CASE("stop and close end a follow once, and its stream at the node") {
  Following c;
  const Send s = c.follow();
  Errc why = Errc::cancelled;
  c.follows.stop(c.now, Token{99});  // an unknown token
  CHECK(c.out.completed.empty());
  SUBCASE("stop") { c.follows.stop(c.now, c.token); }
  SUBCASE("close") {
    c.follows.close(c.now);
    why = Errc::client_closed;
  }
  CHECK(c.error().code == why);
  CHECK(c.out.completed[0].last);
  const Send end = c.only<Credit>();
  CHECK(end.request == s.request);
  CHECK(std::get<Credit>(end.message).bytes == 0);
  c.follows.stop(c.now, c.token);
  c.follows.consumed(c.token, frame);
  CHECK_FALSE(c.answer(s, c.stored.page(Offset{})));
  c.pass(10s);
  CHECK(c.out.completed.size() == 1);
  CHECK(c.take<Follow>().empty());
}

// resolve(): an entry whose append ended with an unknown outcome is found in the log, is proved to
// be absent, or stays unknown with a reason (spec/07 "After an unknown outcome"). The tests end an
// append by its deadline and then ask the same client or another client.
#include "sdk/core/fate_searches.h"

#include <doctest/doctest.h>

#include "tests/unit/sdk/core/scripted_cluster.h"

using namespace loglog;
using namespace loglog::client;

namespace {

struct Searches : Cluster {
  Searches() { begin_term(1); }
  static constexpr Token append_token{1}, resolve_token{100};

  /// Appends an entry whose Commit gets no answer, up to its deadline. `taken`: the entry goes to
  /// the log all the same. Returns the name that the outcome gives.
  EntryName unknown(bool taken) {
    lose_commits = !taken;
    answer_commits = false;
    append(append_token.value, "paid", now + 300ms);
    pass(400ms);
    lose_commits = answer_commits = false;
    REQUIRE(done.size() == 1);
    REQUIRE(error(0) == Errc::outcome_unknown);
    const EntryName entry = std::get<Failure>(done[0].result).entry;
    done.clear();
    tail = Offset{bytes.size()};
    return entry;
  }
  /// The leader changes, and every client hears of it.
  void change_leader() {
    answer_commits = true;
    begin_term(term.value + 1);
    tail = Offset{bytes.size()};
    lose("seq:1");
  }
  void resolve(const EntryName& entry, Duration wait = 20s) {
    machine.resolve(now, resolve_token, log_id, entry, now + wait);
    run();
  }
  bool ended() const { return !done.empty(); }
  Resolved resolved() const {
    REQUIRE(done.size() == 1);
    REQUIRE(std::holds_alternative<Resolved>(done[0].result));
    return std::get<Resolved>(done[0].result);
  }
  /// Another client of the same log: the bytes, the term and the tail are those of `from`.
  void take_log(const Cluster& from) {
    bytes = from.bytes;
    term = from.term;
    term_at = from.term_at;
    term_end = from.term_end;
    tail = Offset{bytes.size()};
  }
};

}  // namespace

TEST_CASE("an unknown outcome names the producer, the number, the term and the lowest place") {
  Searches c;
  c.append(7, "first");
  c.pass(100ms);
  const auto first = std::get<client::Appended>(c.done.at(0).result);
  c.done.clear();
  const EntryName entry = c.unknown(true);
  CHECK(entry.producer == first.producer);
  CHECK(entry.sequence == first.sequence + 1);
  CHECK(entry.term == Term{1});
  CHECK(entry.lowest == Offset{first.offset + frame_overhead + 5});
}

TEST_CASE("an entry that is in the log is found where it stands, and nothing is appended (A4)") {
  Searches c;
  const Offset at{c.bytes.size()};
  const EntryName entry = c.unknown(true);
  const Bytes before = c.bytes;
  SUBCASE("by its own client, which hears of the commit late") {
    c.resolve(entry);
    c.pass(1s);
    CHECK_FALSE(c.ended());  // the Commit is still under way
    c.reply(c.commits.at(0), Committed{log_id, Term{1}, entry.producer, entry.sequence, at});
    c.pass(100ms);
  }
  SUBCASE("by its own client, under a new leader") {
    c.resolve(entry);
    c.change_leader();
    c.pass(1s);
  }
  CHECK(c.resolved().is_committed);
  CHECK(c.resolved().offset == at);
  CHECK(c.resolved().next == Offset{at + frame_overhead + 4});
  CHECK(c.resolved().term == Term{1});
  CHECK(c.commits.size() == 1);
  CHECK(c.bytes.slice(0, before.size()).text() == before.text());
}

TEST_CASE("an entry that is absent below a later term's start is absent for good (A4)") {
  Searches c;
  const EntryName entry = c.unknown(false);
  c.resolve(entry);
  c.pass(1s);
  CHECK_FALSE(c.ended());  // a late Commit of this term may still come
  c.change_leader();
  c.pass(1s);
  CHECK_FALSE(c.resolved().is_committed);
  CHECK(c.commits.size() == 1);  // nobody waited, so the entry was not committed again
}

TEST_CASE(
    "another client finds the entry without a leader, and waits with a proof of absence (A4)") {
  Searches own, other;
  SUBCASE("the entry is there, and no sequencer answers") {
    const Offset at{own.bytes.size()};
    const EntryName entry = own.unknown(true);
    other.take_log(own);
    other.tail.reset();
    other.resolve(entry);
    other.pass(5s);
    CHECK(other.resolved().is_committed);
    CHECK(other.resolved().offset == at);
  }
  SUBCASE("the entry is absent while the term lasts") {
    const EntryName entry = own.unknown(false);
    other.take_log(own);
    other.resolve(entry, 1s);
    other.pass(2s);
    REQUIRE(other.done.size() == 1);
    CHECK(other.error(0) == Errc::outcome_unknown);
    CHECK(std::get<Failure>(other.done[0].result).timed_out);
  }
  SUBCASE("the entry comes late in the same term") {
    const EntryName entry = own.unknown(false);
    const Bytes late = own.staged.begin()->second.frames;
    other.take_log(own);
    other.resolve(entry);
    other.pass(500ms);
    CHECK_FALSE(other.ended());
    other.append_to_log(late, Term{1});
    other.tail = Offset{other.bytes.size()};
    other.pass(500ms);
    CHECK(other.resolved().is_committed);
  }
  SUBCASE("the entry is absent, and the term is over") {
    const EntryName entry = own.unknown(false);
    other.take_log(own);
    other.resolve(entry);
    other.pass(500ms);
    CHECK_FALSE(other.ended());
    other.begin_term(2);
    other.tail = Offset{other.bytes.size()};
    other.pass(500ms);
    CHECK_FALSE(other.resolved().is_committed);
  }
}

TEST_CASE("a later entry of the producer proves that an entry which is not before it is absent") {
  Searches own, other;
  const EntryName entry = own.unknown(false);
  own.change_leader();
  own.pass(1s);
  own.append(2, "later");
  own.pass(1s);
  REQUIRE(own.done.size() == 1);
  REQUIRE(std::holds_alternative<client::Appended>(own.done[0].result));
  other.take_log(own);
  other.tail.reset();  // no sequencer is needed for this proof
  other.resolve(entry);
  other.pass(5s);
  CHECK_FALSE(other.resolved().is_committed);
}

TEST_CASE("an entry whose place may have been trimmed stays unknown for good (A5)") {
  Searches c;
  bool taken = true;
  SUBCASE("it was there") {}
  SUBCASE("it was absent") { taken = false; }
  const EntryName entry = c.unknown(taken);
  c.change_leader();
  c.first = Offset{c.bytes.size()};
  c.resolve(entry);
  c.pass(2s);
  REQUIRE(c.done.size() == 1);
  CHECK(c.error(0) == Errc::outcome_unknown);
  CHECK_FALSE(std::get<Failure>(c.done[0].result).timed_out);
}

TEST_CASE("a trim below the lowest place of the entry takes nothing from the proof (A5)") {
  Searches c;
  c.append(7, "first");
  c.pass(100ms);
  c.done.clear();
  const EntryName entry = c.unknown(false);
  c.change_leader();
  c.first = entry.lowest;
  c.resolve(entry);
  c.pass(2s);
  CHECK_FALSE(c.resolved().is_committed);
}

TEST_CASE(
    "a run that its producer let go is settled by the term, not by the producer's word (A4)") {
  Searches c;
  const EntryName entry = c.unknown(false);
  // The log halts in its next opening: the pipeline drops the run although its fate is open.
  c.closed = Failed{Errc::log_halted, "its replicas differ"};
  c.lose("seq:1");
  c.pass(1s);
  c.resolve(entry, 1s);
  c.pass(2s);
  REQUIRE(c.done.size() == 1);
  CHECK(c.error(0) == Errc::outcome_unknown);
  c.done.clear();
  c.closed.reset();
  c.change_leader();
  c.resolve(entry);
  c.pass(1s);
  CHECK_FALSE(c.resolved().is_committed);
}

TEST_CASE("a resolution ends by its deadline and by close(), once") {
  Searches c;
  const EntryName entry = c.unknown(false);
  SUBCASE("no node answers") {
    Searches alone;
    alone.down = {"seq:1", "n1", "n2", "n3"};
    alone.resolve(entry, 1s);
    alone.pass(2s);
    REQUIRE(alone.done.size() == 1);
    CHECK(alone.error(0) == Errc::unavailable);
    CHECK(std::get<Failure>(alone.done[0].result).timed_out);
  }
  SUBCASE("the client is closed") {
    c.resolve(entry);
    c.machine.close(c.now);
    c.run();
    REQUIRE(c.done.size() == 1);
    CHECK(c.error(0) == Errc::client_closed);
  }
}

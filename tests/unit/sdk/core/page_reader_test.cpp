// Pages of a log from any replica, or from a named replica: order, replicas that refuse or vanish,
// damage and its reports (K4), trims (R1) and the committed end (spec/06 "Read", "Checking").
#include "sdk/core/page_reader.h"

#include <doctest/doctest.h>

#include <set>

#include "tests/unit/sdk/core/asked_cluster.h"
#include "tests/unit/sdk/core/stored_log.h"

using namespace loglog;
using namespace loglog::client;

namespace {
struct Reading : AskedCluster {
  StoredLog stored;
  std::vector<PageReader::Step> steps;
  std::shared_ptr<PageReader> reader;

  Reading() {
    stored.term_start();
    for (std::uint64_t i = 1; i <= 3; ++i) stored.entry(9, i, "entry " + std::to_string(i));
  }
  void begin(Offset from, Offset until = no_offset, std::uint32_t max_bytes = 1u << 16,
             Duration wait = 0ms, ReadFrom whom = {}) {
    reader = std::make_shared<PageReader>(
        options, view, choice, log, from, until, max_bytes, wait,
        [this](Time, PageReader::Step&& s) { steps.push_back(std::move(s)); }, whom);
    reader->poll(now);
  }
  void pass(Duration d) {
    now += d;
    view.tick(now);
    reader->poll(now);
  }
  static const Read& read_of(const Send& s) { return std::get<Read>(s.message); }
  /// Answers the next read with a refusal. Returns the node that it was sent to.
  std::uint32_t refuse(Errc why) {
    const Send s = only<Read>();
    answer(s, stored.refusal(read_of(s).offset, why));
    return node_of(s);
  }
};
}  // namespace

// A page ends where the node's buffer ends, and not at a frame. 21 bytes cut even the prefix of a
// frame.
TEST_CASE("pages that cut frames anywhere give each entry of the range once, in order") {
  Reading c;
  const Offset until = c.stored.begins[3];  // the begin of the third entry
  c.begin(Offset{}, until);
  Offset expected{};
  while (c.reader->next() < until) {
    c.reader->poll(c.now);
    const Send s = c.only<Read>();
    CHECK(c.read_of(s).offset == expected);
    const Page p = c.stored.page(expected, 21);
    expected += p.frames.size();
    c.answer(s, p);
  }
  std::vector<std::string> texts;
  for (const auto& step : c.steps) {
    CHECK(step.reason == Errc::ok);
    for (const Entry& e : step.entries) texts.emplace_back(e.payload.text());
  }
  CHECK(texts == std::vector<std::string>{"entry 1", "entry 2"});
}

// With the page size alone, an entry of 16 MB would take thousands of round trips.
TEST_CASE("the rest of a frame that is longer than a page is asked for in a single read") {
  Reading c;
  const Offset at = c.stored.end();
  c.stored.entry(9, 4, std::string(50'000, 'x'));
  c.begin(at, no_offset, 1000);
  const Send first = c.only<Read>();
  CHECK(c.read_of(first).max_bytes == 1000);
  c.answer(first, c.stored.page(at, 1000));
  const Send rest = c.only<Read>();
  CHECK(c.read_of(rest).offset == at + 1000);
  CHECK(c.read_of(rest).max_bytes == c.stored.end() - at - 1000);
  c.answer(rest, c.stored.page(at + 1000));
  REQUIRE(c.steps.size() == 1);
  CHECK(c.steps[0].entries.at(0).payload.size() == 50'000);
}

// A replica that lags answers quickly, so without rounds and rests a reader would ask it in a busy
// loop. The last reason goes to the caller at the deadline.
TEST_CASE("each replica is asked before any is asked again, then the reader rests and tells why") {
  Reading c;
  c.begin(Offset{});
  std::set<std::uint32_t> asked;
  asked.insert(c.refuse(Errc::not_here));
  asked.insert(c.refuse(Errc::not_here));
  CHECK(c.steps.empty());
  asked.insert(c.refuse(Errc::io_error));
  CHECK(asked == std::set<std::uint32_t>{1, 2, 3});
  REQUIRE(c.steps.size() == 1);
  CHECK(c.steps[0].reason == Errc::io_error);
  CHECK(c.reader->wake() == c.now + all_refused_pause);
  c.pass(all_refused_pause - 1ms);
  CHECK(c.take<Read>().empty());
  c.pass(1ms);
  CHECK(c.take<Read>().size() == 1);
}

// Reads need a single replica (spec/06). The time-out comes on top of the wait that the reader
// itself asked for.
TEST_CASE("a replica that vanishes or is silent is left for another, at the same offset") {
  Reading c;
  c.begin(c.stored.begins[2], no_offset, 1u << 16, 500ms);
  const Send first = c.only<Read>();
  SUBCASE("its connection ends") { c.lose(first.to); }
  SUBCASE("it answers neither within the wait nor within the time-out") {
    c.pass(c.options.answer_timeout + 499ms);
    CHECK(c.take<Read>().empty());
    c.pass(1ms);
  }
  const Send second = c.only<Read>();
  CHECK(c.node_of(second) != c.node_of(first));
  CHECK(c.read_of(second).offset == c.stored.begins[2]);
  CHECK_FALSE(c.answer(first, c.stored.page(c.stored.begins[2])));
  CHECK(c.steps.empty());
}

// The report makes the node check its disk and repair the frame from a peer. The reader does not
// wait for that, and loses no entry that stands before the damage.
TEST_CASE("damage is reported to its node, and the frame is read elsewhere from its begin (K4)") {
  Reading c;
  c.begin(Offset{});
  const Send bad = c.only<Read>();
  const Offset frame = c.stored.begins[2];
  c.answer(bad, c.stored.damaged(Offset{}, frame + 3));
  const Send report = c.only<ReportCorrupt>();
  CHECK(report.to == bad.to);
  CHECK(std::get<ReportCorrupt>(report.message) == ReportCorrupt{c.log, frame, frame_overhead});
  REQUIRE(c.steps.size() == 1);
  CHECK(c.steps[0].entries.size() == 1);  // the entry below the damage
  c.reader->poll(c.now);
  const Send good = c.only<Read>();
  CHECK(good.to != bad.to);
  CHECK(c.read_of(good).offset == frame);
}

// A wrong offset, for example of a person, gives bytes that do not verify on every replica. A
// report would make each node search its disk for nothing.
TEST_CASE("bad bytes at the first offset are damage only once another replica is good there (K4)") {
  Reading c;
  const Offset at = c.stored.begins[1];
  c.begin(at);
  const Send first = c.only<Read>();
  c.answer(first, c.stored.damaged(at, at + 3));
  CHECK(c.take<ReportCorrupt>().empty());
  CHECK(c.reader->doubts_begin());
  const Send second = c.only<Read>();
  SUBCASE("the second is good") {
    c.answer(second, c.stored.page(at));
    const Send report = c.only<ReportCorrupt>();
    CHECK(report.to == first.to);
    CHECK(std::get<ReportCorrupt>(report.message).offset == at);
    CHECK_FALSE(c.reader->doubts_begin());
  }
  SUBCASE("all are bad: no entry begins there") {
    c.answer(second, c.stored.damaged(at, at + 3));
    c.answer(c.only<Read>(), c.stored.damaged(at, at + 3));
    REQUIRE(c.steps.size() == 1);
    CHECK(c.steps[0].reason == Errc::not_an_entry);
    CHECK(c.take<ReportCorrupt>().empty());
  }
  SUBCASE("two are bad and the third is silent: nobody knows") {
    c.answer(second, c.stored.damaged(at, at + 3));
    c.lose(c.only<Read>().to);
    REQUIRE(c.steps.size() == 1);
    CHECK(c.steps[0].reason == Errc::unavailable);
    CHECK(c.reader->doubts_begin());
  }
}

// Only the owner knows whether entries may be skipped: read() must not, a resolution must.
TEST_CASE("a trimmed offset is told with the log's begin, and the owner moves the reader (R1)") {
  Reading c;
  c.begin(Offset{});
  const Send s = c.only<Read>();
  c.answer(s, c.stored.refusal(Offset{}, Errc::trimmed, c.stored.begins[2]));
  REQUIRE(c.steps.size() == 1);
  CHECK(c.steps[0].reason == Errc::trimmed);
  CHECK(c.steps[0].first == c.stored.begins[2]);
  CHECK(c.reader->next() == Offset{});
  c.reader->jump(c.steps[0].first);
  c.reader->poll(c.now);
  CHECK(c.read_of(c.only<Read>()).offset == c.stored.begins[2]);
}

// The replica holds the request for a while, so that a reader at the end does not poll. Its
// committed offset shows whether it lags.
TEST_CASE("at the committed end a replica is asked to wait, and its committed offset is told") {
  Reading c;
  c.begin(c.stored.end(), no_offset, 1u << 16, 500ms);
  const Send s = c.only<Read>();
  CHECK(c.read_of(s).wait_ms == 500);
  c.answer(s, c.stored.refusal(c.stored.end(), Errc::past_end));
  REQUIRE(c.steps.size() == 1);
  CHECK(c.steps[0].reason == Errc::past_end);
  CHECK(c.steps[0].committed == c.stored.end());
  CHECK(c.reader->wake() == c.now + connect_pause);
}

// `loglog verify` compares replicas, so an answer of another replica would hide the damage that it
// looks for.
TEST_CASE("a named replica alone is asked, and each of its refusals is a step") {
  Reading c;
  bool reports = false;
  SUBCASE("damage is not reported") {}
  SUBCASE("damage is reported") { reports = true; }
  c.begin(Offset{}, no_offset, 1u << 16, 0ms, {.replica = NodeId{2}, .report = reports});
  CHECK(c.refuse(Errc::not_member) == 2);
  REQUIRE(c.steps.size() == 1);
  CHECK(c.steps[0].reason == Errc::not_member);
  CHECK(c.take<Read>().empty());
  c.pass(all_refused_pause);
  const Send again = c.only<Read>();
  CHECK(c.node_of(again) == 2);
  c.answer(again, c.stored.damaged(Offset{}, Offset{3}));
  CHECK(c.steps.back().reason == Errc::corrupt);
  CHECK(c.take<ReportCorrupt>().size() == (reports ? 1 : 0));
}

// The call of the reader has ended, and a second end would be one too many. The request is still
// under way and holds no reference to the reader.
TEST_CASE("a reader that was stopped, or is gone, takes no answer") {
  Reading c;
  c.begin(Offset{});
  const Send s = c.only<Read>();
  SUBCASE("stopped") {
    c.reader->stop();
    CHECK(c.reader->wake() == never);
  }
  SUBCASE("gone") { c.reader.reset(); }
  c.answer(s, c.stored.page(Offset{}));
  CHECK(c.steps.empty());
  CHECK(c.take<Read>().empty());
}

// An offset that was stored elsewhere may be used before the log was opened in this client.
TEST_CASE("a log that the client does not know is asked for, and read once it is known") {
  Reading c;
  c.reader =
      std::make_shared<PageReader>(c.options, c.view, c.choice, LogId{8}, Offset{}, no_offset,
                                   1u << 16, 0ms, [](Time, PageReader::Step&&) {});
  c.reader->poll(c.now);
  CHECK(c.take<Read>().empty());
  CHECK(std::get<GetMetadata>(c.only<GetMetadata>().message).all_logs);
  CHECK(c.reader->wake() == c.now + connect_pause);
  LogInfo other = *c.view.log(c.log);
  other.id = LogId{8};
  c.view.learn(other);
  c.pass(connect_pause);
  CHECK(c.read_of(c.only<Read>()).log == LogId{8});
}

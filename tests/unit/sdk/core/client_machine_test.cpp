// The SDK's core (ClientMachine) against a scripted cluster of a sequencer and three storage nodes:
// appends and their three endings (spec/07), reads, follows, points in time, trims, and the choice
// of whom to ask.
#include "sdk/core/client_machine.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "tests/unit/sdk/core/scripted_cluster.h"

using namespace loglog;
using namespace loglog::client;

TEST_CASE("entries that come together go out as one run and are told their offsets") {
  Cluster c;
  c.begin_term(1);
  const std::uint64_t start = c.bytes.size();
  // Both entries are given before the client's first output, so they form a single run.
  c.append(1, "one");
  c.append(2, "two!");
  c.pass(100ms);
  REQUIRE(c.done.size() == 2);
  CHECK(std::get<client::Appended>(c.done[0].result).offset == Offset{start});
  CHECK(std::get<client::Appended>(c.done[1].result).offset == Offset{start + frame_overhead + 3});
  CHECK(c.commits.size() == 1);
  c.reply(c.commits[0],
          Committed{log_id, Term{1}, std::get<Commit>(c.commits[0].message).run.producer,
                    Sequence{1}, Offset{start}});
  c.pass(10ms);
  CHECK(c.done.size() == 2);  // a repeated answer changes nothing
  CHECK(c.machine.bytes_in_flight() == 0);
  // The figures of a client count each of these steps once.
  const Figures& f = c.machine.figures();
  CHECK(f.appends_committed == 2);
  CHECK(f.appended_bytes == 7);
  CHECK(f.uploads == 3);
  CHECK(f.commits == 1);
  CHECK(f.commits_repeated == 0);
  CHECK(f.resolutions == 0);
  CHECK(f.connections == 4);
  CHECK(f.reconnections == 0);
}

TEST_CASE(
    "many bytes that come together go out in several runs, each a part of what is in flight") {
  Cluster c;
  c.begin_term(1);
  const std::string payload(1000, 'x');
  constexpr std::uint64_t count = 300, frame = 1000 + frame_overhead;
  for (std::uint64_t i = 1; i <= count; ++i) c.append(i, payload);
  c.pass(100ms);
  CHECK(c.done.size() == count);
  CHECK(c.machine.bytes_in_flight() == 0);
  REQUIRE(c.commits.size() >= 3);
  std::uint64_t entries = 0;
  for (const Send& s : c.commits) {
    const Reference& run = std::get<Commit>(s.message).run;
    // A run is at most half of the bytes in flight (spec/05 step 1).
    CHECK(run.length <= count * frame / 2);
    entries += run.count;
  }
  CHECK(entries == count);
}

TEST_CASE("one replica down does not stop appends") {
  Cluster c;
  c.down = {"n2"};
  c.begin_term(1);
  c.append(1, "one");
  c.pass(200ms);
  REQUIRE(c.done.size() == 1);
  CHECK(std::holds_alternative<client::Appended>(c.done[0].result));
  CHECK(c.machine.bytes_in_flight() == 0);
}

TEST_CASE("after a change of term an entry is found in the log, or committed again") {
  Cluster c;
  c.begin_term(1);
  // The first term's answer never comes: either the commit was taken or it was lost.
  SUBCASE("found") { c.answer_commits = false; }
  SUBCASE("absent") { c.lose_commits = true; }
  const bool found = !c.answer_commits;
  c.append(1, "one");
  c.pass(100ms);
  CHECK(c.done.empty());
  const std::uint64_t first_term_end = c.bytes.size();
  // A new term begins; the client must resolve before it commits again (A3, A4).
  c.begin_term(2);
  c.answer_commits = true;
  c.lose_commits = false;
  c.lose("seq:1");
  c.pass(500ms);
  REQUIRE(c.done.size() == 1);
  const auto& a = std::get<client::Appended>(c.done[0].result);
  CHECK(a.term == Term{found ? 1u : 2u});
  CHECK((a.offset.value < first_term_end) == found);
  CHECK(c.commits.size() == (found ? 1 : 2));
  // An absent run that is wanted as a whole keeps its number.
  CHECK(std::get<Commit>(c.commits.back().message).run.first == Sequence{1});
  CHECK(c.machine.figures().appends_committed == 1);
  CHECK(c.machine.figures().append_latency.sum() >= 100'000);  // counted from the first attempt
  CHECK(c.machine.figures().resolutions == 1);
  CHECK(c.machine.figures().reconnections == 1);
}

TEST_CASE(
    "a refusal of an earlier term or of another connection than its leader's comes late and ends "
    "nothing (L-1)") {
  Cluster c;
  c.begin_term(1);
  c.answer_commits = false;
  c.append(1, "one");
  c.pass(100ms);
  REQUIRE(c.commits.size() == 1);
  const Reference run = std::get<Commit>(c.commits[0].message).run;
  const ConnectionId leader = c.commits[0].to;
  c.lose_commits = true;  // the second term's leader orders the run, and its answer takes long
  c.bytes = c.bytes.slice(0, c.bytes.size() - run.length);
  c.begin_term(2);
  c.machine.arrived(c.now, {leader, RequestId{}, TermIs{log_id, Term{2}, c.term_at, c.term_end}});
  c.pass(100ms);
  REQUIRE(c.commits.size() == 2);
  const Send& second = c.commits[1];
  REQUIRE(std::get<Commit>(second.message).term == Term{2});
  // Delivers a refusal over a given connection, for a given term.
  const auto says = [&](ConnectionId from, Errc e, Term of) {
    c.machine.arrived(c.now,
                      {from, RequestId{}, Refused{log_id, run.producer, run.first, e, of, {}, {}}});
    c.pass(100ms);
  };
  for (const Errc e : {Errc::log_halted, Errc::invalid_argument, Errc::digest_mismatch,
                       Errc::wrong_sequence, Errc::stale_term}) {
    CAPTURE(name_of(e));
    // A6: only the leader of the term in force may refuse, and only in that term.
    says(leader, e, Term{1});
    says(ConnectionId{leader.value + 1000}, e, Term{2});
    CHECK(c.done.empty());
    CHECK(c.commits.size() == 2);  // the run is not committed a third time
  }
  c.reply(second, Committed{log_id, Term{2}, run.producer, run.first, Offset{c.bytes.size()}});
  c.run();
  REQUIRE(c.done.size() == 1);
  CHECK(std::get<client::Appended>(c.done[0].result).term == Term{2});
}

TEST_CASE("the refusal of its only commit by the term's leader ends an append (A6)") {
  Cluster c;
  c.begin_term(1);
  c.lose_commits = true;
  c.append(1, "one");
  c.pass(100ms);
  REQUIRE(c.commits.size() == 1);
  const Reference run = std::get<Commit>(c.commits[0].message).run;
  // A6: the leader of the term refuses the run's only commit, so nothing was written.
  c.reply(c.commits[0],
          Refused{log_id, run.producer, run.first, Errc::log_halted, Term{1}, {}, {}});
  c.run();
  REQUIRE(c.done.size() == 1);
  CHECK(c.error(0) == Errc::log_halted);
}

TEST_CASE("a log that is halted says so to those who append anew, before their deadline (C-13)") {
  Cluster c;
  c.begin_term(1);
  const auto halts = [&] {
    c.closed = Failed{Errc::log_halted, "log: nodes 1 and 2 hold different bytes below 500"};
  };
  SUBCASE("nothing was committed: refused") {
    // OpenLog is answered with log_halted: the client must not wait for the deadline.
    halts();
    c.append(1, "one", c.now + 60s);
    c.append(2, "two", c.now + 60s);
    c.pass(1s);
    REQUIRE(c.done.size() == 2);
    CHECK(c.error(0) == Errc::log_halted);
    CHECK(std::get<Failure>(c.done[0].result).error.detail ==
          "log: nodes 1 and 2 hold different bytes below 500");
    CHECK(c.error(1) == Errc::log_halted);
  }
  SUBCASE("it was committed, and may stand in the log: unknown, with the reason") {
    c.answer_commits = false;
    c.append(1, "one", c.now + 60s);
    c.pass(100ms);
    REQUIRE(c.commits.size() == 1);
    // The commit's answer was lost before the log halted.
    halts();
    c.lose("seq:1");
    c.pass(1s);
    REQUIRE(c.done.size() == 1);
    CHECK(c.error(0) == Errc::outcome_unknown);
    CHECK(std::get<Failure>(c.done[0].result).error.detail.find("hold different bytes below 500") !=
          std::string::npos);
  }
  CHECK(c.machine.bytes_in_flight() == 0);
}

TEST_CASE("a sequencer that was down for long and leads now is dialled when another one names it") {
  Cluster c;
  c.sequencers = 3;
  c.down = {"seq:2"};
  c.begin_term(1);
  c.append(1, "one");
  c.pass(5s);  // the pauses between attempts to dial seq:2 have grown
  REQUIRE(c.done.size() == 1);
  for (int i = 2; i <= 6; ++i) {
    CAPTURE(i);
    // In each round the lead goes to the sequencer that was down, and the former leader stops.
    const std::string lost = "seq:" + std::to_string(c.leads);
    c.leads = 3 - c.leads;
    c.begin_term(static_cast<std::uint32_t>(i));
    c.down = {lost};
    c.lose(lost);
    c.append(static_cast<std::uint64_t>(i), "more");
    // Time enough to ask a sequencer for the metadata, but not for a dial's long pause.
    c.pass(250ms);
    CHECK(c.done.size() == static_cast<std::size_t>(i));
    c.pass(5s);
  }
}

TEST_CASE(
    "a sequencer is found by who it says it is, where the metadata still have an address of "
    "before") {
  Cluster c;
  // The metadata name an address of seq:1 at which nobody answers.
  c.said_at = {{"seq:1", "seq:old1"}};
  c.down = {"seq:old1"};
  c.begin_term(1);
  c.append(1, "one");
  c.pass(1s);
  REQUIRE(c.done.size() == 1);
  CHECK(std::holds_alternative<client::Appended>(c.done[0].result));
}

TEST_CASE("a node that cannot be reached may have moved: the metadata are asked for again") {
  Cluster c;
  c.begin_term(1);
  c.append(1, "one");
  c.pass(1s);
  REQUIRE(c.done.size() == 1);
  // Nodes 1 and 2 move; only newer metadata know where.
  c.said_at = {{"n1", "nx1"}, {"n2", "nx2"}};
  c.down = {"n1", "n2"};
  c.lose("n1");
  c.lose("n2");
  c.append(2, "two");
  c.pass(5s);
  const auto reached = [&c](const std::string& address) {
    return std::any_of(c.up.begin(), c.up.end(),
                       [&](const auto& u) { return u.second == address; });
  };
  CHECK(reached("nx1"));
  CHECK(reached("nx2"));
  // Addresses that the metadata no longer name are forgotten, so no timer is left for them.
  c.pass(10s);
  (void)c.machine.output();
  c.machine.output().clear();
  CHECK(c.machine.output().wake > c.now + 10s);
}

TEST_CASE("a node that refuses this client is dialled ever less often, and its reason is told") {
  Cluster c;
  c.begin_term(1);
  c.refusing = {"n1", "n2"};
  c.append(1, "one", c.now + 10s);
  c.pass(11s);
  REQUIRE(c.done.size() == 1);
  CHECK(c.error(0) == Errc::deadline_exceeded);
  const std::string& why = std::get<Failure>(c.done[0].result).error.detail;
  CHECK(why.find("storage node 1: ") != std::string::npos);
  CHECK(why.find("64 are connected") != std::string::npos);
  // The pause grows from 20 ms to a second, so each node is dialled some 16 times, and not 500.
  CHECK(c.refusals > 10);
  CHECK(c.refusals < 60);
  // The node has room again, so the next append is not kept waiting.
  c.refusing.clear();
  c.append(2, "two", c.now + 3s);
  c.pass(3s);
  REQUIRE(c.done.size() == 2);
  CHECK(std::holds_alternative<client::Appended>(c.done[1].result));
}

TEST_CASE("a deadline before the commit fails, one after it leaves the outcome unknown") {
  Cluster c;
  c.begin_term(1);
  Errc expected = Errc::outcome_unknown;
  // Without a write quorum of uploads there is no commit, so the append is refused. A commit that
  // is lost leaves its outcome open (A6).
  SUBCASE("before") {
    c.down = {"n1", "n2"};
    expected = Errc::deadline_exceeded;
  }
  SUBCASE("after") { c.lose_commits = true; }
  c.append(1, "one", c.now + 300ms);
  c.pass(1s);
  REQUIRE(c.done.size() == 1);
  CHECK(c.error(0) == expected);
  const Figures& f = c.machine.figures();
  CHECK(f.appends_refused == (expected == Errc::deadline_exceeded ? 1 : 0));
  CHECK(f.appends_unknown == (expected == Errc::outcome_unknown ? 1 : 0));
  CHECK((f.connections_failed > 0) == (expected == Errc::deadline_exceeded));
}

TEST_CASE(
    "eager: a run is committed along with its uploads where the last ones were taken at once, and "
    "after them where not (V1)") {
  Options o;
  o.eager_commit = true;
  o.eager_run_max = 4096;
  Cluster c(o);
  c.begin_term(1);
  // V1: a first run waits for its uploads.
  c.held_uploads.emplace();
  c.append(1, "the first run waits: nothing is known of its replicas");
  c.pass(20ms);
  REQUIRE(c.held_uploads->size() == 3);
  CHECK(c.commits.empty());
  // Answers the held uploads: the first `count` with Uploaded, the others with Busy.
  const auto take = [&](std::size_t count) {
    const std::vector<Send> held = std::exchange(*c.held_uploads, {});
    for (std::size_t i = 0; i < held.size(); ++i) {
      const auto& u = std::get<Upload>(held[i].message);
      if (i < count) c.reply(held[i], Uploaded{log_id, u.run.producer, u.run.first, Offset{}});
      else c.reply(held[i], Busy{log_id, u.run.producer, u.run.first, Errc::no_space, 1000});
    }
    c.run();
  };
  // A write quorum took the run quickly, so the next run may be committed with its uploads.
  take(2);
  CHECK(c.commits.size() == 1);
  c.append(2, "the second one goes ahead");
  c.pass(20ms);
  CHECK(c.commits.size() == 2);
  CHECK(c.done.size() == 2);

  // Each case breaks a condition of V1, so the third run waits for its uploads.
  std::size_t taken = 0;
  std::string next = "waits";
  SUBCASE("too few took the last one") { taken = 1; }
  SUBCASE("they took long") {
    taken = 3;
    c.pass(100ms);
  }
  SUBCASE("it is long") {
    taken = 3;
    next = std::string(5000, 'x');
  }
  take(taken);
  c.append(3, next);
  c.pass(20ms);
  CHECK(c.commits.size() == 2);
  take(3);
  CHECK(c.commits.size() == 3);
  // A run that was taken in time opens the way again.
  c.held_uploads.reset();
  c.append(4, "and the next one goes ahead again, or after its uploads");
  c.pass(20ms);
  CHECK(c.done.size() == 4);
}

TEST_CASE("eager: UploadAgain does not repeat what is on its way") {
  Options o;
  o.eager_commit = true;
  Cluster c(o);
  c.begin_term(1);
  c.append(1, "one");
  c.pass(20ms);
  c.held_uploads.emplace();
  c.answer_commits = false;
  c.append(2, "two");
  c.pass(20ms);
  REQUIRE(c.commits.size() == 2);
  REQUIRE(c.held_uploads->size() == 3);
  const Send first = c.held_uploads->front();
  const auto& run = std::get<Upload>(first.message).run;
  // A replica has taken the run; the other two uploads are on their way.
  c.reply(first, Uploaded{log_id, run.producer, run.first, Offset{}});
  c.machine.arrived(c.now,
                    {c.commits[0].to, RequestId{}, UploadAgain{log_id, run.producer, run.first}});
  c.pass(20ms);
  // The upload is repeated only to the replica that had answered.
  REQUIRE(c.held_uploads->size() == 4);
  CHECK(c.held_uploads->back().to == first.to);
}

TEST_CASE(
    "observed: an append ends when a write quorum of the term's set says the same, over "
    "connections that stand (V2)") {
  Options o;
  o.observed_commit = true;
  Cluster c(o);
  c.begin_term(1);
  c.set = {{NodeId{1}, DiskId{1}}, {NodeId{2}, DiskId{2}}, {NodeId{3}, DiskId{3}}};
  SUBCASE("the set is known at once") {}
  // With another disk in the set, node 3's word does not count (T4: a member is node and disk).
  SUBCASE("a node is a member with another disk only") { c.set->at(2).disk = DiskId{99}; }
  const bool foreign = c.set->at(2).disk == DiskId{99};
  c.answer_commits = false;
  c.append(1, "one");
  c.pass(100ms);
  REQUIRE(c.commits.size() == 1);
  REQUIRE(c.observed.size() == 3);
  const Reference run = std::get<Commit>(c.commits[0].message).run;
  // Delivers RunDurable of a node over each of its connections.
  const auto says = [&](const std::string& node, std::uint32_t term, std::uint64_t offset) {
    for (const auto& [connection, address] : std::map(c.up))
      if (address == node)
        c.machine.arrived(
            c.now, {connection, RequestId{},
                    RunDurable{log_id, Term{term}, run.producer, run.first, Offset{offset}}});
    c.run();
  };
  says("n1", 1, 500);
  says("n1", 1, 500);  // the same word twice counts once
  CHECK(c.done.empty());
  says("n2", 2, 500);  // another term does not count
  says("n2", 1, 600);  // another offset does not agree
  CHECK(c.done.empty());
  // Two members agree on term and offset: W is reached without an answer of the leader.
  says("n3", 1, 500);
  if (foreign) {
    CHECK(c.done.empty());
    says("n2", 1, 500);
  }
  REQUIRE(c.done.size() == 1);
  CHECK(std::get<client::Appended>(c.done[0].result).offset == Offset{500});
  CHECK(std::get<client::Appended>(c.done[0].result).term == Term{1});
}

TEST_CASE(
    "observed: what a node said goes with its connection, and without the term's set nothing "
    "counts (V2)") {
  Options o;
  o.observed_commit = true;
  Cluster c(o);
  c.begin_term(1);
  c.answer_commits = false;
  c.append(1, "one");
  c.pass(100ms);
  REQUIRE(c.commits.size() == 1);
  const Reference run = std::get<Commit>(c.commits[0].message).run;
  const auto says = [&](const std::string& node) {
    for (const auto& [connection, address] : std::map(c.up))
      if (address == node)
        c.machine.arrived(c.now,
                          {connection, RequestId{},
                           RunDurable{log_id, Term{1}, run.producer, run.first, Offset{500}}});
    c.run();
  };
  // Without the term's set no word counts.
  says("n1");
  says("n2");
  CHECK(c.done.empty());
  // Node 1's connection ends, and its word with it; node 2's stands.
  c.lose("n1");
  c.set = {{NodeId{1}, DiskId{1}}, {NodeId{2}, DiskId{2}}, {NodeId{3}, DiskId{3}}};
  c.pass(100ms);
  CHECK(c.done.empty());
  // Nodes 2 and 3 make the write quorum.
  says("n3");
  CHECK(c.done.size() == 1);
}

TEST_CASE(
    "an append that expects the log's end is a run of its own, and goes over the leader's own "
    "frames by itself (F1)") {
  Cluster c;
  c.begin_term(1);
  c.append(1, "one");
  c.pass(100ms);
  const Offset end{c.bytes.size()};
  // Appends with an expected offset (F1).
  const auto expect = [&](std::uint64_t token, Offset expected) {
    c.machine.append(c.now, Token{token}, log_id, Bytes::copy_of(std::string_view("x")), false,
                     never, {expected, FenceToken{}});
  };

  SUBCASE("taken") {
    c.append(2, "two");
    expect(3, end + frame_overhead + 3);
    c.append(4, "four");
    c.pass(100ms);
    REQUIRE(c.done.size() == 4);
    REQUIRE(c.conditional.size() == 1);
    CHECK(c.conditional[0].run.count == 1);
    CHECK(c.conditional[0].expected == end + frame_overhead + 3);
    CHECK(std::get<client::Appended>(c.done[2].result).offset == end + frame_overhead + 3);
  }
  SUBCASE("an entry is in the way: refused, and those behind it go on") {
    c.append(2, "two");
    c.pass(100ms);
    // The leader refuses; the SDK reads the range and finds an entry there.
    c.refusal = ConditionFailed{{}, {}, {}, {}, Errc::offset_mismatch, Offset{c.bytes.size()}, {}};
    expect(3, end);
    c.pass(200ms);
    c.append(4, "four");
    c.pass(100ms);
    REQUIRE(c.done.size() == 4);
    CHECK(c.error(2) == Errc::offset_mismatch);
    CHECK(std::get<Failure>(c.done[2].result).ends == end + frame_overhead + 3);
    CHECK(std::holds_alternative<client::Appended>(c.done[3].result));
    CHECK(c.machine.bytes_in_flight() == 0);
  }
  SUBCASE(
      "it expects the middle of a frame, too near the end for a frame to begin there: refused at "
      "once") {
    // The range of two bytes cannot hold a frame, so nothing needs to be read.
    c.refusal = ConditionFailed{{}, {}, {}, {}, Errc::offset_mismatch, end, {}};
    expect(2, Offset{end.value - 2});
    c.pass(200ms);
    REQUIRE(c.done.size() == 2);
    CHECK(c.error(1) == Errc::offset_mismatch);
  }
  SUBCASE("no replica tells whether an entry is in the way: that is what its deadline says") {
    c.refusal = ConditionFailed{{}, {}, {}, {}, Errc::offset_mismatch, end, {}};
    // No replica shows the range, so the SDK cannot tell whether an entry lies there.
    c.lagging = {"n1", "n2", "n3"};
    c.machine.append(c.now, Token{2}, log_id, Bytes::copy_of(std::string_view("x")), false,
                     c.now + 1s, {Offset{0}, FenceToken{}});
    c.pass(2s);
    REQUIRE(c.done.size() == 2);
    CHECK(c.error(1) == Errc::deadline_exceeded);
    CHECK(std::get<Failure>(c.done[1].result).error.detail ==
          fmt::format("0 was expected, the log ends at {}; no replica told in time whether an "
                      "entry lies between",
                      end.value));
  }
  SUBCASE("only a term start is: it is committed again behind that") {
    // Between the expected offset and the end stands only the new leader's term start.
    c.begin_term(2);
    c.lose("seq:1");
    c.refusal = ConditionFailed{{}, {}, {}, {}, Errc::offset_mismatch, Offset{c.bytes.size()}, {}};
    expect(2, end);
    c.pass(300ms);
    REQUIRE(c.done.size() == 2);
    REQUIRE(c.conditional.size() == 2);
    CHECK(c.conditional[0].expected == end);
    CHECK(c.conditional[1].expected > end);
    CHECK(c.conditional[1].run == c.conditional[0].run);
    CHECK(std::get<client::Appended>(c.done[1].result).offset == c.conditional[1].expected);
  }
}

TEST_CASE("a fenced producer's appends end, those that wait behind as well (F2)") {
  Cluster c;
  c.begin_term(1);
  const auto with = [&](std::uint64_t token, std::uint64_t fence) {
    c.machine.append(c.now, Token{token}, log_id, Bytes::copy_of(std::string_view("x")), false,
                     never, {no_offset, FenceToken{fence}});
  };
  // The log's token is 9 from now on: both appends with token 8 must end.
  c.refusal = ConditionFailed{{}, {}, {}, {}, Errc::producer_fenced, Offset{}, FenceToken{9}};
  with(1, 8);
  with(2, 8);
  with(3, 9);
  c.append(4, "no token");
  c.pass(300ms);
  REQUIRE(c.done.size() == 4);
  CHECK(c.error(0) == Errc::producer_fenced);
  CHECK(c.error(1) == Errc::producer_fenced);
  CHECK(std::get<Failure>(c.done[0].result).fence == FenceToken{9});
  // An append with the current token, or without a token, is not held to the older token.
  CHECK(std::holds_alternative<client::Appended>(c.done[2].result));
  CHECK(std::holds_alternative<client::Appended>(c.done[3].result));
  CHECK(c.conditional.size() == 2);
  CHECK(c.machine.bytes_in_flight() == 0);
}

TEST_CASE("a log is deleted by the id that its name had, and no other log by that request (T5)") {
  Cluster c;
  c.begin_term(1);
  const LogId older{5}, newer{9};
  const auto begin = [&c] { c.machine.delete_log(c.now, Token{1}, "log", c.now + 20s); };
  const Failed gone{Errc::no_such_log, "log"};
  const auto deleted = [&c] {
    return c.done.size() == 1 && std::holds_alternative<client::Succeeded>(c.done[0].result);
  };
  SUBCASE("it is there") {
    c.on_delete = [](LogId) { return Done{}; };
    begin();
    c.pass(1s);
    CHECK(deleted());
    CHECK(c.deletes == std::vector{log_id});
  }
  SUBCASE("no log has the name") {
    c.named.reset();
    begin();
    c.pass(1s);
    REQUIRE(c.done.size() == 1);
    CHECK(c.error(0) == Errc::no_such_log);
    CHECK(c.deletes.empty());
  }
  SUBCASE("the first answer is lost") {
    // The first request deletes the log, and its answer is lost. The repeat names the same id.
    c.on_delete = [&](LogId) -> std::optional<Message> {
      if (!std::exchange(c.named, {})) return gone;
      return std::nullopt;
    };
    begin();
    c.pass(5s);
    CHECK(deleted());
    CHECK(c.deletes == std::vector{log_id, log_id});
  }
  SUBCASE("the first answer is lost, and another log has the name when it is asked again") {
    // Meanwhile another log took the name: the repeat names the old id and must not touch the new
    // log. The client cannot know that its own request deleted the old log.
    c.on_delete = [&](LogId) -> std::optional<Message> {
      if (std::exchange(c.named, newer) == newer) return gone;
      return std::nullopt;
    };
    begin();
    c.pass(5s);
    REQUIRE(c.done.size() == 1);
    CHECK(c.error(0) == Errc::no_such_log);
    CHECK(c.deletes == std::vector{log_id, log_id});
  }
  SUBCASE("who was asked for the name lagged behind") {
    // The metadata were stale: the id that they named was gone before this client asked to delete
    // anything.
    c.named = older;
    c.on_delete = [&](LogId id) -> std::optional<Message> {
      if (id == log_id) return Done{};
      c.named = log_id;
      return gone;
    };
    begin();
    c.pass(1s);
    CHECK(deleted());
    CHECK(c.deletes == std::vector{older, log_id});
  }
  SUBCASE("one that was believed to lead came back with nothing") {
    c.on_delete = [](LogId) { return Done{}; };
    // The leader loses its lead and its metadata; its answer "no such name" must not end the call
    // (R2).
    c.append(7, "so that the leader is known");
    c.pass(1s);
    REQUIRE(c.done.size() == 1);
    c.done.clear();
    c.leads = 0;
    c.named.reset();
    SUBCASE("asked to delete") { begin(); }
    SUBCASE("asked to open") { c.machine.open_log(c.now, Token{1}, "log", c.now + 20s); }
    c.pass(1s);
    CHECK(c.done.empty());
    // A leader is there again and names the log.
    c.leads = 1;
    c.named = log_id;
    c.pass(1s);
    REQUIRE(c.done.size() == 1);
    CHECK(!std::holds_alternative<client::Failure>(c.done[0].result));
  }
  SUBCASE("one that leads no more may have done it") {
    // The first attempt was answered with not_leader but may have been carried out.
    c.on_delete = [&](LogId) -> std::optional<Message> {
      if (std::exchange(c.named, {})) return Failed{Errc::not_leader, {}};
      return gone;
    };
    begin();
    c.pass(5s);
    CHECK(deleted());
  }
}

TEST_CASE("a log is deleted by its own id, and a repeat after a lost answer succeeds (T5)") {
  Cluster c;
  c.begin_term(1);
  const Failed gone{Errc::no_such_log, "log"};
  c.named = LogId{9};  // another log has the name by now
  SUBCASE("it is there") {
    c.on_delete = [](LogId) { return Done{}; };
    c.machine.delete_log(c.now, Token{1}, log_id, c.now + 20s);
    c.pass(1s);
    REQUIRE(c.done.size() == 1);
    CHECK(std::holds_alternative<client::Succeeded>(c.done[0].result));
    CHECK(c.deletes == std::vector{log_id});
  }
  SUBCASE("it was deleted before") {
    c.on_delete = [&gone](LogId) { return gone; };
    c.machine.delete_log(c.now, Token{1}, log_id, c.now + 20s);
    c.pass(1s);
    REQUIRE(c.done.size() == 1);
    CHECK(c.error(0) == Errc::no_such_log);
  }
  SUBCASE("the first answer is lost") {
    bool first = true;
    c.on_delete = [&](LogId) -> std::optional<Message> {
      if (std::exchange(first, false)) return std::nullopt;
      return gone;
    };
    c.machine.delete_log(c.now, Token{1}, log_id, c.now + 20s);
    c.pass(5s);
    REQUIRE(c.done.size() == 1);
    CHECK(std::holds_alternative<client::Succeeded>(c.done[0].result));
    CHECK(c.deletes == std::vector{log_id, log_id});
  }
}

TEST_CASE("an entry that is too large is refused before anything is sent") {
  Cluster c;
  c.machine.append(c.now, Token{1}, log_id, Bytes::allocate(entry_size_max + 1), false, never);
  c.run();
  REQUIRE(c.done.size() == 1);
  CHECK(c.error(0) == Errc::entry_too_large);
  CHECK(c.machine.figures().appends_refused == 1);
  CHECK(c.staged.empty());
}

TEST_CASE("a replica whose bytes do not verify is left and told") {
  Cluster c;
  c.begin_term(1);
  c.append(1, "payload");
  c.pass(100ms);
  // Two of three replicas give damaged pages: the client reports each and reads from the third.
  c.corrupt = {"n1", "n2"};
  const std::uint64_t at = std::get<client::Appended>(c.done.at(0).result).offset.value;
  c.machine.read(c.now, Token{2}, log_id, Offset{at}, 4096, 0ms, never);
  c.pass(100ms);
  REQUIRE(c.done.size() == 2);
  CHECK(std::get<Delivered>(c.done[1].result).entries.at(0).payload.text() == "payload");
  // An offset inside an entry looks like damage on every replica.
  c.machine.read(c.now, Token{3}, log_id, Offset{at + 1}, 4096, 0ms, never);
  c.pass(100ms);
  CHECK(c.error(2) == Errc::not_an_entry);
  CHECK(!c.reports.empty());
  // An offset at which no entry begins is no damage.
  CHECK(c.machine.figures().corrupt_pages == c.reports.size());
  CHECK(c.machine.figures().read_entries == 1);
  CHECK(c.machine.figures().read_bytes == 7);
}

TEST_CASE(
    "where one read ended the next one finds damage and tells the node, also where no other "
    "replica answers") {
  Cluster c;
  c.begin_term(1);
  c.append(1, "payload");
  c.pass(100ms);
  const std::uint64_t at = std::get<client::Appended>(c.done.at(0).result).offset.value;
  c.machine.read(c.now, Token{2}, log_id, Offset{at}, 4096, 0ms, never);
  c.pass(100ms);
  REQUIRE(c.done.size() == 2);
  c.append(3, "more");
  c.pass(100ms);
  // All replicas are damaged behind the end of the first read.
  c.corrupt = {"n1", "n2", "n3"};
  const Offset next = std::get<Delivered>(c.done[1].result).next;
  c.machine.read(c.now, Token{4}, log_id, next, 4096, 0ms, c.now + 1s);
  c.pass(2s);
  REQUIRE(c.done.size() == 4);
  // The offset is known to be an entry's, because a read ended there; so the node is told at once.
  CHECK(c.error(3) != Errc::not_an_entry);
  REQUIRE(!c.reports.empty());
  CHECK(std::get<ReportCorrupt>(c.reports[0].message).offset == next);
}

TEST_CASE(
    "where a page ends with bytes that no frame below the log's end begins with, the offset is no "
    "entry's") {
  Cluster c;
  c.begin_term(1);
  c.append(1, "payload");
  c.pass(100ms);
  // The offset lies too near the end for a frame to begin there.
  c.machine.read(c.now, Token{2}, log_id, Offset{c.bytes.size() - 3}, 4096, 0ms, c.now + 10s);
  c.machine.follow(c.now, Token{3}, log_id, Offset{c.bytes.size() - 3});
  c.pass(1s);
  REQUIRE(c.done.size() == 3);
  CHECK(c.error(1) == Errc::not_an_entry);
  CHECK(c.error(2) == Errc::not_an_entry);
  CHECK(c.reports.empty());  // nothing is corrupt
}

TEST_CASE(
    "where a replica does not answer, an offset that is no entry's is known at the deadline only, "
    "and not called corrupt") {
  Cluster c;
  // n3 might be the only replica with a good frame at the offset, so the client waits for it.
  c.down = {"n3"};
  c.begin_term(1);
  c.append(1, "payload");
  c.pass(100ms);
  const std::uint64_t at = std::get<client::Appended>(c.done.at(0).result).offset.value;
  c.machine.read(c.now, Token{2}, log_id, Offset{at + 1}, 4096, 0ms, c.now + 3s);
  c.pass(2900ms);
  CHECK(c.done.size() == 1);
  c.pass(200ms);
  REQUIRE(c.done.size() == 2);
  CHECK(c.error(1) == Errc::not_an_entry);
}

TEST_CASE("follow puts frames together that pages cut") {
  Cluster c;
  c.begin_term(1);
  for (std::uint64_t i = 1; i <= 5; ++i) c.append(i, std::string(100 * i, 'x'));
  c.pass(100ms);
  REQUIRE(c.done.size() == 5);
  // Pages of 70 bytes cut every frame.
  c.page = 70;
  c.machine.follow(c.now, Token{9}, log_id, Offset{0});
  c.pass(100ms);
  std::vector<std::size_t> sizes;
  for (std::size_t i = 5; i < c.done.size(); ++i)
    for (const auto& e : std::get<Delivered>(c.done[i].result).entries)
      sizes.push_back(e.payload.size());
  CHECK(sizes == std::vector<std::size_t>{100, 200, 300, 400, 500});
  c.machine.stop(c.now, Token{9});
  c.run();
  CHECK(c.error(c.done.size() - 1) == Errc::cancelled);
}

namespace {
/// The nodes that were asked for pages.
std::set<std::string> asked(const Cluster& c) {
  std::set<std::string> nodes;
  for (const Send& s : c.reads) nodes.insert(c.up.at(s.to));
  return nodes;
}
}  // namespace

TEST_CASE("a read from one replica gives its frames as they are stored, and asks no other") {
  Cluster c;
  c.begin_term(1);
  c.append(1, "one");
  c.append(2, "another");
  c.pass(100ms);
  c.page = 50;  // shorter than some frames, so pages cut them
  Offset at{0};
  Bytes stored = Bytes::allocate(c.bytes.size());
  for (std::uint64_t token = 3; at.value < c.bytes.size(); ++token) {
    c.machine.read(c.now, Token{token}, log_id, at, 4096, 0ms, c.now + 1s,
                   {NodeId{2}, false, true});
    c.pass(100ms);
    const auto& d = std::get<Delivered>(c.done.back().result);
    REQUIRE(!d.frames.empty());  // the term start is among the frames, though it is no entry
    for (const Bytes& f : d.frames) {
      CHECK(look_at_frame(f, log_id, at, true).state == FrameState::good);
      std::memcpy(stored.mutable_data() + at.value, f.data(), f.size());
      at += f.size();
    }
    CHECK(d.next == at);
  }
  // The frames together are the log, byte by byte, and all came from node 2.
  CHECK(stored == c.bytes);
  CHECK(asked(c) == std::set<std::string>{"n2"});
}

TEST_CASE(
    "a read from one replica ends with what that one says, and tells it of damage only where asked "
    "to") {
  Cluster c;
  c.begin_term(1);
  c.append(1, "payload");
  c.pass(100ms);
  const Offset at = std::get<client::Appended>(c.done.at(0).result).offset;
  SUBCASE("damage, silently") {
    c.corrupt = {"n2"};
    // Without the request to tell, the node hears nothing of the damage.
    c.machine.read(c.now, Token{2}, log_id, at, 4096, 0ms, never, {NodeId{2}});
    c.pass(100ms);
    REQUIRE(c.done.size() == 2);
    CHECK(c.error(1) == Errc::corrupt);
    CHECK(c.reports.empty());
  }
  SUBCASE("damage, told") {
    c.corrupt = {"n2"};
    c.machine.read(c.now, Token{2}, log_id, at, 4096, 0ms, never, {NodeId{2}, true});
    c.pass(100ms);
    CHECK(c.error(1) == Errc::corrupt);
    REQUIRE(c.reports.size() == 1);
    CHECK(c.up.at(c.reports[0].to) == "n2");
    CHECK(std::get<ReportCorrupt>(c.reports[0].message).offset == at);
  }
  SUBCASE("what precedes damage comes first") {
    c.corrupt = {"n2"};  // the last bytes of a page, which belong to the entry
    c.machine.read(c.now, Token{2}, log_id, Offset{0}, 4096, 0ms, never, {NodeId{2}, false, true});
    c.pass(100ms);
    REQUIRE(c.done.size() == 2);
    CHECK(std::get<Delivered>(c.done[1].result).next == at);
  }
  SUBCASE("it lags, and says so at once") {
    c.lagging = {"n2"};
    c.machine.read(c.now, Token{2}, log_id, at, 4096, 0ms, never, {NodeId{2}});
    c.pass(100ms);
    REQUIRE(c.done.size() == 2);
    CHECK(c.error(1) == Errc::not_here);
    CHECK(c.reads.size() == 1);
  }
  SUBCASE("down: until the deadline, though the others are up") {
    // No other replica is asked in place of the named replica.
    c.down = {"n2"};
    c.lose("n2");
    c.machine.read(c.now, Token{2}, log_id, at, 4096, 0ms, c.now + 1s, {NodeId{2}});
    c.pass(900ms);
    CHECK(c.done.size() == 1);
    c.pass(200ms);
    REQUIRE(c.done.size() == 2);
    CHECK(c.error(1) == Errc::unavailable);
    CHECK(c.reads.empty());
  }
  SUBCASE("others are read as ever afterwards") {
    c.corrupt = {"n2"};
    c.machine.read(c.now, Token{2}, log_id, at, 4096, 0ms, never, {NodeId{2}});
    c.pass(100ms);
    c.corrupt = {};
    // Later reads use all replicas again.
    for (std::uint64_t i = 3; i < 6; ++i) {
      c.machine.read(c.now, Token{i}, log_id, at, 4096, 0ms, never);
      c.pass(50ms);
    }
    CHECK(asked(c) == std::set<std::string>{"n1", "n2", "n3"});
  }
}

namespace {
/// A log of segments and terms with given clocks, an entry in each. `points` lists the starts with
/// their clocks.
struct Timed : Cluster {
  std::vector<std::pair<Offset, std::uint64_t>> points;
  void segment(std::uint64_t clock) {
    points.emplace_back(Offset{bytes.size()}, clock);
    begin_segment(clock);
    entry();
  }
  void term_of(std::uint32_t t, std::uint64_t clock) {
    points.emplace_back(Offset{bytes.size()}, clock);
    begin_term(t, clock);
    entry();
  }
  void entry() {
    Bytes f = Bytes::allocate(frame_overhead + 500);
    write_frame_image(f.mutable_data(), FrameKind::entry, ProducerId{1}, Sequence{points.size()},
                      Bytes::copy_of(std::string(500, 'x')));
    append_to_log(f, term);
  }
  /// The answer by a linear search: the highest start whose clock is below the time (R6).
  Offset expected(std::uint64_t time) const {
    Offset best = first;
    for (const auto& [offset, clock] : points)
      if (clock < time) best = std::max(best, offset);
    return best;
  }
  std::uint64_t asked = 0;
  /// Asks for a point in time; nullopt if the call failed.
  std::optional<Offset> ask(std::uint64_t time) {
    done.clear();
    machine.offset_at(now, Token{9000 + ++asked}, log_id, time, now + 5s);
    pass(200ms);
    REQUIRE(done.size() == 1);
    const auto* found = std::get_if<PointInTime>(&done[0].result);
    return found ? std::optional(found->offset) : std::nullopt;
  }
};
}  // namespace

TEST_CASE(
    "a point in time is the last segment or term start before it, found by a few small reads "
    "(R6)") {
  Timed c;
  c.segment(1000);
  c.term_of(1, 1000);
  for (std::uint64_t i = 1; i < 60; ++i) {
    c.segment(1000 + i * 100);
    if (i % 7 == 0) c.term_of(static_cast<std::uint32_t>(1 + i), 1050 + i * 100);
  }
  SUBCASE("whole") {}
  SUBCASE("trimmed inside a segment") { c.first = c.points[11].first + segment_start_size; }
  SUBCASE("one replica down") { c.down = {"n2"}; }
  for (const std::uint64_t time :
       {0, 1000, 1001, 1100, 1101, 1750, 1751, 1800, 3333, 6900, 6901, 1'000'000}) {
    CAPTURE(time);
    c.reads.clear();
    CHECK(c.ask(time) == c.expected(time));
    // A binary search over 60 segments reads few frames, and only their beginnings.
    CHECK(c.reads.size() <= 8);
    for (const Send& s : c.reads) CHECK(std::get<Read>(s.message).max_bytes <= 256);
  }
  CHECK(c.reports.empty());
}

TEST_CASE(
    "a point in time: where clocks went back, the search ends and gives a point before the time") {
  Timed c;
  c.segment(5000);
  c.term_of(1, 5000);
  // Clocks go up and down, as with leaders whose clocks differ.
  for (std::uint64_t i = 0; i < 40; ++i) c.segment(i % 9 == 0 ? 9000 - i : 1000 + i);
  for (std::uint64_t time = 900; time < 9100; time += 100) {
    const auto found = c.ask(time);
    REQUIRE(found);
    for (const auto& [offset, clock] : c.points)
      if (offset == *found && offset > Offset{}) CHECK(clock < time);
  }
}

TEST_CASE("a point in time: a bad start frame is reported, and read elsewhere") {
  Timed c;
  c.segment(1000);
  c.term_of(1, 1000);
  c.points.emplace_back(Offset{c.bytes.size()}, 2000);
  c.begin_segment(2000);  // at the very end, where slice() puts the damage
  c.corrupt = {"n1", "n2"};
  for (int i = 0; i < 4; ++i) CHECK(c.ask(3000) == c.points.back().first);
  CHECK(!c.reports.empty());
}

TEST_CASE("a point in time in a log of more segments than one answer names") {
  Timed c;
  c.term = Term{1};
  // Three answers are needed to list all segments.
  const std::size_t count = 2 * segments_listed_max + 100;
  Bytes all = Bytes::allocate(count * segment_start_size);
  for (std::size_t i = 0; i < count; ++i) {
    const Bytes image = make_segment_start_image({10 * (i + 1), {}, {}});
    std::memcpy(all.mutable_data() + i * segment_start_size, image.data(), image.size());
    c.segment_starts.push_back(Offset{i * segment_start_size});
    c.points.emplace_back(c.segment_starts.back(), 10 * (i + 1));
  }
  c.append_to_log(all, Term{1});
  for (const std::uint64_t time :
       {std::size_t{5}, std::size_t{12'345}, 10 * segments_listed_max, 10 * segments_listed_max + 1,
        20 * segments_listed_max + 11, 10 * count + 1}) {
    CAPTURE(time);
    CHECK(c.ask(time) == c.expected(time));
  }
}

TEST_CASE("a point in time: a log that is gone, and nobody who answers") {
  Timed c;
  c.segment(1000);
  c.term_of(1, 1000);
  // The log was deleted.
  c.no_segments = Errc::no_such_log;
  CHECK(!c.ask(500));
  CHECK(c.error(0) == Errc::no_such_log);
  // Nobody knows the log: the call waits until its deadline.
  c.no_segments = Errc::not_member;
  c.machine.offset_at(c.now, Token{1}, log_id, 500, c.now + 1s);
  c.done.clear();
  c.pass(1500ms);
  REQUIRE(c.done.size() == 1);
  CHECK(c.error(0) == Errc::not_member);
  // Closing the client ends the call.
  c.machine.offset_at(c.now, Token{2}, log_id, 500, c.now + 1s);
  c.machine.close(c.now);
  c.done.clear();
  c.run();
  REQUIRE(c.done.size() == 1);
  CHECK(c.error(0) == Errc::client_closed);
}

TEST_CASE(
    "a closed client dials nobody, whatever its timers and connections bring: nobody would close "
    "that connection") {
  Cluster c;
  c.begin_term(1);
  c.append(1, "one");
  c.pass(100ms);
  c.machine.append(c.now, Token{2}, log_id, Bytes::copy_of(std::string_view("x")), false, never);
  c.machine.close(c.now);
  c.run();
  CHECK(c.error(1) == Errc::client_closed);
  // All connections break after the close; no timer may dial again.
  for (const auto* node : {"seq:1", "n1", "n2", "n3"}) c.lose(node);
  for (int i = 0; i < 100; ++i) {
    c.now += 100ms;
    c.machine.tick(c.now);
    client::Output& o = c.machine.output();
    CHECK(o.connects.empty());
    CHECK(o.wake == never);
    o.clear();
  }
}

TEST_CASE(
    "a change goes again under the basis that it had, and is based anew only where nothing of it "
    "can be under way (C-10)") {
  Cluster c;
  c.begin_term(1);
  c.append(1, "one");
  c.pass(100ms);
  c.done.clear();
  const Message done = LogIs{c.metadata().metadata.logs.at(0)};
  const auto set = [&c] {
    c.machine.set_retention(c.now, Token{2}, log_id, {0, 60'000}, c.now + 20s);
  };
  SUBCASE("an answer is lost") {
    // The first answer is lost; the repeat carries the same basis (T6).
    c.on_retention = [&](const SetRetention&) {
      return c.bases.size() == 1 ? std::nullopt : std::optional(done);
    };
    set();
    c.pass(5s);
    REQUIRE(c.bases.size() == 2);
    CHECK(c.bases[0] == c.bases[1]);
    CHECK(c.bases[0].id != ChangeId{});
    CHECK(c.done.size() == 1);
  }
  SUBCASE("somebody else has changed it since this client looked") {
    c.version = 9;
    // The metadata have changed: the request was sent once and refused, so it may be based anew.
    c.on_retention = [&](const SetRetention& r) {
      return std::optional(r.basis.seen < RaftIndex{9} ? Message(Failed{Errc::superseded, "log"})
                                                       : done);
    };
    set();
    c.pass(1s);
    REQUIRE(c.bases.size() == 2);
    CHECK(c.bases[1].seen == RaftIndex{9});
    REQUIRE(c.done.size() == 1);
    CHECK(std::holds_alternative<LogDescription>(c.done[0].result));
  }
  SUBCASE(
      "somebody else has, after the first answer was lost: it may have been done and overtaken") {
    // The first request may have been carried out and then overtaken, so `superseded` is the
    // answer.
    c.on_retention = [&](const SetRetention&) -> std::optional<Message> {
      if (c.bases.size() == 1) return std::nullopt;
      return Failed{Errc::superseded, "log"};
    };
    set();
    c.pass(5s);
    CHECK(c.bases.size() == 2);
    REQUIRE(c.done.size() == 1);
    CHECK(c.error(0) == Errc::superseded);
  }
}

TEST_CASE("a trim beyond the end is refused with the end, and lets nothing go (A1)") {
  Cluster c;
  c.tail = Offset{43'061};
  c.machine.trim_log(c.now, Token{1}, log_id, Offset{418'800}, c.now + 5s);
  c.pass(100ms);
  REQUIRE(c.done.size() == 1);
  CHECK(c.error(0) == Errc::past_end);
  CHECK(std::get<Failure>(c.done[0].result).error.detail == "the log ends at 43061");
  CHECK(std::get<Failure>(c.done[0].result).ends == Offset{43'061});
  CHECK(c.trims.empty());
  // The end itself is allowed.
  c.machine.trim_log(c.now, Token{2}, log_id, Offset{43'061}, c.now + 5s);
  c.pass(100ms);
  CHECK(c.trims == std::vector{Offset{43'061}});
}

TEST_CASE(
    "a position beyond the end ends a read and a follower with the end, not with silence (F17b)") {
  Cluster c;
  c.begin_term(1);
  const Offset end{c.bytes.size()};
  const Offset beyond = end + 7000;
  // A read and a follower at the same position.
  const auto ask = [&](Offset from) {
    c.machine.read(c.now, Token{1}, log_id, from, 1 << 16, 0ms, c.now + 5s);
    c.machine.follow(c.now, Token{2}, log_id, from);
  };
  SUBCASE("the leader knows no more either") {
    c.tail = end;
    ask(beyond);
    c.pass(1s);
    REQUIRE(c.done.size() == 2);
    for (const Completed& d : c.done) {
      const auto* f = std::get_if<Failure>(&d.result);
      REQUIRE(f != nullptr);
      CHECK(f->error.code == Errc::past_end);
      CHECK(f->error.detail == "the log ends at " + std::to_string(end.value));
      CHECK(f->ends == end);
    }
  }
  SUBCASE("the leader knows more: the replica lags") {
    // The replica knows less than the leader, so the position may be valid.
    c.tail = beyond + 1;
    ask(beyond);
    c.pass(1s);
    REQUIRE(c.done.size() == 1);
    CHECK(std::get<Delivered>(c.done[0].result).next == beyond);
  }
  SUBCASE("no leader answers: a read needs none") {
    ask(beyond);
    c.pass(6s);
    REQUIRE(c.done.size() == 1);
    CHECK(std::get<Delivered>(c.done[0].result).next == beyond);
  }
  SUBCASE("at the end itself there is nothing yet, and nobody asks the leader") {
    ask(end);
    c.pass(1s);
    REQUIRE(c.done.size() == 1);
    CHECK(std::get<Delivered>(c.done[0].result).next == end);
  }
}

TEST_CASE(
    "time-outs of answers follow the distance: a round trip of 3 s is slow, and no failure (F18)") {
  Cluster c;
  c.begin_term(1);
  // Answers take 3 s, beyond the first time-outs of every question.
  SUBCASE("from the beginning") { c.round_trip = 3s; }
  SUBCASE("a path that becomes slow") {
    c.machine.open_log(c.now, Token{1}, "log", c.now + 60s);
    c.pass(100ms);
    REQUIRE(c.done.size() == 1);
    c.done.clear();
    c.round_trip = 3s;
  }
  c.machine.open_log(c.now, Token{2}, "log", c.now + 60s);
  c.machine.read(c.now, Token{4}, log_id, Offset{0}, 1000, 0s, c.now + 60s);
  c.append(5, "far away", c.now + 60s);
  c.pass(40s);
  REQUIRE(c.done.size() == 3);
  for (const Completed& d : c.done) {
    CAPTURE(d.token.value);
    CHECK_FALSE(std::holds_alternative<Failure>(d.result));
  }
  // A status question also waits for the distance.
  c.machine.status(c.now, Token{6}, true, c.now + 60s);
  c.pass(20s);
  REQUIRE(c.done.size() == 4);
  const auto* s = std::get_if<ClusterStatus>(&c.done.back().result);
  REQUIRE(s != nullptr);
  CHECK(s->unreachable.empty());
}

TEST_CASE("a node that was stopped for a while is no distant one for long (F18)") {
  Cluster c;
  c.begin_term(1);
  c.machine.open_log(c.now, Token{1}, "log", c.now + 60s);
  c.pass(100ms);
  c.round_trip = 10s;  // answers come after their time-outs
  c.machine.open_log(c.now, Token{2}, "log", c.now + 60s);
  c.pass(30s);
  // The node answers quickly again: the estimate must come down with each sample.
  c.round_trip = {};
  c.under_way.clear();
  for (std::uint64_t t = 10; t < 30; ++t) {
    c.machine.open_log(c.now, Token{t}, "log", c.now + 60s);
    c.pass(100ms);
  }
  c.done.clear();
  c.round_trip = 1000s;  // and now the node is silent
  c.machine.open_log(c.now, Token{40}, "log", c.now + 60s);
  const auto asked = c.under_way.size();
  c.pass(5s);
  CHECK(c.under_way.size() > asked + 1);  // the question is repeated after a short time-out
}

TEST_CASE(
    "who cannot be reached is named, with the cause; a program that a person waits for is told at "
    "once (F19)") {
  Options o;
  SUBCASE("at once") { o.wait_for_cluster = false; }
  SUBCASE("at the deadline") {}
  const bool at_once = !o.wait_for_cluster;
  Cluster c(o);
  c.down = {"seq:1"};
  c.machine.open_log(c.now, Token{1}, "log", c.now + 10s);
  c.pass(600ms);
  // A program for a person ends as soon as no address can be reached; a service waits.
  CHECK(c.done.size() == (at_once ? 1 : 0));
  c.pass(10s);
  REQUIRE(c.done.size() == 1);
  const Error& e = std::get<Failure>(c.done[0].result).error;
  CHECK(e.code == Errc::unavailable);
  CHECK(e.detail.find("seq:1: connection refused") != std::string::npos);

  // A cluster that was there once is being restarted, so both kinds of program wait for it.
  c.down = {};
  c.done.clear();
  c.begin_term(1);
  c.machine.open_log(c.now, Token{2}, "log", c.now + 10s);
  c.pass(3s);
  REQUIRE(c.done.size() == 1);
  c.done.clear();
  c.down = {"seq:1", "n1", "n2", "n3"};
  for (const char* a : {"seq:1", "n1", "n2", "n3"}) c.lose(a);
  c.machine.open_log(c.now, Token{3}, "log", c.now + 10s);
  c.pass(5s);
  CHECK(c.done.empty());
}

TEST_CASE(
    "client: it says its name and version to each sequencer once a connection, and to nobody else "
    "(C)") {
  Options o;
  o.name = "orders";
  o.version = "1.2.3";
  Cluster c(o);
  c.begin_term(1);
  c.append(1, "x");
  c.run();
  c.pass(100ms);
  REQUIRE(c.introductions.size() == 1);
  CHECK(c.introductions[0].first == "seq:1");
  CHECK(c.introductions[0].second == ClientIs{"orders", "1.2.3"});
  // A new connection gets the introduction again.
  c.lose("seq:1");
  c.pass(3s);
  CHECK(c.introductions.size() == 2);
  // A client without a name introduces itself to nobody.
  Cluster silent;
  silent.begin_term(1);
  silent.append(1, "x");
  silent.run();
  CHECK(silent.introductions.empty());
}

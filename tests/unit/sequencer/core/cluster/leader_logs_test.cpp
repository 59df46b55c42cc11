// The terms of logs while a sequencer leads (spec/04 S7, S8): when they begin and end.
#include "sequencer/core/cluster/leader_logs.h"

#include <doctest/doctest.h>

#include "tests/unit/sequencer/core/leading.h"

using namespace loglog;
using namespace loglog::sequencer;
using testing::Leading;

TEST_CASE(
    "leader's logs: a term begins when its log is first needed, and only for open logs (S8)") {
  Leading f;
  const LogId made = f.make_log("made"), open = f.open_log("open");
  CHECK(f.logs.need(made) == nullptr);
  LogTerm* term = f.logs.need(open);
  REQUIRE(term != nullptr);
  CHECK(term->term() == f.state.reign.term);
  CHECK(f.logs.need(open) == term);
  f.state.reign.term = Term{};  // the lead is lost
  f.logs.end_terms(Errc::not_leader);
  CHECK(f.logs.need(open) == nullptr);
}

TEST_CASE("leader's logs: a log that asks for a term of its own gets it by a command (A2)") {
  Leading f;
  const LogId log = f.open_log();
  REQUIRE(f.logs.need(log) != nullptr);
  static_cast<LogHost&>(f.logs).begin_term(log, f.state.reign.term);
  f.settle();
  REQUIRE(f.count<BeginTerm>() == 1);
  const Term next = f.state.metadata.log(log)->last_term;
  CHECK(next > f.state.reign.term);
  f.logs.begin(log, next, true, false);
  CHECK(f.logs.table().running(log)->term() == next);
}

TEST_CASE("leader's logs: a deleted log's waiting clients are told, and its term goes") {
  Leading f;
  const LogId log = f.open_log();
  REQUIRE(f.logs.need(log) != nullptr);
  const Client c = f.client();
  REQUIRE(f.logs.table().wait(log, {c, OpenLog{log}, never}));
  f.logs.forget(log, Errc::log_deleted);
  const auto told = f.sent<Failed>(c.connection);
  REQUIRE(told.size() == 1);
  CHECK(told.front().error == Errc::log_deleted);
  CHECK(f.logs.table().running(log) == nullptr);
}

TEST_CASE(
    "leader's logs: an address with many dropped runs has a connection admitted now and then "
    "(V1)") {
  Leading f;
  const Client bad = f.client(51);
  f.state.connections.at(bad.connection).from = "10.0.0.1";
  for (unsigned i = 0; i <= DroppedRuns::free_max; ++i)
    static_cast<LogHost&>(f.logs).run_dropped(bad.connection);
  CHECK_FALSE(f.state.out.closes.empty());
  const auto comes = [&](std::uint64_t connection, const char* from) {
    const Client c = f.client(connection);
    f.state.connections.at(c.connection).from = from;
    return f.logs.admits_commit(c.connection);
  };
  CHECK_FALSE(comes(52, "10.0.0.1"));
  f.state.now += DroppedRuns::newcomer_pause;
  CHECK(comes(53, "10.0.0.1"));
  CHECK_FALSE(comes(54, "10.0.0.1"));
  CHECK(comes(55, "10.0.0.2"));
}

// Answers about the cluster: what a leader sees of nodes and logs, and what any sequencer sees.
#include "sequencer/core/status_view.h"

#include <doctest/doctest.h>

#include "tests/unit/sequencer/core/leading.h"

using namespace loglog;
using namespace loglog::sequencer;
using testing::Leading;

TEST_CASE("status view: readiness says whether this sequencer serves its role") {
  Leading f;
  REQUIRE(f.view.readiness());
  CHECK(f.view.readiness()->find("leads in term") == 0);
  f.state.reign.term = Term{};
  REQUIRE_FALSE(f.view.readiness());
  CHECK(f.view.readiness().error().find("not committed") != std::string::npos);
}

TEST_CASE("status view: only a leader's status has nodes and logs") {
  Leading f;
  f.node_is_ready(1);
  const LogId log = f.open_log();
  const Status s = f.view.status(true);
  REQUIRE(s.storage.size() == 3);
  CHECK(s.storage[0].condition == NodeCondition::up);
  CHECK(s.storage[1].condition == NodeCondition::unreachable);
  REQUIRE(s.logs.size() == 1);
  CHECK(s.logs.front().id == log);
  CHECK(f.view.status(false).logs.empty());
  f.state.reign.term = Term{};
  CHECK(f.view.status(true).storage.empty());
  CHECK(f.view.status(true).logs.empty());
}

TEST_CASE(
    "status view: an overview shows the logs in trouble first, and at most as many as asked") {
  Leading f;
  const LogId first = f.open_log("a"), second = f.open_log("b");
  REQUIRE(f.logs.need(second) != nullptr);  // its term cannot open without nodes
  const Overview o = f.view.overview(1);
  CHECK(o.logs_total == 2);
  REQUIRE(o.logs.size() == 1);
  CHECK(o.logs.front().id == second);
  CHECK(f.view.overview(0).logs.empty());
  CHECK(f.view.overview(10).logs.size() == 2);
  CHECK(first != second);
}

TEST_CASE("status view: figures count nodes by their condition") {
  Leading f;
  f.node_is_ready(1);
  f.client();
  const Report r = f.view.report(f.state.now);
  CHECK(r.clients == 1);
  CHECK(r.storage == 1);
  CHECK(r.nodes.at(NodeCondition::up) == 1);
  CHECK(r.nodes.at(NodeCondition::unreachable) == 2);
}

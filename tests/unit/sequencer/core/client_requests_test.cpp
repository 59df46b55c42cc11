// Requests of clients: which requests are answered at once, which wait, and which are refused.
#include "sequencer/core/client_requests.h"

#include <doctest/doctest.h>

#include "tests/unit/sequencer/core/leading.h"

using namespace loglog;
using namespace loglog::sequencer;
using testing::Leading;

namespace {
void ask(Leading& f, const Client& c, Message m) { f.clients.received(c, m); }
}  // namespace

TEST_CASE("client requests: a sequencer that does not lead names the leader, or says not_ready") {
  Leading f;
  f.state.reign.term = Term{};  // elected, and its term is not committed yet
  const Client c = f.client();
  ask(f, c, DeleteLog{LogId{1}});
  REQUIRE(f.sent<Failed>(c.connection).size() == 1);
  CHECK(f.sent<Failed>(c.connection).front().error == Errc::not_ready);
}

TEST_CASE("client requests: that a log does not exist is told after the lead is confirmed (R2)") {
  Leading f;
  const Client c = f.client();
  ask(f, c, OpenLog{LogId{77}});
  CHECK(f.sent<Failed>(c.connection).empty());
  const auto round = f.clients.confirmations().begin_round();
  REQUIRE(round);
  f.state.raft.read_index(f.state.now, *round);
  f.clients.answer_confirmed();
  REQUIRE(f.sent<Failed>(c.connection).size() == 1);
  CHECK(f.sent<Failed>(c.connection).front().error == Errc::no_such_log);
}

TEST_CASE("client requests: a request for a log that recovers waits for its term (S8)") {
  Leading f;
  const LogId log = f.open_log();
  const Client c = f.client();
  ask(f, c, GetTail{log});
  CHECK(f.sent<Failed>(c.connection).empty());
  CHECK(f.logs.table().take_waiting(log).size() == 1);
}

TEST_CASE("client requests: a creation goes to nodes that are up, and its repeat waits (T5, T6)") {
  Leading f;
  const Client c = f.client();
  CreateLog request{"a", LogOptions{3, 2, segment_size_default, Durability::sync}, {}};
  request.basis.id = ChangeId{5};
  ask(f, c, request);
  REQUIRE(f.sent<Failed>(c.connection).size() == 1);
  CHECK(f.sent<Failed>(c.connection).front().error == Errc::not_enough_nodes);
  for (const std::uint32_t n : {1u, 2u, 3u}) f.node_is_ready(n);
  ask(f, c, request);
  f.settle();
  REQUIRE(f.count<MakeLog>() == 1);
  const LogInfo* log = f.state.metadata.log(std::string_view("a"));
  REQUIRE(log != nullptr);
  f.making.join(log->id);
  ask(f, c, request);
  f.settle();
  CHECK(f.count<MakeLog>() == 1);
  CHECK(f.making.tasks().waiting(log->id, true) == 1);
}

TEST_CASE("client requests: a message that only peers send is refused (W5)") {
  Leading f;
  const Client c = f.client();
  ask(f, c, Seal{});
  REQUIRE(f.sent<Failed>(c.connection).size() == 1);
  CHECK(f.sent<Failed>(c.connection).front().error == Errc::unexpected_message);
}

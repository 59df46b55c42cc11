// Calls about logs and nodes: whose word ends a call (R2), the basis of a change (T6), and the
// request that follows a first answer. Deletes, retention and trims are in client_machine_test.cpp.
#include "sdk/core/cluster_calls.h"

#include <doctest/doctest.h>

#include "tests/unit/sdk/core/asked_cluster.h"

using namespace loglog;
using namespace loglog::client;

namespace {
struct Calls : AskedCluster {
  ClusterCalls calls{options, view, answers, questions, 5};
  static constexpr Token token{1};

  void pass(Duration d) {
    now += d;
    view.tick(now);
    questions.tick(now);
  }
  /// The known metadata, as a sequencer tells them. `leader`: 0 names none.
  Metadata metadata(std::uint32_t leader = 1) const {
    return {view.metadata(), SequencerId{leader}};
  }
  /// The call's own question for metadata. The view asks too, for no log by name.
  Send asked_for(bool (*is_own)(const GetMetadata&)) {
    for (int i = 0; i < 10; ++i, pass(20ms))
      for (const Send& s : take<GetMetadata>())
        if (is_own(std::get<GetMetadata>(s.message))) return s;
    REQUIRE_MESSAGE(false, "the call asks no node");
    return {};
  }
  Send asked_for_name() {
    return asked_for([](const GetMetadata& m) { return !m.names.empty(); });
  }
};
}  // namespace

// Storage nodes know their own logs alone, and a former leader may lag. If their word counted, an
// application would create a second log in place of waiting for the first.
TEST_CASE("only the leader's word ends an open with no_such_log (R2)") {
  Calls c;
  c.calls.open_log(c.now, c.token, "other", never);
  c.answer(c.asked_for_name(), c.metadata(0));  // a former leader, which may have lost its files
  CHECK(c.out.completed.empty());
  const Send to_node = c.asked_for_name();
  REQUIRE(c.node_of(to_node) != 0);
  c.answer(to_node, c.metadata());  // a storage node knows only its own logs
  CHECK(c.out.completed.empty());
  const Send to_leader = c.asked_for_name();
  CHECK(to_leader.to == c.sequencer);
  c.answer(to_leader, c.metadata());
  CHECK(c.error().code == Errc::no_such_log);
  CHECK(c.error().detail == "other");
}

// Another client creates the log at the same time. The name is taken already, so 'no such log'
// would be wrong, and the log takes no appends yet.
TEST_CASE("a log that is being created is waited for, and is known once it is open") {
  Calls c;
  Metadata m = c.metadata();
  m.metadata.logs.push_back({LogId{8}, "new", LogState::creating, {}, {}, {}, {}});
  c.calls.open_log(c.now, c.token, "new", never);
  c.answer(c.asked_for_name(), m);
  CHECK(c.out.completed.empty());
  m.metadata.logs[0].state = LogState::open;
  c.pass(20ms);
  c.answer(c.asked_for_name(), m);
  CHECK(c.result<LogDescription>().info.id == LogId{8});
  REQUIRE(c.view.log(LogId{8}) != nullptr);
  CHECK(c.view.log(LogId{8})->state == LogState::open);
}

// The leader recognizes a copy by its id, and refuses a change that is based on an older state. A
// copy under a newer basis could act a second time, after another client's change.
TEST_CASE("all copies of a change carry the same basis, and each change an id of its own (T6)") {
  Calls c;
  c.calls.create_log(c.now, Token{1}, "a", {}, never);
  c.calls.create_log(c.now, Token{2}, "b", {}, never);
  const auto first = c.take<CreateLog>();
  REQUIRE(first.size() == 2);
  const auto basis = [](const Send& s) { return std::get<CreateLog>(s.message).basis; };
  CHECK(basis(first[0]).seen == c.view.metadata().version);
  CHECK(basis(first[0]).id != basis(first[1]).id);
  c.answer(first[0], Failed{Errc::not_enough_nodes, {}});
  // Newer metadata come meanwhile, and the copy keeps the version that it was based on.
  Metadata newer = c.metadata();
  newer.metadata.version = RaftIndex{9};
  c.view.learn(c.sequencer, newer);
  c.pass(20ms);
  const Send again = c.only<CreateLog>();
  CHECK(basis(again) == basis(first[0]));
  LogInfo made;
  made.id = LogId{8};
  c.answer(again, LogIs{made});
  CHECK(c.result<LogDescription>().info.id == LogId{8});
  CHECK(c.view.log(LogId{8}) != nullptr);
}

// The only copy was refused, so nothing of it was done and it may go again. Metadata of a sequencer
// that does not lead may be older than the change that overtook it.
TEST_CASE("a change is based anew on the leader's metadata alone, under its old id (T6, R2)") {
  Calls c;
  c.calls.set_fence(c.now, c.token, c.log, FenceToken{4}, never);
  const Send first = c.only<SetFence>();
  c.answer(first, Failed{Errc::superseded, "log"});
  Metadata newer = c.metadata(0);
  newer.metadata.version = RaftIndex{9};
  const auto for_nodes = [](const GetMetadata& m) { return m.names.empty() && !m.all_logs; };
  c.questions.tick(c.now);
  c.answer(c.only<GetMetadata>(), newer);  // names no leader
  c.questions.tick(c.now);
  CHECK(c.take<SetFence>().empty());
  newer.leader = SequencerId{1};
  c.view.learn(c.sequencer, newer);
  c.pass(20ms);
  c.answer(c.asked_for(for_nodes), newer);
  c.questions.tick(c.now);
  const Send second = c.only<SetFence>();
  const auto& set = std::get<SetFence>(second.message);
  CHECK(set.basis.seen == RaftIndex{9});
  CHECK(set.basis.id == std::get<SetFence>(first.message).basis.id);
  c.answer(second, FenceIs{c.log, FenceToken{4}, Offset{800}});
  CHECK(c.result<client::Fence>().token == FenceToken{4});
  CHECK(c.result<client::Fence>().end == Offset{800});
}

// The operator means the disk that is registered now. The request names it, so that a late copy
// does not replace the disk that took its place.
TEST_CASE("a replacement names the disk that is registered, so that it cannot act late (T6)") {
  Calls c;
  NodeId node{2};
  DiskId disk{2};
  SUBCASE("a known node") {}
  SUBCASE("a node that no metadata name") {
    node = NodeId{9};
    disk = {};
  }
  c.calls.replace_disk(c.now, c.token, node, true, never);
  c.answer(c.only<GetMetadata>(), c.metadata());
  c.questions.tick(c.now);
  const Send s = c.only<ReplaceDisk>();
  CHECK(std::get<ReplaceDisk>(s.message) == ReplaceDisk{node, disk, true});
  c.answer(s, Done{});
  CHECK(c.out.completed.size() == 1);
  c.result<client::Succeeded>();
}

// An older leader would close the connection for a message that it does not know. The text says
// what the operator has to do.
TEST_CASE("a raise is not sent to a leader of an older protocol version (W7)") {
  Calls c;
  c.calls.raise_version(c.now, c.token, 2, never);
  c.answer(c.only<GetMetadata>(), c.metadata());
  c.questions.tick(c.now);
  CHECK(c.take<RaiseClusterVersion>().empty());
  CHECK(c.error().code == Errc::wrong_version);
  CHECK(c.error().detail.find("a raise needs 4: upgrade all programs first") != std::string::npos);
}

// A storage node's list is a part of the logs, and nothing in it shows that it is a part.
TEST_CASE("a list of logs is a sequencer's, because a storage node knows only its own logs") {
  Calls c;
  c.view.not_leader(c.sequencer, {});
  Metadata m = c.metadata(0);
  m.metadata.logs.push_back(*c.view.log(c.log));
  const auto for_all = [](const GetMetadata& g) { return g.all_logs; };
  c.calls.list_logs(c.now, c.token, never);
  const Send to_node = c.asked_for(for_all);
  REQUIRE(c.node_of(to_node) != 0);
  c.answer(to_node, m);
  CHECK(c.out.completed.empty());
  Send s = c.asked_for(for_all);
  for (; c.node_of(s) != 0; s = c.asked_for(for_all)) c.answer(s, m);
  c.answer(s, m);
  CHECK(c.result<Metadatas>().metadata.logs.size() == 1);
}

// The detail is the only place where the operator reads which replicas differ. A message of another
// kind is a mistake of its sender and decides nothing.
TEST_CASE("a refusal ends a call with its code and text, an answer of another kind ends nothing") {
  Calls c;
  c.calls.tail(c.now, c.token, c.log, never);
  c.answer(c.only<GetTail>(), Done{});
  CHECK(c.out.completed.empty());
  c.pass(20ms);
  c.answer(c.only<GetTail>(), Failed{Errc::log_halted, "two replicas differ"});
  CHECK(c.error().code == Errc::log_halted);
  CHECK(c.error().detail == "two replicas differ");
  CHECK_FALSE(c.result<Failure>().timed_out);
}

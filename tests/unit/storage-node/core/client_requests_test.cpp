// Requests of clients to a node: answers for logs that are not here, the notes in the session, and
// the metadata that readers ask for.
#include "storage-node/core/client_requests.h"

#include <doctest/doctest.h>

#include "proto-spec/vocabulary/limits.h"

using namespace loglog;
using namespace loglog::storage;

namespace {

constexpr ConnectionId client{2}, sequencer{3};
constexpr RequestId request{9};
constexpr LogId log_id{7};

LogInfo named(LogId id, std::string name) {
  LogInfo info;
  info.id = id;
  info.name = std::move(name);
  return info;
}

/// A node with log 7 and a client.
struct Bench {
  Bench()
      : node(Options{}, 1),
        promise(node, LogId{}),
        logs(node, promise),
        requests(node, logs, sessions) {
    logs.add(named(log_id, "orders")).state.made = true;
    Hello h;
    h.role = Role::client;
    sessions.connected(node.now, client, h);
  }
  template <class M>
  void say(M m) {
    node.out.sends.clear();
    requests.on(client, request, m);
  }
  /// The only answer.
  template <class M>
  const M& answer() {
    REQUIRE(node.out.sends.size() == 1);
    CHECK(node.out.sends[0].to == client);
    CHECK(node.out.sends[0].request == request);
    return std::get<M>(node.out.sends[0].message);
  }
  Node node;
  PromiseKeeper promise;
  LogTable logs;
  Sessions sessions;
  ClientRequests requests;
};

Read read_of(LogId log) {
  Read m;
  m.log = log;
  return m;
}

}  // namespace

TEST_CASE("requests: a log that is not here, and a log that was dropped, are told apart") {
  Bench b;
  b.say(read_of(LogId{8}));
  CHECK(b.answer<Page>().reason == Errc::not_member);
  Upload u;
  u.log = LogId{8};
  b.say(std::move(u));
  CHECK(b.answer<Busy>().error == Errc::not_member);
  GetSegments g;
  g.log = LogId{8};
  b.say(g);
  CHECK(b.answer<Failed>().error == Errc::not_member);
  CHECK(b.sessions.at(client).users.empty());
  b.logs.find(log_id)->state.dropped = true;
  b.say(read_of(log_id));
  CHECK(b.answer<Page>().reason == Errc::no_such_log);
}

TEST_CASE("requests: a log hears that its reader has gone, because the session notes it") {
  Bench b;
  b.say(read_of(log_id));
  CHECK(b.sessions.forget(client) == std::set{log_id});
}

TEST_CASE("requests: a connection observes a limited number of producers, over all logs (V2)") {
  Bench b;
  for (std::uint64_t p = 1; p <= observed_per_connection_max + 1; ++p) {
    Observe m;
    m.log = log_id;
    m.producer = ProducerId{p};
    b.say(m);
  }
  CHECK(b.sessions.at(client).observed == observed_per_connection_max);
  CHECK(b.logs.find(log_id)->observed_by(client) == observed_per_connection_max);
  b.sessions.log_gone(*b.logs.find(log_id));
  CHECK(b.sessions.at(client).observed == 0);
}

TEST_CASE("requests: the metadata has the logs that were asked for, and a leader that is here") {
  Bench b;
  b.node.metadata.logs = {named(log_id, "orders"), named(LogId{8}, "bills")};
  GetMetadata m;
  m.names = {"bills"};
  b.say(m);
  REQUIRE(b.answer<Metadata>().metadata.logs.size() == 1);
  CHECK(b.answer<Metadata>().metadata.logs[0].id == LogId{8});
  CHECK(b.answer<Metadata>().leader == SequencerId{});
  Hello h;
  h.role = Role::sequencer;
  h.id = 4;
  b.sessions.connected(b.node.now, sequencer, h);
  b.sessions.set_leader(sequencer);
  m.all_logs = true;
  b.say(m);
  CHECK(b.answer<Metadata>().metadata.logs.size() == 2);
  CHECK(b.answer<Metadata>().leader == SequencerId{4});
}

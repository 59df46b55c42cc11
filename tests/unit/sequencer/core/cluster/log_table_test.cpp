// The logs of a leader (spec/04 S7, S8): requests that wait, connections that are told, and which
// recoveries begin in the background. The terms themselves are tested through the machine
// (log_rest_test.cpp, sequencer_machine_test.cpp).
#include "sequencer/core/cluster/log_table.h"

#include <doctest/doctest.h>

#include <string>

#include "proto-spec/vocabulary/limits.h"

using namespace loglog;
using namespace loglog::sequencer;

namespace {

constexpr Time start{1h};
constexpr LogId log_id{4};

LogTable::Waiting request(std::uint64_t connection, Time deadline) {
  return {{ConnectionId{connection}, RequestId{1}}, GetTail{log_id}, deadline};
}

/// Metadata with `logs` open logs of nodes 1 to 3.
MetadataState open_logs_of(int logs) {
  MetadataState m;
  RaftIndex i{};
  m.apply(i = i + 1, InitCluster{ClusterId{9}, "test", {{SequencerId{1}, "s1"}}});
  std::vector<Member> members;
  for (const std::uint32_t n : {1u, 2u, 3u}) {
    m.apply(i = i + 1, RegisterStorage{{NodeId{n}, DiskId{100 + n}, "n"}});
    members.push_back({NodeId{n}, DiskId{100 + n}});
  }
  for (int l = 0; l < logs; ++l) {
    const LogOptions o{3, 2, segment_size_default, Durability::sync};
    const Applied made = m.apply(i = i + 1, MakeLog{"log" + std::to_string(l), o, members});
    m.apply(i = i + 1, MarkOpen{made.log});
  }
  return m;
}

}  // namespace

TEST_CASE("log table: a request waits until its deadline, and leaves with its connection") {
  LogTable t;
  CHECK(t.wait(log_id, request(1, start + 10s)));
  CHECK(t.wait(log_id, request(2, start + 12s)));
  CHECK(t.wait(log_id, request(3, start + 12s)));
  CHECK(t.take_overdue(log_id, start + 9s).empty());
  const auto overdue = t.take_overdue(log_id, start + 10s);
  REQUIRE(overdue.size() == 1);
  CHECK(overdue[0].connection == ConnectionId{1});
  t.client_gone(start + 10s, ConnectionId{2});
  CHECK(t.take_waiting(log_id).size() == 1);
  CHECK(t.take_waiting(log_id).empty());
}

TEST_CASE("log table: at most 1024 requests wait for a log") {
  LogTable t;
  for (int i = 0; i < 1024; ++i) REQUIRE(t.wait(log_id, request(1, start)));
  CHECK_FALSE(t.wait(log_id, request(2, start)));
  CHECK(t.forget(log_id, Errc::log_deleted).size() == 1024);
  CHECK(t.wait(log_id, request(2, start)));
}

TEST_CASE("log table: the end of a term keeps the wish of those that wait (S7)") {
  LogTable t;
  t.wait(log_id, request(1, start));
  t.add_opener(log_id, ConnectionId{1});
  t.end_terms(Errc::stale_term);
  CHECK(t.take_wish(log_id));
  CHECK_FALSE(t.take_wish(log_id));
  CHECK(t.openers_of_all().contains(ConnectionId{1}));
  CHECK(t.clear().size() == 1);
  CHECK(t.openers_of_all().empty());
}

TEST_CASE("log table: logs begin in the background, at most 32 at a time, and only with a quorum") {
  const MetadataState m = open_logs_of(40);
  LogTable t;
  for (const LogInfo& l : m.state().logs) t.recover(l.id);
  const auto all = [](NodeId) { return true; };
  CHECK(t.take_recoverable(m, all).empty());  // nothing has changed
  t.look_again();
  CHECK(t.take_recoverable(m, [](NodeId n) { return n == NodeId{1}; }).empty());
  t.look_again();
  CHECK(t.take_recoverable(m, all).size() == 32);
}

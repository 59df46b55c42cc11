// The judgement on sequencers: numbers that no correct leader sends (T1), metadata that has gone
// back (T2), and the pauses between alarms about them.
#include "storage-node/core/cluster_copy.h"

#include <doctest/doctest.h>

#include "proto-spec/vocabulary/limits.h"

using namespace loglog;
using namespace loglog::storage;

namespace {

LogInfo named(std::uint64_t id, std::string name) {
  LogInfo info;
  info.id = LogId{id};
  info.name = std::move(name);
  return info;
}

ClusterMetadata metadata(std::uint64_t version, std::uint32_t term, std::vector<LogInfo> logs) {
  ClusterMetadata m;
  m.version = RaftIndex{version};
  m.last_term = Term{term};
  m.logs = std::move(logs);
  return m;
}

/// A node with log 7, "orders", and metadata of version 10 in term 3.
struct Bench {
  Bench() : node(Options{}, 1), identity(node), logs(node, identity.promise), copy(node) {
    logs.add(named(7, "orders")).state.made = true;
    node.metadata = metadata(10, 3, {named(7, "orders")});
  }
  bool goes_back(const ClusterMetadata& told) const {
    return copy.goes_back(told, logs, identity).has_value();
  }
  Node node;
  NodeIdentity identity;
  LogTable logs;
  ClusterCopy copy;
};

}  // namespace

TEST_CASE("metadata: term and version rise together, or the sequencers have gone back (T2)") {
  Bench b;
  const std::vector orders{named(7, "orders")};
  CHECK_FALSE(b.goes_back(metadata(11, 4, orders)));
  CHECK_FALSE(b.goes_back(metadata(9, 2, orders)));  // a deposed leader
  CHECK(b.goes_back(metadata(9, 4, orders)));
  CHECK(b.goes_back(metadata(11, 2, orders)));
  // A version has a single term: entry 10 of the other history began term 4, or was in term 2.
  CHECK(b.goes_back(metadata(10, 4, orders)));
  CHECK(b.goes_back(metadata(10, 2, orders)));
  CHECK_FALSE(b.goes_back(metadata(10, 3, orders)));
}

TEST_CASE("metadata: a log of this node neither changes nor vanishes (T2)") {
  Bench b;
  CHECK(b.goes_back(metadata(11, 4, {named(7, "bills")})));
  CHECK(b.goes_back(metadata(11, 4, {})));
  CHECK_FALSE(b.goes_back(metadata(10, 3, {})));  // nothing is newer there
  b.logs.find(LogId{7})->state.dropped = true;
  CHECK_FALSE(b.goes_back(metadata(11, 4, {})));
}

TEST_CASE("metadata: numbers far above all that was heard of are not believed (T1)") {
  Bench b;
  const RaftIndex version{10};
  CHECK(b.copy.implausible(Term{3 + term_ahead_max}, Term{1}, version).empty());
  CHECK_FALSE(b.copy.implausible(Term{4 + term_ahead_max}, Term{1}, version).empty());
  CHECK(b.copy.implausible(Term{4 + term_ahead_max}, Term{4}, version).empty());
  CHECK_FALSE(b.copy.implausible(Term{4}, Term{1}, RaftIndex{11 + raft_index_ahead_max}).empty());
  // An empty node has heard nothing.
  b.node.metadata = {};
  CHECK(b.copy.implausible(Term{4 + term_ahead_max}, Term{}, RaftIndex{1u << 30}).empty());
}

TEST_CASE("metadata: a Seal names no older version than the Seal before it (T2)") {
  Bench b;
  CHECK(b.copy.takes_seal(RaftIndex{12}));
  CHECK_FALSE(b.copy.takes_seal(RaftIndex{11}));
  CHECK(b.copy.takes_seal(RaftIndex{12}));
}

TEST_CASE("metadata: alarms about the same sequencers come with pauses") {
  Bench b;
  b.node.now = Time{} + 100s;
  CHECK(b.copy.refusal_alarm_due());
  CHECK(b.copy.number_alarm_due());
  b.node.now += 9s;
  CHECK_FALSE(b.copy.refusal_alarm_due());
  CHECK(b.copy.number_alarm_due());
  CHECK_FALSE(b.copy.number_alarm_due());
  b.node.now += 1s;
  CHECK(b.copy.refusal_alarm_due());
}

// A client's view of a cluster of a sequencer and three storage nodes, all connected, for tests of
// the parts of AppendPipeline. No message is answered: a test brings the answers itself.
#pragma once
#include <string>

#include "proto-spec/vocabulary/random.h"
#include "sdk/core/cluster_view.h"
#include "sdk/core/run.h"

namespace loglog::client {

struct KnownCluster {
  static constexpr LogId log{7};
  static constexpr ProducerId producer{9};

  explicit KnownCluster(Options o = {}) : options(std::move(o)) {
    options.addresses = {"seq:1"};
    Metadata m;
    m.metadata.version = RaftIndex{1};
    m.metadata.sequencers.push_back({SequencerId{1}, "seq:1"});
    LogInfo l;
    l.id = log;
    l.name = "log";
    l.state = LogState::open;
    l.options.write_quorum = 2;
    for (std::uint32_t i = 1; i <= 3; ++i) {
      m.metadata.storage.push_back({NodeId{i}, DiskId{i}, "n" + std::to_string(i)});
      l.members.push_back({NodeId{i}, DiskId{i}});
    }
    m.metadata.logs = {l};
    m.leader = SequencerId{1};
    view.any(now);  // dials the sequencer
    sequencer = accept(Role::sequencer, 1);
    view.learn(sequencer, m);
    for (std::uint32_t i = 1; i <= 3; ++i) {
      view.node(now, NodeId{i});
      node[i] = accept(Role::storage, i);
    }
  }
  /// Accepts the connection that the view has just asked for.
  ConnectionId accept(Role role, std::uint32_t id) {
    Hello h;
    h.role = role;
    h.id = id;
    h.disk = role == Role::storage ? DiskId{id} : DiskId{};
    const ConnectionId c = out.connects.back().connection;
    view.connected(now, {c, h});
    return c;
  }
  /// A run of `count` entries of 100 bytes whose callers wait until `deadline`. Only its reference
  /// and its entries are made.
  static Run run(std::uint64_t first, std::uint32_t count = 1, Time deadline = never) {
    Run r;
    r.reference = Reference{producer, Sequence{first}, count, 100 * count, {}};
    for (std::uint32_t i = 0; i < count; ++i)
      r.entries.push_back({Token{first + i}, Sequence{first + i}, deadline, 100 * i, 100});
    r.next_deadline = deadline;
    return r;
  }

  Time now{1s};
  Options options;
  Random random{42};
  Output out;
  ClusterView view{options, random, out};
  ConnectionId sequencer;
  ConnectionId node[4];  // by node id, from 1
};

}  // namespace loglog::client

// The parts of a sequencer that leads alone, for unit tests of single parts: a SequencerState whose
// Raft has won, with three registered storage nodes, and every part that SequencerMachine owns. The
// test plays SequencerMachine: it calls settle() for Raft's saves and commits. No message goes
// anywhere; tests look at state.out.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sequencer/core/client_requests.h"
#include "sequencer/core/cluster/leader_logs.h"
#include "sequencer/core/cluster/leader_nodes.h"
#include "sequencer/core/cluster/log_making.h"
#include "sequencer/core/sequencer_state.h"
#include "sequencer/core/status_view.h"

namespace loglog::sequencer::testing {

inline DiskId disk_of(std::uint32_t node) { return DiskId{100 + node}; }

struct Leading {
  SequencerState state;
  LeaderLogs logs{state};
  LogMaking making{state, logs};
  LeaderNodes nodes{state, logs, making};
  StatusView view{state, logs};
  ClientRequests clients{state, logs, making, view};
  std::vector<Command> committed;  ///< all commands that settle() has applied

  static Options options() {
    Options o;
    o.id = SequencerId{1};
    o.cluster_name = "test";
    o.sequencers = {{SequencerId{1}, "s1"}};
    for (const std::uint32_t n : {1u, 2u, 3u})
      o.storage.push_back({NodeId{n}, DiskId{}, "n", false, {}, 0});
    return o;
  }

  Leading() : state(options(), RaftDisk{}, 7) {
    state.now = Time{1h};
    state.clock.look(state.now, 1'000'000);
    state.raft.start(state.now);
    for (int i = 0; i < 10 && !state.raft.is_leader(); ++i) {
      settle();
      state.now += 1s;  // more than an election time-out in a few turns
      state.raft.tick(state.now);
    }
    settle();
    REQUIRE(state.raft.is_leader());
    REQUIRE(state.metadata.state().last_term != Term{});
    state.reign.term = state.metadata.state().last_term;
    state.reign.raft_term = state.raft.term();
    REQUIRE(state.propose(InitCluster{ClusterId{9}, "test", state.options.sequencers}));
    for (const std::uint32_t n : {1u, 2u, 3u})
      REQUIRE(state.propose(RegisterStorage{{NodeId{n}, disk_of(n), "n", false, {}, 0}}));
    settle();
    committed.clear();
  }

  /// Ends Raft's saves, and applies all entries that are committed by them.
  void settle() {
    raft::Output& o = state.raft.output();
    while (!o.saves.empty() || !o.committed.empty()) {
      for (const SaveRaft& s : std::exchange(o.saves, {}))
        state.raft.save_done(state.now, s.ticket);
      for (const RaftEntry& e : std::exchange(o.committed, {})) {
        const auto c = decode_command(e.command);
        REQUIRE(c);
        state.metadata.apply(e.index, *c);
        committed.push_back(*c);
      }
    }
  }

  void accept(ConnectionId c, Role role, std::uint32_t id) {
    AcceptedConnection& k = state.connections[c];
    k.role = role;
    k.id = id;
  }
  /// A storage node comes with this disk over the connection 10 + `node`.
  void node_comes(std::uint32_t node, std::optional<DiskId> disk = {}) {
    Connected c;
    c.connection = ConnectionId{10 + node};
    c.peer.role = Role::storage;
    c.peer.id = node;
    c.peer.disk = disk.value_or(disk_of(node));
    accept(c.connection, Role::storage, node);
    nodes.connected(c);
    state.nodes.heard(state.now, NodeId{node}, c.connection);
  }
  void node_says(std::uint32_t node, Message m) { nodes.received(NodeId{node}, {}, m); }
  /// The node comes and promises this leader's term.
  void node_is_ready(std::uint32_t node) {
    node_comes(node);
    node_says(node, Sealed{LogId{}, state.reign.term, 0, 0, 0});
    REQUIRE(state.nodes.ready(NodeId{node}));
  }
  Client client(std::uint64_t connection = 50) {
    accept(ConnectionId{connection}, Role::client, 0);
    return {ConnectionId{connection}, RequestId{1}};
  }
  /// A log of the three nodes, as MakeLog leaves it.
  LogId make_log(const std::string& name = "a") {
    std::vector<Member> members;
    for (const std::uint32_t n : {1u, 2u, 3u}) members.push_back({NodeId{n}, disk_of(n)});
    const LogOptions o{3, 2, segment_size_default, Durability::sync};
    REQUIRE(state.propose(MakeLog{name, o, std::move(members), {}}));
    settle();
    const LogInfo* made = state.metadata.log(std::string_view(name));
    REQUIRE(made != nullptr);
    return made->id;
  }
  /// The log, open.
  LogId open_log(const std::string& name = "a") {
    const LogId id = make_log(name);
    REQUIRE(state.propose(MarkOpen{id}));
    settle();
    return id;
  }
  /// The messages of this kind that went to the connection.
  template <class M>
  std::vector<M> sent(ConnectionId to) const {
    std::vector<M> out;
    for (const Send& s : state.out.sends)
      if (s.to == to)
        if (const auto* m = std::get_if<M>(&s.message)) out.push_back(*m);
    return out;
  }
  template <class M>
  std::vector<M> sent_to_node(std::uint32_t node) const {
    return sent<M>(ConnectionId{10 + node});
  }
  /// The commands of this kind that were committed.
  template <class C>
  std::size_t count() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        committed, [](const Command& c) { return std::holds_alternative<C>(c); }));
  }
};

}  // namespace loglog::sequencer::testing

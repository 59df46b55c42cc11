// SequencerMachine: its public calls (connections, messages, time, output). Subtle is output():
// effects of Raft and of logs cause each other.
#include "sequencer/core/sequencer_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "proto-spec/vocabulary/limits.h"

namespace loglog::sequencer {
namespace {

bool is_raft(const Message& m) {
  return std::holds_alternative<RequestVote>(m) || std::holds_alternative<Vote>(m) ||
         std::holds_alternative<AppendEntries>(m) || std::holds_alternative<Appended>(m) ||
         std::holds_alternative<InstallSnapshot>(m) || std::holds_alternative<Campaign>(m) ||
         std::holds_alternative<AskVoteRight>(m) || std::holds_alternative<VoteRightIs>(m);
}

}  // namespace

SequencerMachine::SequencerMachine(Options options, const RaftDisk& disk, std::uint64_t seed)
    : state_(std::move(options), disk, seed) {
  if (!disk.snapshot.empty() && state_.metadata.restore(disk.snapshot))
    snapshot_at_ = disk.snapshot_index;
}

void SequencerMachine::start(Time now, std::uint64_t wall_ms) {
  state_.now = now;
  state_.clock.look(now, wall_ms);
  state_.raft.start(now);
  state_.reach.start(now);
  state_.dialler.dial_due(now, state_.out.dials);
}

Hello SequencerMachine::hello() const {
  return {hello_magic,
          protocol_lowest,
          protocol_highest,
          Role::sequencer,
          state_.metadata.state().cluster,
          state_.options.cluster_name,
          state_.options.id.value,
          state_.boot,
          DiskId{},
          message_body_max};
}

/// A hello was accepted. A peer of another cluster is closed with the reason (T4).
void SequencerMachine::connected(Time now, const Connected& c) {
  state_.now = now;
  ++state_.figures.connections;
  AcceptedConnection& k = state_.connections[c.connection];
  k.role = c.peer.role;
  k.id = c.peer.id;
  k.cluster = c.peer.cluster;
  k.from = c.from;
  k.dialled = c.dialled;
  state_.dialler.connected(c.dialled);
  if (k.role == Role::client) k.endpoint = c.endpoint;
  const ClusterId ours = state_.metadata.state().cluster;
  if (k.cluster != ClusterId{} && ours != ClusterId{} && k.cluster != ours) {
    state_.out.closes.push_back(
        {c.connection,
         Error{Errc::wrong_cluster, fmt::format("this is cluster {:016x}, the peer's is {:016x}",
                                                ours.value, k.cluster.value)}});
    return;
  }
  if (k.role == Role::sequencer) {
    sequencer_connected(c);
  } else if (k.role == Role::storage) {
    nodes_.connected(c);
  }
}

void SequencerMachine::sequencer_connected(const Connected& c) {
  Peers::Admission a = state_.peers.connected(state_.now, c);
  if (a.close) state_.out.closes.push_back(std::move(*a.close));
  if (a.alarm) state_.event(Event::Level::alarm, std::move(*a.alarm));
  if (a.counts) state_.raft.peer_connected(state_.now, SequencerId{c.peer.id});
}

void SequencerMachine::disconnected(Time now, const Disconnected& d) {
  state_.now = now;
  const auto found = state_.connections.find(d.connection);
  if (found == state_.connections.end()) return;
  const AcceptedConnection k = found->second;
  state_.connections.erase(found);
  dial_again(k.dialled, d.why);
  clients_.confirmations().forget(d.connection);
  if (k.role == Role::sequencer) {
    // Only the link that counts moves Raft.
    if (state_.peers.disconnected(SequencerId{k.id}, d.connection))
      state_.raft.peer_disconnected(now, SequencerId{k.id});
  } else if (k.role == Role::storage) {
    if (!state_.nodes.disconnected(now, NodeId{k.id}, d)) return;
    if (d.why.code == Errc::wrong_version) nodes_.refused_version(NodeId{k.id});
    logs_.table().each([&](LogTerm& l) { l.node_gone(now, NodeId{k.id}); });
  } else {
    logs_.client_gone(d.connection, k);
  }
}

/// This sequencer itself closes the connection. The driver may report its end too, but need not.
void SequencerMachine::closed(ConnectionId c) {
  if (const auto k = state_.connections.find(c); k != state_.connections.end())
    state_.dialler.closed(state_.now, state_.random, k->second.dialled);
  disconnected(state_.now, {c});
}

void SequencerMachine::dial_failed(Time now, const DialFailed& f) {
  state_.now = now;
  dial_again(f.number, f.why);
}

void SequencerMachine::dial_again(std::uint32_t number, const Error& why) {
  if (auto line = state_.dialler.failed(state_.now, state_.random, number, why))
    state_.event(Event::Level::warning, std::move(*line));
}

/// Dispatches by the role in the hello. Messages of a displaced connection are ignored, because the
/// peer speaks over its newer connection now.
void SequencerMachine::arrived(Time now, Arrived&& a) {
  state_.now = now;
  const auto found = state_.connections.find(a.from);
  if (found == state_.connections.end()) return;
  const AcceptedConnection& k = found->second;
  if (std::holds_alternative<Ping>(a.message)) {
    state_.out.sends.push_back({a.from, a.request, Pong{}});
  } else if (k.role == Role::sequencer) {
    const bool answers =
        std::holds_alternative<Pong>(a.message) || std::holds_alternative<Appended>(a.message);
    if (!state_.peers.heard(now, SequencerId{k.id}, a.from, answers)) return;
    auto* r = std::get_if<Reaches>(&a.message);
    if (r != nullptr) {
      state_.version.said(SequencerId{k.id}, a.from, r->record_version);
      state_.reach.heard(now, SequencerId{k.id}, std::move(*r),
                         state_.metadata.state().storage.size());
    } else if (is_raft(a.message)) {
      state_.clock.take_from(now, SequencerId{k.id}, a.message);
      state_.raft.receive(now, SequencerId{k.id}, a.message);
    }
  } else if (k.role == Role::storage) {
    if (state_.nodes.heard(now, NodeId{k.id}, a.from))
      nodes_.received(NodeId{k.id}, a.request, a.message);
  } else {
    clients_.received({a.from, a.request}, a.message);
  }
}

void SequencerMachine::save_done(Time now, SaveDone d) {
  state_.now = now;
  if (!state_.version.saved(d.ticket)) state_.raft.save_done(now, d.ticket);
}

void SequencerMachine::space_is_low(Time now, bool low) {
  state_.now = now;
  state_.reach.space_is_low(now, low);
  if (low)
    state_.event(
        Event::Level::alarm,
        "this sequencer's disk is full, and half of its reserve is used: no log is made while "
        "the leader or a majority is so; free space, "
        "trim or delete logs, which still work");
  else state_.event(Event::Level::info, "this sequencer's disk has space again");
}

/// A sequencer that does not lead ticks only Raft, its dials and the reports of its reach.
void SequencerMachine::tick(Time now, std::uint64_t wall_ms) {
  state_.now = now;
  state_.clock.look(now, wall_ms);
  state_.raft.tick(now);
  state_.dialler.dial_due(now, state_.out.dials);
  tick_reach();
  if (!state_.leads()) return;
  if (auto e = state_.clock.differ(now, state_.options.sequencers))
    state_.out.events.push_back(std::move(*e));
  nodes_.tick();
  making_.expire();
  logs_.tick();
}

Output& SequencerMachine::output() {
  // Raft's output may touch logs, and a log may need a proposal, so both are drained until nothing
  // new comes. The bound of rounds keeps the step finite.
  for (int round = 0; round < 8; ++round) {
    hand_over_when_due();
    if (const auto round_due = clients_.confirmations().begin_round())
      state_.raft.read_index(state_.now, *round_due);
    drain_raft();
    flush_logs();
    // A connection that this side closes is gone at once.
    for (std::size_t i = 0; i < state_.out.closes.size(); ++i)
      closed(state_.out.closes[i].connection);
    const raft::Output& r = state_.raft.output();
    if (r.committed.empty() && r.sends.empty() && r.saves.empty() && logs_.table().is_settled() &&
        !clients_.confirmations().is_due())
      break;
  }
  Time wake = std::min({state_.raft.output().wake, state_.reach.wake(), state_.dialler.wake()});
  if (state_.leads()) {
    wake = std::min({wake, state_.nodes.wake(), making_.tasks().wake(), logs_.table().wake()});
  }
  if (state_.resigned())
    wake = std::min(wake, state_.hand_over.wake(state_.raft.is_leader(),
                                                state_.raft.is_leader() && owes_answers()));
  state_.out.wake = wake;
  return state_.out;
}

/// Takes up the requests that waited for a log which has opened, and tells the other connections
/// that have opened the log before (S7).
void SequencerMachine::answer_opened() {
  for (const LogId log : logs_.table().take_opened()) {
    std::set<ConnectionId> told;
    for (LogTable::Waiting& w : logs_.table().take_waiting(log)) {
      if (std::holds_alternative<OpenLog>(w.request)) told.insert(w.client.connection);
      clients_.received(w.client, w.request);
    }
    for (const ConnectionId c : logs_.table().openers(log))
      if (!told.contains(c)) state_.to_client({c, {}}, logs_.table().running(log)->term_is());
  }
}

/// The end of a step: answers requests that waited for a log which has opened, sends everything
/// that logs have gathered, and sets their timers.
void SequencerMachine::flush_logs() {
  if (!state_.leads()) return;
  if (logs_.table().any_opened()) answer_opened();
  logs_.recover_in_background();
  logs_.begin_copies();
  for (std::size_t i = 0; const auto flushed = logs_.table().flush(state_.now, i); ++i) {
    const auto [log, term] = *flushed;
    if (term == nullptr) continue;
    // The log will not open in this term, so its waiting requests are told now.
    if (term->halted())
      for (LogTable::Waiting& w : logs_.table().take_waiting(log))
        clients_.received(w.client, w.request);
    logs_.table().set_timer(log);
  }
  logs_.table().all_flushed();
  logs_.recover_in_background();  // in the places of logs that rest now
}

}  // namespace loglog::sequencer

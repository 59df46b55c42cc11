// SequencerMachine: its public calls (connections, messages, time, output) and the LogHost
// functions that send. Subtle is output(): effects of Raft and of logs cause each other.
#include "sequencer/core/sequencer_machine.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/vocabulary/limits.h"

namespace loglog::sequencer {
namespace {

raft::Config raft_config(const Options& o) {
  raft::Config c;
  c.id = o.id;
  for (const SequencerInfo& s : o.sequencers) c.voters.push_back(s.id);
  c.election_timeout_min = o.elections.timeout_min;
  c.heartbeat_interval = o.elections.heartbeat_interval;
  c.closed_leader_hint_max = o.elections.closed_leader_hint_max;
  c.trust_empty = o.trust_empty;
  c.can_read = [](const Bytes& snapshot, RaftIndex end) {
    MetadataState read;
    return read.restore(snapshot) && read.version() == end;
  };
  return c;
}

bool is_raft(const Message& m) {
  return std::holds_alternative<RequestVote>(m) || std::holds_alternative<Vote>(m) ||
         std::holds_alternative<AppendEntries>(m) || std::holds_alternative<Appended>(m) ||
         std::holds_alternative<InstallSnapshot>(m) || std::holds_alternative<Campaign>(m) ||
         std::holds_alternative<AskStanding>(m) || std::holds_alternative<StandingIs>(m);
}

}  // namespace

/// raft_ comes after random_ and reign_ among the members, because it
/// uses them.
SequencerMachine::SequencerMachine(Options options, const RaftDisk& disk, std::uint64_t seed)
    : options_(std::move(options)),
      random_(seed),
      clock_(options_.id, options_.sequencers.size()),
      raft_(raft_config(options_), disk, random_.next(), [this] { return first_entry(); }),
      reach_(options_),
      hand_over_(options_),
      peers_(options_),
      nodes_(options_),
      copies_(options_.copies_per_node_max),
      tasks_(options_) {
  boot_ = BootId{random_.next_id()};
  if (!disk.snapshot.empty() && metadata_.restore(disk.snapshot))
    snapshot_at_ = disk.snapshot_index;
}

void SequencerMachine::start(Time now, std::uint64_t wall_ms) {
  now_ = now;
  clock_.look(now, wall_ms);
  raft_.start(now);
  reach_.start(now);
}

Hello SequencerMachine::hello() const {
  return {hello_magic,
          protocol_lowest,
          protocol_highest,
          Role::sequencer,
          metadata_.state().cluster,
          options_.cluster_name,
          options_.id.value,
          boot_,
          DiskId{},
          message_body_max};
}

/// A hello was accepted. A peer of another cluster is closed with the reason (T4).
void SequencerMachine::connected(Time now, const Connected& c) {
  now_ = now;
  ++figures_.connections;
  Connection& k = connections_[c.connection];
  k.role = c.peer.role;
  k.id = c.peer.id;
  k.cluster = c.peer.cluster;
  k.from = c.from;
  if (k.role == Role::client) k.endpoint = c.endpoint;
  const ClusterId ours = metadata_.state().cluster;
  if (k.cluster != ClusterId{} && ours != ClusterId{} && k.cluster != ours) {
    out_.closes.push_back(
        {c.connection,
         Error{Errc::wrong_cluster, fmt::format("this is cluster {:016x}, the peer's is {:016x}",
                                                ours.value, k.cluster.value)}});
    return;
  }
  if (k.role == Role::sequencer) {
    sequencer_connected(c);
  } else if (k.role == Role::storage) {
    node_connected(c);
  }
}

void SequencerMachine::sequencer_connected(const Connected& c) {
  Peers::Admission a = peers_.connected(now_, c);
  if (a.close) out_.closes.push_back(std::move(*a.close));
  if (a.alarm) event(Event::Level::alarm, std::move(*a.alarm));
  if (a.counts) raft_.peer_connected(now_, SequencerId{c.peer.id});
}

void SequencerMachine::disconnected(Time now, const Disconnected& d) {
  now_ = now;
  const auto found = connections_.find(d.connection);
  if (found == connections_.end()) return;
  const Connection k = found->second;
  connections_.erase(found);
  confirmations_.forget(d.connection);
  if (k.role == Role::sequencer) {
    // Only the link that counts moves Raft.
    if (peers_.disconnected(SequencerId{k.id}, d.connection))
      raft_.peer_disconnected(now, SequencerId{k.id});
  } else if (k.role == Role::storage) {
    if (!nodes_.disconnected(now, NodeId{k.id}, d)) return;
    logs_.each([&](LogTerm& l) { l.node_gone(now, NodeId{k.id}); });
  } else {
    writers_.disconnected(d.connection);
    if (k.has_committed) dropped_runs_.closed(now, d.connection, k.from);
    logs_.client_gone(now, d.connection);
  }
}

/// Dispatches by the role in the hello. Messages of a displaced connection are ignored, because the
/// peer speaks over its newer connection now.
void SequencerMachine::arrived(Time now, Arrived&& a) {
  now_ = now;
  const auto found = connections_.find(a.from);
  if (found == connections_.end()) return;
  const Connection& k = found->second;
  if (std::holds_alternative<Ping>(a.message)) {
    out_.sends.push_back({a.from, a.request, Pong{}});
  } else if (k.role == Role::sequencer) {
    const bool answers =
        std::holds_alternative<Pong>(a.message) || std::holds_alternative<Appended>(a.message);
    if (!peers_.heard(now, SequencerId{k.id}, a.from, answers)) return;
    auto* r = std::get_if<Reaches>(&a.message);
    if (r != nullptr)
      reach_.heard(now, SequencerId{k.id}, std::move(*r), metadata_.state().storage.size());
    else if (is_raft(a.message)) {
      clock_.take_from(now, SequencerId{k.id}, a.message);
      raft_.receive(now, SequencerId{k.id}, a.message);
    }
  } else if (k.role == Role::storage) {
    if (nodes_.heard(now, NodeId{k.id}, a.from)) from_node(NodeId{k.id}, a.request, a.message);
  } else {
    from_client({a.from, a.request}, a.message);
  }
}

void SequencerMachine::save_done(Time now, SaveDone d) {
  now_ = now;
  raft_.save_done(now, d.ticket);
}

void SequencerMachine::space_is_low(Time now, bool low) {
  now_ = now;
  reach_.space_is_low(now, low);
  if (low)
    event(Event::Level::alarm,
          "this sequencer's disk is full, and half of its reserve is used: no log is made while "
          "the leader or a majority is so; free space, "
          "trim or delete logs, which still work");
  else event(Event::Level::info, "this sequencer's disk has space again");
}

/// A sequencer that does not lead ticks only Raft and the reports of its reach.
void SequencerMachine::tick(Time now, std::uint64_t wall_ms) {
  now_ = now;
  clock_.look(now, wall_ms);
  raft_.tick(now);
  tick_reach();
  if (reign_.term == Term{}) return;
  if (auto e = clock_.differ(now, options_.sequencers)) out_.events.push_back(std::move(*e));
  for (auto& [id, n] : nodes_.all())
    if (n.accepted && !n.sealed && now >= n.seal_due) seal_node(id, n);
  if (now >= nodes_.push_due()) push_metadata_to_all();
  expire_tasks();
  tick_logs();
}

Output& SequencerMachine::output() {
  // Raft's output may touch logs, and a log may need a proposal, so both are drained until nothing
  // new comes. The bound of rounds keeps the step finite.
  for (int round = 0; round < 8; ++round) {
    hand_over_when_due();
    if (const auto round_due = confirmations_.begin_round()) raft_.read_index(now_, *round_due);
    drain_raft();
    flush_logs();
    // A connection that this side closes is gone at once; the driver may say so again, but need
    // not.
    for (std::size_t i = 0; i < out_.closes.size(); ++i)
      disconnected(now_, {out_.closes[i].connection});
    const raft::Output& r = raft_.output();
    if (r.committed.empty() && r.sends.empty() && r.saves.empty() && logs_.is_settled() &&
        !confirmations_.is_due())
      break;
  }
  Time wake = std::min(raft_.output().wake, reach_.wake());
  if (reign_.term != Term{}) {
    wake = std::min({wake, nodes_.wake(), tasks_.wake(), logs_.wake()});
  }
  if (resigned())
    wake = std::min(wake, hand_over_.wake(raft_.is_leader(), raft_.is_leader() && owes_answers()));
  out_.wake = wake;
  return out_;
}

// ---- LogHost

RequestId SequencerMachine::to_node(NodeId id, Message m) {
  const ConnectionId to = nodes_.connection(id);
  if (to == ConnectionId{}) return {};
  // Orders and watermarks ask for no answer. A StateIs that such a message causes carries no
  // request id.
  const bool asks = !std::holds_alternative<Order>(m) && !std::holds_alternative<Watermark>(m) &&
                    !std::holds_alternative<TrimTo>(m) &&
                    !std::holds_alternative<loglog::Metadata>(m);
  const RequestId request = asks ? RequestId{++connections_[to].requests} : RequestId{};
  out_.sends.push_back({to, request, std::move(m)});
  return request;
}

void SequencerMachine::to_client(const Client& c, Message m) {
  const auto k = connections_.find(c.connection);
  if (k == connections_.end()) return;
  if (std::holds_alternative<Committed>(m)) k->second.may_commit = true;
  if (const auto* r = std::get_if<Refused>(&m)) figures_.refused.count(r->error);
  else if (const auto* f = std::get_if<Failed>(&m)) figures_.refused.count(f->error);
  else if (const auto* x = std::get_if<ConditionFailed>(&m)) figures_.refused.count(x->error);
  out_.sends.push_back({c.connection, c.request, std::move(m)});
}

void SequencerMachine::event(Event::Level level, std::string text) {
  out_.events.push_back({level, std::move(text)});
}

void SequencerMachine::warn(LogId log, NodeId node, std::string_view kind, std::string text) {
  if (auto line = warnings_.say(now_, log, node, kind, std::move(text)))
    event(Event::Level::warning, std::move(*line));
}

}  // namespace loglog::sequencer

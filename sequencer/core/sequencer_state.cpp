// SequencerState: sending, and proposing commands to Raft.
#include "sequencer/core/sequencer_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/rules.h"

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
  c.can_read = [highest = o.record_version_highest](const Bytes& snapshot, RaftIndex end) {
    MetadataState read(highest);
    return read.restore(snapshot) && read.version() == end;
  };
  c.record_version_highest = o.record_version_highest;
  return c;
}

}  // namespace

/// raft comes after random and reign among the members, because it uses them.
SequencerState::SequencerState(Options o, const RaftDisk& disk, std::uint64_t seed)
    : options(std::move(o)),
      random(seed),
      clock(options.id, options.sequencers.size()),
      metadata(options.record_version_highest),
      version(disk.record_version),
      raft(raft_config(options), disk, random.next(), [this] { return first_entry(); }),
      reach(options),
      hand_over(options),
      dialler(options),
      peers(options),
      nodes(options),
      boot{random.next_id()} {}

Bytes SequencerState::first_entry() {
  reign.instance = InstanceId{random.next_id()};
  return encode(Command(BeginTerm{Term{}, reign.instance, raft.term(), LogId{}}),
                written_version());
}

void SequencerState::event(Event::Level level, std::string text) {
  out.events.push_back({level, std::move(text)});
}

RequestId SequencerState::to_node(NodeId id, Message m) {
  const ConnectionId to = nodes.connection(id);
  if (to == ConnectionId{}) return {};
  // Orders and watermarks ask for no answer. A StateIs that such a message causes carries no
  // request id.
  const bool asks = !std::holds_alternative<Order>(m) && !std::holds_alternative<Watermark>(m) &&
                    !std::holds_alternative<TrimTo>(m) &&
                    !std::holds_alternative<loglog::Metadata>(m);
  const RequestId request = asks ? RequestId{++connections[to].requests} : RequestId{};
  out.sends.push_back({to, request, std::move(m)});
  return request;
}

void SequencerState::to_client(const Client& c, Message m) {
  const auto k = connections.find(c.connection);
  if (k == connections.end()) return;
  if (std::holds_alternative<Committed>(m)) k->second.may_commit = true;
  if (const auto* r = std::get_if<Refused>(&m)) figures.refused.count(r->error);
  else if (const auto* f = std::get_if<Failed>(&m)) figures.refused.count(f->error);
  else if (const auto* x = std::get_if<ConditionFailed>(&m)) figures.refused.count(x->error);
  out.sends.push_back({c.connection, c.request, std::move(m)});
}

void SequencerState::tell(const std::vector<Client>& clients, const Message& m) {
  for (const Client& c : clients) to_client(c, m);
}

/// Proposes a command; `client`, if any, is answered when the entry is applied. A sequencer that
/// resigns proposes nothing, because its successor must have the whole log.
bool SequencerState::propose(Command c, std::optional<Client> client) {
  RaftIndex index{};
  if (client && (proposals.of(client->connection) >= changes_waiting_max ||
                 proposals.size() >= changes_waiting_max_in_all)) {
    to_client(*client, Failed{Errc::too_many,
                              fmt::format("{} changes of this connection and {} in all wait for "
                                          "the sequencers, at most {} and {} may",
                                          proposals.of(client->connection), proposals.size(),
                                          changes_waiting_max, changes_waiting_max_in_all)});
    return false;
  }
  if (resigned() || !raft.propose(now, encode(c, written_version()), index)) {
    if (client) to_client(*client, not_leader());
    return false;
  }
  if (!client) return true;
  proposals.add(index, {raft.term(), std::move(c), *client});
  return true;
}

Failed SequencerState::not_leader() const {
  const SequencerId leader = known_leader();
  if (raft.is_leader()) return {Errc::not_leader, "this leader is about to stop, and hands over"};
  if (leader == SequencerId{}) return {Errc::not_leader, "no leader is known at present"};
  return {Errc::not_leader, fmt::format("sequencer {} leads", leader.value)};
}

SequencerId SequencerState::known_leader() const {
  return resigned() && raft.is_leader() ? SequencerId{} : raft.leader();
}

bool SequencerState::has_lost(NodeId id) const {
  const StorageInfo* known = metadata.node(id);
  return known != nullptr && rules::counts_as_lost(known->lost);
}

/// T4: a loss that only this leader's memory knows would be forgotten with it. The next leader
/// would take the short tail for everything that there was.
void SequencerState::lost(NodeId id) {
  if (reign.term != Term{} && !has_lost(id)) propose(MarkLost{id, metadata.disk_of(id)});
}

bool SequencerState::can_be_sealed(const Member& m) const {
  return nodes.ready(m.node) && m.disk == metadata.disk_of(m.node);
}

}  // namespace loglog::sequencer

// A node passes connected -> accepted -> sealed, and only a sealed node is ready for logs.
#include "sequencer/core/cluster/storage_nodes.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "proto-spec/vocabulary/limits.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {
namespace {

/// How long a node is shown that came with another disk than the registered disk, or that refused
/// this leader. It is dialled about once a second, and the same happens each time.
constexpr Duration refusal_shown = 5s;
constexpr std::uint32_t node_never_heard = 0xFFFF'FFFF;

}  // namespace

const StorageInfo* StorageNodes::configured(NodeId id) const {
  for (const StorageInfo& s : options_.storage)
    if (s.id == id) return &s;
  return nullptr;
}

void StorageNodes::connected(NodeId id, const Connected& c) {
  StorageNode& n = nodes_[id];
  n = n.down();
  n.connection = c.connection;
  n.disk = c.peer.disk;
  n.boot = c.peer.boot;
}

bool StorageNodes::disconnected(Time now, NodeId id, const Disconnected& d) {
  StorageNode* n = find(id);
  if (n == nullptr || n->connection != d.connection) return false;
  if (d.why.code == Errc::stale_metadata) n->refused_leader = now;
  *n = n->down();
  return true;
}

bool StorageNodes::heard(Time now, NodeId id, ConnectionId c) {
  StorageNode* n = find(id);
  if (n == nullptr || n->connection != c) return false;
  n->heard = now;
  n->last_heard = now;
  return true;
}

void StorageNodes::told(StorageNode& n, SpaceIs&& s, const MetadataState& metadata) {
  for (const LogBytes& l : s.logs)
    if (metadata.log(l.log) != nullptr) n.log_bytes[l.log] = l.bytes;
  n.space = std::move(s);
  n.space.logs = {};
}

void StorageNodes::forget_log(LogId log) {
  for (auto& [id, n] : nodes_) n.log_bytes.erase(log);
}

void StorageNodes::reign_ends() {
  for (auto& [id, n] : nodes_) n.accepted = n.sealed = false;
  push_due_ = never;
}

bool StorageNodes::heard_lately(Time now, NodeId id) const {
  const StorageNode* n = find(id);
  return n != nullptr && heard_lately(now, *n);
}

std::vector<NodeId> StorageNodes::reached(Time now, const MetadataState& metadata) const {
  std::vector<NodeId> out;
  for (const auto& [id, n] : nodes_) {
    if (!heard_lately(now, n)) continue;
    const StorageInfo* known = metadata.node(id);
    if (known != nullptr && known->disk == n.disk && !rules::counts_as_lost(known->lost))
      out.push_back(id);
  }
  return out;
}

bool StorageNodes::takes_logs(Time now, NodeId id) const {
  const StorageNode* n = find(id);
  return n != nullptr && n->sealed && heard_lately(now, *n) && !n->space.suspect && !n->refused;
}

Time StorageNodes::last_joined(NodeId id) const {
  const StorageNode* n = find(id);
  return n == nullptr ? Time{} : n->joined_at;
}

bool StorageNodes::has_space(NodeId id, LogId log) const {
  const StorageNode* n = find(id);
  return n == nullptr || !std::ranges::binary_search(n->space.logs_without_space, log);
}

std::uint64_t StorageNodes::disk_bytes(NodeId id, LogId log) const {
  const StorageNode* n = find(id);
  if (n == nullptr) return 0;
  const auto l = n->log_bytes.find(log);
  return l == n->log_bytes.end() ? 0 : l->second;
}

bool StorageNodes::refused_twin(Time now, SequencerId id) const {
  return std::ranges::any_of(nodes_, [&](const auto& n) {
    const std::vector<SequencerId>& twice = n.second.space.twice;
    return heard_lately(now, n.second) && std::ranges::find(twice, id) != twice.end();
  });
}

NodeSeen StorageNodes::seen(Time now, const StorageInfo& info, bool leads) const {
  NodeSeen s{info.id,
             info.address,
             info.lost ? NodeCondition::data_loss : NodeCondition::unreachable,
             node_never_heard,
             0,
             0,
             0,
             0,
             0,
             {}};
  const StorageNode* found = find(info.id);
  if (found == nullptr) return s;
  const StorageNode& n = *found;
  if (n.last_heard) s.silent_ms = saturated_ms(now - *n.last_heard);
  s.staged_bytes = n.space.staged_bytes;
  s.staged_bytes_max = n.space.staged_bytes_max;
  s.logs_without_space = static_cast<std::uint32_t>(n.space.logs_without_space.size());
  s.disk_free_bytes = n.space.disk_free_bytes;
  s.disk_size_bytes = n.space.disk_size_bytes;
  // A node that nobody reaches is shown once, as unreachable, and not by each of its peers.
  if (heard_lately(now, n))
    std::ranges::copy_if(n.space.cannot_reach, std::back_inserter(s.cannot_reach),
                         [&](NodeId peer) { return heard_lately(now, peer); });
  if (n.foreign_disk && now - n.foreign_disk->at <= refusal_shown)
    s.condition = NodeCondition::foreign_disk;
  else if (info.lost) s.condition = NodeCondition::data_loss;
  else if (n.refused_leader && now - *n.refused_leader <= refusal_shown)
    s.condition = NodeCondition::refuses_leader;
  else if (!heard_lately(now, n)) s.condition = NodeCondition::unreachable;
  else if (n.refused) s.condition = NodeCondition::data_loss;
  else if (n.space.suspect) s.condition = NodeCondition::suspect;
  else s.condition = n.sealed || !leads ? NodeCondition::up : NodeCondition::lagging;
  return s;
}

}  // namespace loglog::sequencer

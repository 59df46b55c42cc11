// Pings go through Transfers, so that they use and keep up the connections that copies will need.
#include "storage-node/core/peer_reach.h"

#include <algorithm>
#include <set>

namespace loglog::storage {
namespace {
/// A single failure may be a restart of the peer.
constexpr unsigned unanswered_max = 2;
}  // namespace

void PeerReach::tick() {
  if (node_.now < due_) return;
  due_ = node_.now + node_.options.peer_ping_every;
  const std::vector<NodeId> now = peers();
  // Peers that share no log any more are forgotten.
  std::erase_if(unanswered_,
                [&](const auto& u) { return !std::ranges::binary_search(now, u.first); });
  for (const NodeId peer : now) ask(peer);
}

void PeerReach::ask(NodeId peer) {
  node_.transfers.ask(peer, LogId{}, Ping{}, 0, Transfers::Urgency::bulk,
                      [this, peer](Transfers::Came, const Message* answer) {
                        if (answer != nullptr) unanswered_.erase(peer);
                        else ++unanswered_[peer];
                      });
}

std::vector<NodeId> PeerReach::peers() const {
  std::set<NodeId> out;
  for (const LogInfo& l : node_.metadata.logs)
    for (const Member& m : l.members) out.insert(m.node);
  out.erase(node_.options.id);
  return {out.begin(), out.end()};
}

std::vector<NodeId> PeerReach::unreachable() const {
  std::vector<NodeId> out;
  for (const auto& [peer, times] : unanswered_)
    if (times >= unanswered_max) out.push_back(peer);
  return out;
}

}  // namespace loglog::storage

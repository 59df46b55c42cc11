// Changes of the metadata that clients have asked for and that wait for the sequencers: commands
// that were proposed to Raft, by the index of their entries. A part of SequencerState, which
// proposes; SequencerMachine answers. Sends nothing itself.
#pragma once
#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "sequencer/core/commands.h"
#include "sequencer/core/connection_counts.h"
#include "sequencer/core/log/producer_table.h"

namespace loglog::sequencer {

struct Proposal {
  RaftTerm raft_term;  ///< an entry of another Raft term at the index is not this proposal
  Command command;
  Client client;
};

class Proposals {
 public:
  /// A later leader's entry may have replaced an uncommitted entry, so an index can be given again.
  /// The older proposal at that index was never committed, and is forgotten.
  void add(RaftIndex index, Proposal p) {
    take(index);
    by_.add(p.client.connection);
    waiting_.insert_or_assign(index, std::move(p));
  }
  /// The proposal of the entry that was applied; nullopt: no client waits for it.
  std::optional<Proposal> take(RaftIndex index) {
    const auto found = waiting_.find(index);
    if (found == waiting_.end()) return std::nullopt;
    std::optional<Proposal> out = std::move(found->second);
    by_.remove(out->client.connection);
    waiting_.erase(found);
    return out;
  }
  /// The lead is lost: the clients that wait, in the order of their entries.
  std::vector<Client> take_clients() {
    std::vector<Client> out;
    out.reserve(waiting_.size());
    for (const auto& [index, p] : waiting_) out.push_back(p.client);
    waiting_.clear();
    by_.clear();
    return out;
  }
  /// Changes of this connection that wait.
  std::size_t of(ConnectionId c) const { return by_.of(c); }
  std::size_t size() const { return waiting_.size(); }

 private:
  std::map<RaftIndex, Proposal> waiting_;
  ConnectionCounts by_;
};

}  // namespace loglog::sequencer

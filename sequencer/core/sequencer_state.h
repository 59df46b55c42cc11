// The state that all parts of a sequencer share: the committed metadata, the connections, its place
// in Raft, and the output of the current step. Sends messages and proposes commands.
// No rule about logs lives here. SequencerMachine owns the only SequencerState, and every part
// holds a reference to it. One thread.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/random.h"
#include "proto-spec/vocabulary/time.h"
#include "sequencer/core/cluster/cluster_version.h"
#include "sequencer/core/cluster/dialler.h"
#include "sequencer/core/cluster/hand_over.h"
#include "sequencer/core/cluster/peers.h"
#include "sequencer/core/cluster/proposals.h"
#include "sequencer/core/cluster/reach_reports.h"
#include "sequencer/core/cluster/storage_nodes.h"
#include "sequencer/core/cluster_clock.h"
#include "sequencer/core/figures.h"
#include "sequencer/core/metadata.h"
#include "sequencer/core/output.h"
#include "sequencer/core/raft/raft.h"

namespace loglog::sequencer {

/// A connection whose hello was accepted.
struct AcceptedConnection {
  Role role{};
  std::uint32_t id = 0;  ///< of the storage node or the sequencer
  ClusterId cluster{};
  std::string from;  ///< IP address
  /// V1: it may commit also while its address is suspect, because a run that came over it was
  /// committed, or because it had its turn.
  bool may_commit = false;
  bool has_committed = false;  ///< a commit of it was admitted
  unsigned dropped_runs = 0;   ///< V1: runs that came over it and had to be dropped
  std::uint32_t requests = 0;  ///< ids given on this connection
  std::uint32_t dialled = 0;   ///< Dial::number; 0: the peer dialled
  // For people; of clients:
  std::string endpoint, name, version;
};

/// The time in which this sequencer leads.
struct Reign {
  Term term{};                     ///< 0: it does not lead, or its term is not committed yet
  RaftTerm raft_term{};            ///< in which the term was committed
  InstanceId instance{};           ///< names the reign in its commands (T1)
  bool new_term_proposed = false;  ///< a BeginTerm for all logs is proposed
};

struct SequencerState {
  SequencerState(Options o, const RaftDisk& disk, std::uint64_t seed);
  SequencerState(const SequencerState&) = delete;
  SequencerState& operator=(const SequencerState&) = delete;

  const Options options;
  Random random;
  /// Time of the current step; the core reads no clock.
  Time now{};
  ClusterClock clock;
  /// Effects of the current step. The driver performs them after the step and clears them.
  Output out;
  Figures figures;
  MetadataState metadata;
  ClusterVersion version;
  Reign reign;  // declared before raft, whose first entry names its instance
  raft::Raft raft;
  ReachReports reach;
  HandOver hand_over;
  std::map<ConnectionId, AcceptedConnection> connections;
  Dialler dialler;
  Peers peers;
  StorageNodes nodes;
  Proposals proposals;
  const BootId boot;

  // Sending

  void event(Event::Level level, std::string text);
  /// Sends a message to a node and returns the request's id. 0: the message asks for no answer, or
  /// the node is not connected and nothing was sent.
  RequestId to_node(NodeId id, Message m);
  /// Sends an answer to a client; dropped if its connection is gone.
  void to_client(const Client& c, Message m);
  void tell(const std::vector<Client>& clients, const Message& m);

  // Raft

  /// T1: the first entry of a new leader's Raft term. It is BeginTerm, because Raft needs an entry
  /// there anyway. Begins a reign with an instance of its own.
  Bytes first_entry();
  /// T7: the version of the records that this sequencer makes. Its directory names the version
  /// durably, and its metadata have reached it. A field that came with a later version must not be
  /// set: it would be lost.
  std::uint8_t written_version() const {
    return std::min(version.named(), metadata.record_version());
  }
  /// Proposes a command. False: it was refused, and `client`, if any, was told so.
  bool propose(Command c, std::optional<Client> client = {});
  /// True if this sequencer leads and its term is committed.
  bool leads() const { return reign.term != Term{}; }
  bool resigned() const { return hand_over.resigned(); }
  /// The leader to whom clients are sent; a leader that resigns takes nothing new, so it names
  /// nobody.
  SequencerId known_leader() const;
  /// The refusal of a request that only a leader takes.
  Failed not_leader() const;

  // Storage nodes, as the metadata know them

  /// T4: true if the node's registered disk lacks bytes that the node had acknowledged.
  bool has_lost(NodeId id) const;
  /// T4: such a loss has shown; it is committed as MarkLost.
  void lost(NodeId id);
  /// C1: the node is ready and its disk is still the member's.
  bool can_be_sealed(const Member& m) const;
};

}  // namespace loglog::sequencer

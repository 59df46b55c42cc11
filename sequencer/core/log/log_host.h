// The services that a log needs of the machine around it. SequencerMachine implements them; LogTerm
// and its parts call them. Nothing here decides anything.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/wire/messages.h"
#include "sequencer/core/figures.h"
#include "sequencer/core/log/producer_table.h"
#include "sequencer/core/output.h"

namespace loglog::sequencer {

/// No call comes back into the LogTerm before it has returned; results come later, by its public
/// functions.
class LogHost {
 public:
  virtual ~LogHost() = default;
  /// True if the node is connected, has the registered identity (T4), and is sealed for all logs in
  /// this leader's term.
  virtual bool ready(NodeId) const = 0;
  /// Sends a message to a node and returns the request's id; 0: the node is not connected and
  /// nothing was sent.
  virtual RequestId to_node(NodeId, Message) = 0;
  /// Sends an answer to a client; dropped if its connection is gone.
  virtual void to_client(const Client&, Message) = 0;
  virtual bool connected(ConnectionId) const = 0;
  virtual void event(Event::Level, std::string) = 0;
  /// A warning about a node in this log that may come again at once, so it is rate-limited. `kind`
  /// is a literal that names the place in the code.
  virtual void warn(LogId, NodeId, std::string_view kind, std::string) = 0;
  /// The log's term start is committed (S7).
  virtual void opened(LogId) = 0;
  /// Asks for a new term of this log alone, above `floor` (S8, A2).
  virtual void begin_term(LogId, Term floor) = 0;
  /// V1: nobody uploaded a run that came over this connection, and a new term drops it.
  virtual void run_dropped(ConnectionId) = 0;
  /// R5: asks to trim the log up to this offset.
  virtual void trim(LogId, Offset) = 0;
  /// The disk that the node is registered with; 0: none.
  virtual DiskId disk_of(NodeId) const = 0;
  /// False: the node reports that its disk gives no space for the log, so it refuses uploads (K5).
  /// For status only.
  virtual bool has_space(NodeId, LogId) const = 0;
  /// P4: true if the node may begin to copy the log now. Otherwise the machine calls copy_now()
  /// later. `urgent`: the log takes no appends before the copy.
  virtual bool begin_copy(LogId, NodeId, bool urgent) = 0;
  /// P4: the copy has ended, or is not wanted any more.
  virtual void end_copy(LogId, NodeId) = 0;
  /// T4: true if the node's registered disk lacks bytes that the node had acknowledged.
  virtual bool has_lost(NodeId) const = 0;
  /// T4: such a loss showed in this log. It is committed as MarkLost, so that every later leader
  /// knows it.
  virtual void lost(NodeId) = 0;
  /// T5: asks the node to make the log; joined() follows.
  virtual void join(LogId, NodeId) = 0;
  /// C1 step 3: asks to commit these disks as the log's members.
  virtual void set_members(LogId, std::vector<Member>) = 0;
  /// The metadata version that orders and reconciles carry (T2).
  virtual RaftIndex metadata_version() const = 0;
  /// The random id of this leader's reign (T1).
  virtual InstanceId instance() const = 0;
  /// R4: the time that the leader writes into the log, Unix milliseconds.
  virtual std::uint64_t wall_ms() const = 0;
  /// R5: the clock that the age of entries is measured by, Unix milliseconds; nullopt: not known
  /// now.
  virtual std::optional<std::uint64_t> age_by() const = 0;
  virtual Figures& figures() = 0;
  /// A producer was told over this connection that its run is committed. For status only.
  virtual void written(LogId, ProducerId, ConnectionId, const Reference&) = 0;
  /// Bytes that the log's files take on the node's disk; 0: not told yet. For status only.
  virtual std::uint64_t disk_bytes(NodeId, LogId) const = 0;
};

}  // namespace loglog::sequencer

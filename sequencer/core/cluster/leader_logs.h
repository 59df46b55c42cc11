// The terms of all logs while this sequencer leads: begins them when a log is needed or in the
// background, ticks them, and gives each the services that it needs (LogHost). Owned by
// SequencerMachine. Requests of clients that wait for a log are taken up by ClientRequests.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sequencer/core/cluster/log_table.h"
#include "sequencer/core/copy_queue.h"
#include "sequencer/core/dropped_runs.h"
#include "sequencer/core/log/log_host.h"
#include "sequencer/core/repeated_warnings.h"
#include "sequencer/core/sequencer_state.h"
#include "sequencer/core/writers.h"

namespace loglog::sequencer {

/// `state` must outlive it.
class LeaderLogs final : public LogHost {
 public:
  explicit LeaderLogs(SequencerState& state)
      : state_(state), copies_(state.options.copies_per_node_max) {}
  LeaderLogs(const LeaderLogs&) = delete;
  LeaderLogs& operator=(const LeaderLogs&) = delete;

  LogTable& table() { return table_; }
  const LogTable& table() const { return table_; }
  const Writers& writers() const { return writers_; }

  /// The log's term, which begins now if the log was not needed before in this term. nullptr: no
  /// log of that id is open, or this sequencer does not lead. A background call does not count as a
  /// wish for the log (S7).
  LogTerm* need(LogId log, bool background = false);
  /// Begins a term of the log, in place of an older term if there is any. `own_seal`: the term is
  /// for this log alone. Does nothing for a log that is not open.
  void begin(LogId log, Term term, bool own_seal, bool background);
  /// Ticks the logs whose timers are due, and refuses requests that have waited too long.
  void tick();
  /// Begins further recoveries, as many as may be under way.
  void recover_in_background();
  /// P4: begins copies whose turn has come. A turn whose log has no term here is given back.
  void begin_copies();
  /// The log is deleted: its waiting requests are told so, and everything that names it goes.
  void forget(LogId log, Errc why);
  /// Ends all log terms. Requests that wait for a log go on waiting, so its next term is wanted
  /// (S7).
  void end_terms(Errc why);
  /// The lead is lost; call end_terms() first. Returns the clients that wait for a log.
  std::vector<Client> clear();

  /// V1: a run that nobody uploads stops the log for all producers until a new term drops it. From
  /// an address with several dropped runs only a single new connection in 5 s may commit.
  /// Connections over which a run was committed go on.
  bool admits_commit(ConnectionId c);
  /// The connection of a client is closed; `k`: its state until then.
  void client_gone(ConnectionId c, const AcceptedConnection& k);

 private:
  // LogHost
  bool ready(NodeId id) const override { return state_.nodes.ready(id); }
  RequestId to_node(NodeId id, Message m) override { return state_.to_node(id, std::move(m)); }
  void to_client(const Client& c, Message m) override { state_.to_client(c, std::move(m)); }
  bool connected(ConnectionId c) const override { return state_.connections.contains(c); }
  void event(Event::Level level, std::string text) override {
    state_.event(level, std::move(text));
  }
  void warn(LogId log, NodeId node, std::string_view kind, std::string text) override;
  void opened(LogId log) override { table_.opened(log); }
  void begin_term(LogId log, Term floor) override;
  void run_dropped(ConnectionId c) override;
  void trim(LogId log, Offset point) override;
  DiskId disk_of(NodeId id) const override { return state_.metadata.disk_of(id); }
  bool has_space(NodeId n, LogId l) const override { return state_.nodes.has_space(n, l); }
  bool begin_copy(LogId log, NodeId node, bool urgent) override {
    return copies_.begin(log, node, urgent);
  }
  void end_copy(LogId log, NodeId node) override { copies_.end(log, node); }
  bool has_lost(NodeId id) const override { return state_.has_lost(id); }
  void lost(NodeId id) override { state_.lost(id); }
  void join(LogId log, NodeId node) override;
  void set_members(LogId log, std::vector<Member> members) override;
  RaftIndex metadata_version() const override { return state_.metadata.version(); }
  InstanceId instance() const override { return state_.reign.instance; }
  std::uint64_t wall_ms() const override { return state_.clock.stamp(state_.now); }
  std::optional<std::uint64_t> age_by() const override { return state_.clock.age_by(state_.now); }
  Figures& figures() override { return state_.figures; }
  void written(LogId log, ProducerId producer, ConnectionId connection,
               const Reference& run) override;
  std::uint64_t disk_bytes(NodeId n, LogId l) const override {
    return state_.nodes.disk_bytes(n, l);
  }

  SequencerState& state_;
  LogTable table_;
  CopyQueue copies_;
  Writers writers_;
  RepeatedWarnings warnings_;
  DroppedRuns dropped_runs_;
};

}  // namespace loglog::sequencer

// Requests of clients. A request is answered at once, or waits in exactly one of these places: a
// log's term (LogTerm), a log's slot (LogTable), a task (LogTasks), a proposal (Proposals), or a
// confirmation (Confirmations). Owned by SequencerMachine.
#pragma once
#include <string>
#include <vector>

#include "sequencer/core/cluster/leader_logs.h"
#include "sequencer/core/cluster/log_making.h"
#include "sequencer/core/confirmations.h"
#include "sequencer/core/sequencer_state.h"
#include "sequencer/core/status_view.h"

namespace loglog::sequencer {

/// All arguments must outlive it.
class ClientRequests {
 public:
  ClientRequests(SequencerState& state, LeaderLogs& logs, LogMaking& making, const StatusView& view)
      : state_(state), logs_(logs), making_(making), view_(view) {}

  void received(const Client& c, Message& m);
  /// T6: a log of that name exists. If this request made it, its answer was lost, and it is
  /// answered now or when the log is open.
  void answer_creation(const Client& c, const CreateLog& m, const LogInfo& there);
  /// Rounds of Raft's read index have ended: tells their answers, or asks anew.
  void answer_confirmed();
  Confirmations& confirmations() { return confirmations_; }

 private:
  bool leads_or_refuses(const Client& c);
  LogTerm* open_term(const Client& c, LogId log, Message request);
  void answer_when_confirmed(const Client& c, Message request, Message answer);

  void on(const Client& c, const Commit& m) { commit(c, m, {}); }
  void on(const Client& c, const CommitIf& m);
  void commit(const Client& c, const Commit& m, const Conditions& conditions);
  void on(const Client& c, const Cancel& m);
  void on(const Client& c, const OpenLog& m);
  void on(const Client& c, const GetTermSet& m);
  void on(const Client& c, const GetTail& m);
  void on(const Client& c, const CreateLog& m);
  void on(const Client& c, const DeleteLog& m);
  void on(const Client& c, const TrimLog& m);
  void on(const Client& c, const SetFence& m);
  void on(const Client& c, const SetRetention& m);
  void on(const Client& c, const ReplaceDisk& m);
  void on(const Client& c, const RaiseClusterVersion& m);
  void on(const Client& c, const ClientIs& m);
  void on(const Client& c, const GetMetadata& m);
  std::vector<Member> choose_members(std::size_t n);
  std::string log_that_needs_disk(NodeId node) const;
  std::string cannot_read(std::uint8_t version) const;

  SequencerState& state_;
  LeaderLogs& logs_;
  LogMaking& making_;
  const StatusView& view_;
  Confirmations confirmations_{questions_waiting_max};
};

}  // namespace loglog::sequencer

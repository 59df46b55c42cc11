// Answers about the cluster: metadata, status, overview, figures for monitors. Any sequencer
// answers from the metadata that it has applied; only the leader of a term sees the condition of
// nodes and logs. It only reads; nothing here decides
// anything.
#pragma once
#include <expected>
#include <string>
#include <tuple>
#include <vector>

#include "sequencer/core/cluster/leader_logs.h"
#include "sequencer/core/cluster_picture.h"
#include "sequencer/core/sequencer_state.h"

namespace loglog::sequencer {

/// Both arguments must outlive it.
class StatusView {
 public:
  StatusView(const SequencerState& state, const LeaderLogs& logs) : state_(state), logs_(logs) {}

  /// The metadata without the logs.
  loglog::Metadata nodes_and_leader() const;
  /// `logs`: with the status of each log.
  Status status(bool logs) const;
  /// See SequencerMachine::overview().
  Overview overview(std::size_t logs_max) const;
  Report report(Time now) const;
  std::expected<std::string, std::string> readiness() const;
  /// For people (C3): the voters whose answers are missing.
  std::string waits_for_answers() const;

 private:
  struct Ranked {
    int trouble;
    std::size_t spare;  // N - W: replicas that may fail if all replicas work
    const LogInfo* log;
    std::tuple<int, std::size_t, LogId> order() const {
      return {-trouble, spare, log->id};
    }  // the worst first
  };
  SequencerSeen see(const SequencerInfo& info) const;
  LogSeen see(const LogInfo& info) const;
  int trouble(const LogTerm* t) const;
  std::vector<Ranked> rank_logs() const;
  ClusterPicture picture() const;
  ClientsSeen clients_seen() const;

  const SequencerState& state_;
  const LeaderLogs& logs_;
};

}  // namespace loglog::sequencer

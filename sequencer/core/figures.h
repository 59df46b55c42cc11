// Counts of a sequencer and the report that it gives to monitors (`/metrics`). The core fills both
// in; app/sequencer_pages.cpp prints them. No rule reads any of this.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto-spec/observe/histogram.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

/// Most logs that are shown individually: the logs with the lowest ids.
inline constexpr std::size_t logs_shown_max = 1000;

/// Counts since the start of the process. Counts about logs cover all reigns of this sequencer.
struct Figures {
  std::uint64_t commits = 0;  ///< runs that were ordered at a client's request
  /// Runs that were committed and whose producers were answered, their entries, and their bytes of
  /// frames.
  std::uint64_t committed_runs = 0, committed_entries = 0, committed_bytes = 0;
  /// From ordering a run to answering that it is committed.
  observe::LatencyHistogram commit_latency;
  /// Reports of a storage node that it lacks a run and no peer has it.
  std::uint64_t missing_reports = 0;
  std::uint64_t log_terms = 0;    ///< recoveries of a log that were begun
  std::uint64_t repairs = 0;      ///< replicas that were told to cut or to copy
  std::uint64_t connections = 0;  ///< connections whose hellos were accepted
  observe::ErrorCounts refused;   ///< refusals sent to clients, by error
};

/// A replica as the leader of the log's term sees it.
struct ReplicaReport {
  NodeId node;
  ReplicaState state{};
  Offset durable;  ///< end of the bytes matched in this term; 0 before the replica is matched
  std::uint64_t lag_bytes = 0;  ///< committed bytes that the replica is not known to hold
  Duration lag{};               ///< how long the replica has lacked some committed byte
};

/// A log in the leader's term. `first` <= `committed` <= `ordered`.
struct LogReport {
  LogId id;
  std::string name;
  Term term;
  Offset first, committed, ordered;
  std::vector<ReplicaReport> replicas;
};

/// The state of a sequencer at one moment.
struct Report {
  Figures counted;
  RaftRole role{};
  RaftTerm raft_term;
  std::uint64_t elections_stood = 0, elections_won = 0;  ///< since the start
  SequencerId leader;                                    ///< 0: no leader is known
  Term term;  ///< the term that this sequencer leads in; 0: it does not lead
  RaftIndex metadata_version;
  bool space_is_low = false;  ///< this sequencer's disk is full, and half of its reserve is used
  std::uint64_t clients = 0, sequencers = 0, storage = 0;  ///< connected now
  /// While it leads: registered storage nodes by condition.
  std::map<NodeCondition, std::uint64_t> nodes;
  std::uint64_t logs_in_all = 0, logs_open = 0, logs_halted = 0;
  /// Open logs of which fewer replicas than the write quorum have space.
  std::uint64_t logs_refusing = 0;
  /// The largest distance of a sequencer's clock from the majority's, milliseconds.
  std::uint32_t clock_off_ms = 0;
  /// Sequencers under whose id a second process was refused lately, as far as is known here.
  std::uint64_t run_twice = 0;
  /// While it leads: logs whose term has begun, at most logs_shown_max.
  std::vector<LogReport> logs;
};

}  // namespace loglog::sequencer

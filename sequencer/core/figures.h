// What a sequencer counts, and what it shows of itself to monitors.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto-spec/observe/histogram.h"
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/wire/messages.h"

namespace loglog::sequencer {

/// Most logs that are shown one by one: those with the lowest ids.
inline constexpr std::size_t logs_shown_max = 1000;

/// Since the start of the process; what concerns logs, in all times of leading.
struct Figures {
  std::uint64_t commits = 0;  ///< runs that were ordered at a client's request
  std::uint64_t committed_runs = 0, committed_entries = 0,
                committed_bytes = 0;         ///< and whose producers were answered
  observe::LatencyHistogram commit_latency;  ///< from the one to the other, by run
  std::uint64_t missing_reports = 0;         ///< a storage node lacks a run and no peer has it
  std::uint64_t log_terms = 0;               ///< recoveries of a log that were begun
  std::uint64_t repairs = 0;                 ///< replicas that were told to cut or copy
  std::uint64_t connections = 0;             ///< whose hellos were accepted
  observe::ErrorCounts refused;              ///< answers to clients
};

struct ReplicaReport {
  NodeId node;
  ReplicaState state{};
  Offset durable;               ///< matched in this term; 0 where it was not matched yet
  std::uint64_t lag_bytes = 0;  ///< committed, and not known to be here
  Duration lag{};               ///< how long something that is committed has been lacking
};

struct LogReport {
  LogId id;
  std::string name;
  Term term;
  Offset first, committed, ordered;
  std::vector<ReplicaReport> replicas;
};

/// The state at one moment.
struct Report {
  Figures counted;
  RaftRole role{};
  RaftTerm raft_term;
  std::uint64_t elections_stood = 0, elections_won = 0;  ///< since the start
  SequencerId leader;                                    ///< 0: none is known
  Term term;                                             ///< it leads in; 0: it does not
  RaftIndex metadata_version;
  bool space_is_low = false;  ///< the own disk is full, and half of the reserve is used
  std::uint64_t clients = 0, sequencers = 0, storage = 0;  ///< connected
  std::map<NodeCondition, std::uint64_t>
      nodes;  ///< while it leads: registered storage nodes by condition
  std::uint64_t logs_in_all = 0, logs_open = 0, logs_halted = 0;
  std::uint64_t logs_refusing =
      0;  ///< open, and fewer of their replicas than the write quorum have space
  std::uint32_t clock_off_ms =
      0;  ///< the most that a sequencer's clock is from a majority's, as the leader hears them
  std::vector<LogReport>
      logs;  ///< while it leads: those whose term has begun, at most logs_shown_max
};

}  // namespace loglog::sequencer

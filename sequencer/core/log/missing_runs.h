// Ordered runs that some replica has reported missing (V1, spec/05 "When a payload is missing").
// Owned by LogTerm, which brings the reports and begins a new term if check() says so. This part
// asks the producers to upload again, and decides when nobody is waited for any longer.
#pragma once
#include <map>
#include <optional>
#include <set>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"
#include "sequencer/core/log/log_host.h"
#include "sequencer/core/log/producer_table.h"
#include "sequencer/core/log/replica_set.h"

namespace loglog::sequencer {

/// See the top of the file. All arguments of the constructor must outlive it.
class MissingRuns {
 public:
  MissingRuns(const Options& options, LogHost& host, const LogInfo& info)
      : options_(options), host_(host), info_(info) {}

  /// A replica reports the run at `at`, which is not committed. Its producer is asked to upload it
  /// again. `producer`: the connection that the producer used last.
  void reported(NodeId from, Offset at, const Reference& run, ConnectionId producer);
  /// The producer will not upload these runs again, so nobody waits for it. `known`: it has
  /// committed runs in this term.
  void cancelled(const Cancel& c, bool known);
  /// The producer has committed the run at `at` again. True if the run is missing: it may come from
  /// the producer now.
  bool is_back(Offset at);
  /// A committed run is durable on W replicas, so its producer is not needed any more.
  void committed(Offset committed);
  bool any() const { return !runs_.empty(); }

  /// A run that only a new term can drop, and the connection of its producer.
  struct Dropped {
    Offset at;
    ConnectionId producer;
  };
  /// Looks for a run that nobody waits for any longer: the log needs a new term, which drops it.
  std::optional<Dropped> check(Time now, const ReplicaSet& replicas,
                               const ProducerTable& producers);
  /// When check() is due at the latest.
  Time wake() const;
  /// Forgets the runs from `at` on. Only in the mutation build: tests/simulator/mutants.
  void forget_from(Offset at);

 private:
  struct Run {
    Reference run;
    std::map<NodeId, unsigned> reports;
    Time gone_since = never;  // when the producer's connection was found closed
    bool cancelled = false;
  };
  bool is_dropped(Offset at, const Run& m, bool gone, const ReplicaSet& replicas) const;

  const Options& options_;
  LogHost& host_;
  const LogInfo& info_;
  std::map<Offset, Run> runs_;
  std::set<ProducerId> cancelled_;  // producers that gave up a run and will not upload it again
};

}  // namespace loglog::sequencer

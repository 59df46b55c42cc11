// The uploads of a producer's runs to the replicas of its log (spec/05 steps 2 to 4). Decides which
// replica gets a run now, whether a run may be committed, and when a slow replica is given up. The
// requests are sent by AppendPipeline, which gets the answers.
#pragma once
#include <cstddef>
#include <set>

#include "sdk/core/cluster_view.h"
#include "sdk/core/options.h"
#include "sdk/core/run.h"

namespace loglog::client {

/// Owns the committed runs that slow replicas still take, and the judgement whether uploads are
/// fast enough for eager commits (V1).
class RunUploads {
 public:
  /// All references must outlive this object.
  RunUploads(const Options& options, ClusterView& view, LogId log, ProducerId producer)
      : options_(options), view_(view), log_(log), producer_(producer) {}

  /// Whether a write quorum has staged the run, so that it may be committed (spec/05 step 4).
  bool is_uploaded(const Run& run) const;
  /// Whether the run may be committed before a write quorum has staged it (V1). Every bound
  /// protects the log's other producers: a run that is ordered and slow to arrive delays the runs
  /// behind it.
  bool goes_ahead(const Run& run) const;
  /// Number of runs that no write quorum has staged yet.
  std::int64_t uploading(const RunList& runs) const;

  /// Connection over which the replica gets its upload now; 0: it has the run, pauses or is not
  /// connected. Dials the replica.
  ConnectionId due(Time now, const ReplicaUploads::Target& t);
  /// The run is sent to the replica over `c`. Returns the request.
  Upload send(Time now, Run& run, ReplicaUploads::Target& t, ConnectionId c);
  /// Takes the answer to an upload: Uploaded, Busy, another refusal, or nullptr if the connection
  /// was lost. `unsettled`: the run if its fate is still open; nullptr: it is settled. Returns the
  /// bytes of frames that are not needed any more.
  std::uint64_t answered(Time now, Sequence first, Run* unsettled, NodeId node, ConnectionId c,
                         const Message* m);
  /// Moves a committed run out of `runs` while a slow replica still takes it. False: none does.
  bool keep(Time now, RunList& runs, RunList::iterator run);
  /// The next run is committed only after its uploads.
  void hold_back() { uploads_are_fast_ = false; }
  void disconnected(ConnectionId c) { observing_.erase(c); }
  /// No committed run is kept for a slow replica.
  bool is_idle() const { return lagging_.empty(); }

  struct GivenUp {
    std::uint64_t bytes = 0;
    std::set<ConnectionId> slow;  ///< to be closed
  };
  /// Forgets committed runs that replicas were slow to take.
  GivenUp give_up(Time now);
  Time wake() const;

 private:
  std::size_t write_quorum() const;
  void judge(Time now, const Run& run, bool taken);
  Run* find_lagging(Sequence first);

  const Options& options_;
  ClusterView& view_;
  LogId log_;
  ProducerId producer_;
  RunList lagging_;                   // committed, and some replica still takes the upload
  std::set<ConnectionId> observing_;  // connections over which Observe was sent (V2)
  // V1: a write quorum took the last uploads at once, so the next run may be committed along with
  // its uploads.
  bool uploads_are_fast_ = false;
};

}  // namespace loglog::client

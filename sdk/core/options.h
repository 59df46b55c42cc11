// The options of a client's core. Every part of the core reads them; the application sets them
// through ClientOptions, which sdk/api translates.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/limits.h"
#include "proto-spec/vocabulary/time.h"

namespace loglog::client {

struct Options {
  /// Addresses ("host:port") of any nodes of the cluster, sequencers or storage nodes. Not empty.
  std::vector<std::string> addresses;
  /// Name of the program and version of the SDK, which the leader shows to operators (W11). If both
  /// are empty, the client sends neither.
  std::string name, version;
  /// Name of the cluster to accept; empty: any cluster.
  std::string cluster_name;
  /// Storage node to prefer for reads of the logs that it holds, such as a node in this process. 0:
  /// none.
  NodeId preferred_node{};
  /// Most bytes of frames that are accepted and not settled, all logs together. Beyond it append()
  /// fails with too_many.
  std::uint64_t bytes_in_flight_max = 256ull << 20;
  /// Most runs of a log between their first upload and their settling.
  std::uint32_t runs_in_flight_max = 8;
  /// Bytes. An open run of at least half this size is cut while fewer than uploads_in_flight_max
  /// runs are being uploaded; a smaller run waits until no upload is left (spec/05 step 1). Also
  /// the least size at which a full run is cut.
  std::uint32_t run_size_min = 48u << 10;
  std::int64_t uploads_in_flight_max = 4;
  /// Largest run, bytes, unless a single entry is larger. At most loglog::run_size_target is
  /// sensible.
  std::uint32_t run_size_target = loglog::run_size_target;
  /// Eager commit (V1): a run's reference goes to the leader along with its uploads, not after
  /// them. Only if a write quorum took the previous run within `eager_upload_max`, and for runs of
  /// at most `eager_run_max` bytes: a run that takes long to arrive delays every run ordered behind
  /// it, and the saved round trip is small by comparison.
  bool eager_commit = true;
  Duration eager_upload_max = 50ms;
  std::uint32_t eager_run_max = 64u << 10;
  /// Client-observed commit (V2): replicas report durable runs to the client. An append ends when a
  /// write quorum has reported its run, or when the leader answers.
  bool observed_commit = false;
  /// How long after a run is committed the client keeps its bytes for a slow replica. Then the
  /// connection is closed, and the replica catches up from its peers.
  Duration upload_grace = 2s;
  /// How long an answer may take before another node is asked; for a read, in addition to its wait.
  /// For a distant node this and the other time-outs of answers are longer, by
  /// ClusterView::distance().
  Duration answer_timeout = 2s;
  /// How long a Commit may stay unanswered before it is repeated (spec/07).
  Duration commit_timeout = 5s;
  /// Pause before connecting again: it doubles from min to max, with jitter.
  Duration reconnect_min = 20ms;
  Duration reconnect_max = 1s;
  /// How long status() waits for a known sequencer before it reports the sequencer as unreachable.
  /// The wait is longer if finding the sequencers took longer.
  Duration status_timeout = 1s;
  /// false: if no node has ever answered and every address has failed, a question ends after
  /// `refused_patience` and not at its deadline. For interactive programs.
  bool wait_for_cluster = true;
  Duration refused_patience = 500ms;
  /// Whether opening a log dials its storage nodes and the leader at once, which saves a round trip
  /// of the first append or read.
  bool dial_on_open = false;
  /// A subscription that is silent for this long is compared with another replica (spec/06).
  Duration follow_silence = 3s;
  /// Bytes that a replica may push ahead of what the application consumed.
  std::uint32_t follow_credit = 4u << 20;
};

}  // namespace loglog::client

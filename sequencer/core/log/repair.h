// The only way of a replica into the order stream, at recovery and later alike (S4, S5): cut it
// where the term lists diverge, then copy up to a point from which the stream continues. Owned by
// Recovery. A contradiction between replicas is returned as the reason to halt the log.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"
#include "sequencer/core/log/base_choice.h"
#include "sequencer/core/log/commit_point.h"
#include "sequencer/core/log/log_host.h"
#include "sequencer/core/log/order_stream.h"
#include "sequencer/core/log/ordering.h"
#include "sequencer/core/log/replica_set.h"

namespace loglog::sequencer {

/// Why the log is halted; nullopt: no contradiction was found.
using Contradiction = std::optional<std::string>;

/// See the top of the file. All references given to the constructor must outlive it.
class Repair {
 public:
  Repair(const Options& options, LogHost& host, const LogInfo& info, Term term,
         ReplicaSet& replicas, const BaseChoice& base, const Ordering& ordering,
         const CommitPoint& commits)
      : options_(options),
        host_(host),
        info_(info),
        term_(term),
        replicas_(replicas),
        base_(base),
        ordering_(ordering),
        commits_(commits) {}

  /// Repairs the replica if its state is known and nothing is under way. `resting`: S7.
  Contradiction repair(Time now, Replica& r, bool resting);
  Contradiction repair_all(Time now, bool resting);
  /// P4: the log's turn to be copied to the node has come.
  Contradiction copy_now(Time now, NodeId node, bool resting);
  /// The peers may have trimmed bytes that a replica needs, which must then be re-based. Asks the
  /// streaming replicas for their first offsets. False: no replica can be asked.
  bool ask_where_peers_begin();
  /// K3: sends replicas without their first files back to GetState, so that they are re-based.
  void mend_fronts(Time now, bool resting);
  /// D4: records a reported chain, and compares it with the other replicas' chains there.
  Contradiction note_chain(NodeId from, Offset o, Chain c);

 private:
  TermHistory history() const;
  Contradiction judge_cut(const Replica& r, Offset cut) const;
  bool may_mend_front(const Replica& r, bool resting) const;
  std::vector<NodeId> holders(Offset o, NodeId except) const;
  bool is_far_behind(const Replica& r) const;
  bool pick_target(Replica& r, Offset cut, Reconcile& out, Contradiction& why);
  bool may_copy(Replica& r, const Reconcile& m);

  const Options& options_;
  LogHost& host_;
  const LogInfo& info_;
  Term term_;
  ReplicaSet& replicas_;
  const BaseChoice& base_;
  const Ordering& ordering_;
  const CommitPoint& commits_;
  ChainRecord chains_;
};

}  // namespace loglog::sequencer

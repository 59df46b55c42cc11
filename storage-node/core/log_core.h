// The state of one log that its parts (writer, orders, reader, repair) share. All on one ruler:
// first ≤ committed, durable ≤ written.
#pragma once
#include <algorithm>
#include <set>

#include "proto-spec/vocabulary/rules.h"
#include "storage-node/core/log_tail.h"
#include "storage-node/core/promise.h"
#include "storage-node/core/segment_map.h"

namespace loglog::storage {

struct LogCore {
  LogCore(Node& n, const PromiseKeeper& node_wide, LogId log)
      : node(n), node_promise(node_wide), id(log), own_promise(n, log) {}

  Node& node;
  const PromiseKeeper& node_promise;
  LogId id;
  PromiseKeeper own_promise;
  LogInfo info;
  RaftIndex set_version{};  ///< metadata version since which the replica set is this one (T2)
  bool made = false;        ///< MakeLog is durable
  bool dropped = false;     ///< tombstone (T5)
  bool data_loss = false;   ///< the log's own promise is unreadable (T4)
  bool suspect = false;     ///< K3, K4
  Offset hole_until{};  ///< while suspect: what was once durable here. The marks do not fall below
                        ///< it until it is copied again
  bool front_gone =
      false;  ///< K3: files in front are missing, and no trim explains it. Until all is copied anew
  bool dirty_tail = false;  ///< bytes past the tail must be cut before anything is written there
  SegmentMap segments;
  Tail durable;
  Tail written;
  std::vector<TermStart> terms;
  Offset committed{};         ///< D5, never moves back
  Offset leader_committed{};  ///< what the leader said in the matched term
  Offset trim_wanted{};
  std::multiset<Offset>
      held_files;  ///< on which the strand still has work: trimmed after that (retention.h)
  Term matched{};  ///< reconciled with this term's leader; counts only while it is the promise
  Errc no_space =
      Errc::ok;  ///< why space could not be reserved: uploads are refused while it is not ok (K5)
  ConnectionId leader{};  ///< where acknowledgements go

  const PromiseKeeper& promise() const {
    return own_promise.held().term > node_promise.held().term ? own_promise : node_promise;
  }
  bool is_matched() const {
    return matched != Term{} && (matched == promise().held().term || removed(Rule::T3_fence));
  }
  bool lost() const { return data_loss || node.data_loss; }
  Offset first_kept() const { return segments.empty() ? durable.end : segments.front(); }
  /// Files are missing in front, as far as this node knows the trim point: with old metadata it may
  /// be a trim that it has forgotten.
  bool misses_front() const {
    return !segments.empty() && segments.front() > trim_wanted && !removed(Rule::K3_front);
  }
  bool is_suspect() const { return suspect || front_gone; }
  /// Where the log begins for readers (R1, R3). Only a trim moves that: where files are gone, or
  /// while a cut leaves none, the log begins where it did, and another replica has the bytes.
  Offset first() const {
    const Offset here = std::max(first_kept(), std::min(trim_wanted, committed));
    return removed(Rule::K3_front) ? here : std::min(here, trim_wanted);
  }
  Offset readable_end() const {
    return removed(Rule::R1_committed) ? durable.end : std::min(committed, durable.end);
  }
  Offset told_committed() const { return is_matched() ? committed : first(); }
};

}  // namespace loglog::storage

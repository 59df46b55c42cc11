// The state of one log that its parts share: order queue, reader and repair.
// LogReplica owns it and applies the leader's commands to it; the parts change the fields that
// belong to them. Positions on one ruler (glossary): first <= committed, and durable <= written.
// The committed offset lies above the durable tail only while acknowledged bytes are missing: a
// hole is open, or the log is being copied anew.
#pragma once
#include <algorithm>

#include "storage-node/core/log_tail.h"
#include "storage-node/core/promise.h"
#include "storage-node/core/rules.h"
#include "storage-node/core/store/log_store.h"

namespace loglog::storage {

// Holds references to the node and to its promise; both must outlive the log.
struct LogCore {
  LogCore(Node& n, const PromiseKeeper& node_wide, LogId log)
      : node(n), node_promise(node_wide), id(log), own_promise(n, log), store(n, log) {}

  Node& node;
  const PromiseKeeper& node_promise;
  LogId id;
  PromiseKeeper own_promise;
  LogInfo info;
  /// Metadata version since which the log has its present replica set (T2).
  RaftIndex set_version{};
  /// The log's folder is durable: MakeLog has ended.
  bool made = false;
  /// The log's id stands in the tombstones (T5). Nothing is written any more.
  bool dropped = false;
  /// The log's own promise is unreadable (T4).
  bool data_loss = false;
  /// A hole lies in the log or at its tail (K3). Peers fill it by a reconcile (K4).
  bool suspect = false;
  /// While suspect: the offset up to which bytes were once durable here. The marks name at least
  /// this offset until the bytes are copied again.
  Offset hole_until{};
  /// Files in front are missing and no trim explains it (K3). Holds until the log is copied anew.
  bool front_gone = false;
  /// The log's bytes on this disk.
  LogStore store;
  /// The end of the frames that survive a power cut, and the state of the log there.
  Tail durable;
  /// The end of the frames that have been stamped and handed to the disk. Equal to `durable` if no
  /// group is in flight.
  Tail written;
  /// First frames of the terms in the log, ascending; the list that the leader compares (S4).
  std::vector<TermStart> terms;
  /// The committed offset as this node knows it. An advance stops at durable.end (D5); the offset
  /// never moves back.
  Offset committed{};
  /// The committed offset that the leader of the matched term named; it may lie above durable.end.
  Offset leader_committed{};
  /// The trim point that the metadata names (R3). Files wholly below it are unlinked as soon as
  /// they are committed and not held.
  Offset trim_wanted{};
  /// The term whose leader has reconciled this log (S5); 0: none. It counts only while it equals
  /// the promise: see is_matched().
  Term matched{};
  /// The connection over which the leader's commands come, and to which acknowledgements go.
  ConnectionId leader{};

  /// The promise that binds this log: the higher of its own and the node-wide promise (T3).
  const PromiseKeeper& promise() const {
    return own_promise.held().term > node_promise.held().term ? own_promise : node_promise;
  }
  /// True if the log is reconciled with the leader of the promised term. A new seal raises the
  /// promise and so ends it at once, before any acknowledgement of the older term can be sent (S1).
  bool is_matched() const {
    return matched != Term{} && rules::is_promised_term(matched, promise().held().term);
  }
  /// The node may neither acknowledge nor take uploads here (T4).
  bool lost() const { return data_loss || node.data_loss; }
  /// The first offset of the files that are here.
  Offset first_kept() const { return store.first_kept(); }
  /// True if files in front are missing as far as this node knows the trim point. With old metadata
  /// the cause may be a trim that the node has not heard of yet.
  bool misses_front() const {
    return !store.empty() && rules::misses_front(store.first_kept(), trim_wanted);
  }
  bool is_suspect() const { return suspect || front_gone; }
  /// What the next marks say beside the durable tail (K3).
  LogStore::Vouch vouch() const { return {committed, hole_until}; }
  /// Where the log begins for readers (R1, R3). Only a trim moves it. If files are missing, or a
  /// cut leaves no file, the log still begins at the trim point: another replica has the bytes.
  Offset first() const {
    const Offset here = std::max(first_kept(), std::min(trim_wanted, committed));
    return rules::first_for_readers(here, trim_wanted);
  }
  /// Readers see bytes below this offset: committed, and durable here.
  Offset readable_end() const { return rules::readable_end(committed, durable.end); }
  /// The offset that Uploaded names, on which the SDK relies for A3 (spec/05 step 3): an unmatched
  /// node does not know what is committed in the term, so it names its first offset.
  Offset told_committed() const { return is_matched() ? committed : first(); }
};

}  // namespace loglog::storage

// The picture of a log's term for people: status, status page, monitors. Made by LogTerm::view()
// when somebody asks; no rule reads it.
#pragma once
#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"
#include "proto-spec/wire/messages.h"
#include "sequencer/core/figures.h"
#include "sequencer/core/log/log_host.h"
#include "sequencer/core/log/replica_set.h"

namespace loglog::sequencer {

/// Valid until the term's next step. `serves`: requests are served without waiting for members.
/// `rests`: S7, all matched replicas hold the whole log.
struct LogView {
  const LogInfo& info;
  const ReplicaSet& replicas;
  const LogHost& host;
  Term term;
  Offset begins;
  Offset committed;  ///< as far as it is known
  Offset end;        ///< end of the ordered bytes
  bool serves;
  bool halted;
  bool rests;

  LogStatus status() const;
  LogSeen seen(Time now) const;
  LogReport report(Time now) const;
  /// Every replica takes uploads and orders, and none of them is far behind.
  bool is_well(Time now) const;
  /// Enough replicas take uploads and orders for an append to be acknowledged.
  bool takes_appends() const;
  /// The node has lost bytes of the log or found damage in it.
  bool doubts(NodeId node) const;

 private:
  ReplicaState state_of(const Replica& r) const;
  Offset shown(const Replica& r) const;
  ReplicaSeen seen(const Replica& r, Time now) const;
};

}  // namespace loglog::sequencer

// The storage node's functions that break a rule on purpose. Only the mutation build has them: the
// product declares them and calls them behind `if constexpr (mutations)`, once a simulation has
// removed the rule.
#include "proto-spec/wire/field_codec.h"
#include "storage-node/core/storage_machine.h"

namespace loglog::storage {

/// Breaks T5: creates a log that no Join has named.
LogReplica* StorageMachine::make_unasked(LogId log) {
  LogInfo info;
  info.id = log;
  for (const LogInfo& l : node_.metadata.logs)
    if (l.id == log) info = l;
  LogReplica* l = (logs_[log] = std::make_unique<LogReplica>(node_, promise_, log)).get();
  l->described(info, RaftIndex{});
  node_.disk(MakeLog{log, encode_record(info)}, {});
  l->state.made = true;
  return l;
}

}  // namespace loglog::storage

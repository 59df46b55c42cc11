// The storage node's functions that break a rule on purpose. Only the mutation build has them: the
// product declares them and calls them behind `if constexpr (mutations)`, once a simulation has
// removed the rule.
#include "proto-spec/wire/field_codec.h"
#include "storage-node/core/log_table.h"

namespace loglog::storage {

/// Breaks T5: creates a log that no Join has named.
LogReplica* LogTable::make_unasked(LogId log) {
  LogInfo info;
  info.id = log;
  for (const LogInfo& l : node_.metadata.logs)
    if (l.id == log) info = l;
  LogReplica& l = add(info);
  node_.disk(MakeLog{log, encode_record(info, node_.identity.record_version)}, {});
  l.state.made = true;
  return &l;
}

}  // namespace loglog::storage

// An answer to a client that is known but must not be told yet (F1, F2, R2). tail_rounds.h and
// commit_point.h keep such answers; the committed offset is put in when the answer is told.
#pragma once
#include <string>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/wire/messages.h"
#include "sequencer/core/log/producer_table.h"

namespace loglog::sequencer {

struct WaitingAnswer {
  Client client;
  Message answer;  ///< TailIs, ConditionFailed or FenceIs
  Offset until{};  ///< F1, F2: offset that must be committed first
  /// F1: the log's end when the run was judged; no later end is told
  Offset end_max = no_offset;
};

/// The answer with the committed offset of this moment. `now`: the log's extent at this moment.
Message told(WaitingAnswer& w, const TailIs& now);
/// The answer that ends the wait without a result. A conditional run that was not ordered is
/// committed again by its producer, with this leader or the next.
Message given_up(const WaitingAnswer& w, Errc why, const std::string& detail = {});

}  // namespace loglog::sequencer

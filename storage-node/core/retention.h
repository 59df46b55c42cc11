// Trim (R3): forgets bytes below the trim point that the metadata names. The trim point never moves
// back, and nothing at or above the committed offset goes. Called by LogReplica.
#pragma once
#include "storage-node/core/log_core.h"

namespace loglog::storage {

/// Notes the committed trim point and trims the store, up to the readable end at most. Returns true
/// if the log's first offset for readers has moved.
bool trim_log(LogCore& s, Offset point);

}  // namespace loglog::storage

// Trim (R3): never back, never past committed; whole files only.
#pragma once
#include "storage-node/core/log_core.h"

namespace loglog::storage {

/// Notes the committed trim point and unlinks the files that lie wholly below it and below the committed offset.
/// True when the log's first offset for readers moved.
bool trim_log(LogCore& s, Offset point);

}  // namespace loglog::storage

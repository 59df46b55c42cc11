// Trim (R3): never back, never past committed; whole files only.
#pragma once
#include "storage-node/core/log_core.h"

namespace loglog::storage {

/// Notes the committed trim point and unlinks the files that lie wholly below it and below the
/// committed offset. True when the log's first offset for readers moved.
bool trim_log(LogCore& s, Offset point);

/// Unlinking does not wait for the log's strand (beside_strand): what the strand is yet to do with
/// a file other than the open one is said here, and no trim takes the file, nor one above it,
/// before it is done.
void hold_file(LogCore& s, Offset file);
void release_file(LogCore& s, Offset file);

}  // namespace loglog::storage

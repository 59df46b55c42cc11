// Trim (R3): unlinks whole segment files below the trim point that the metadata names. The trim
// point never moves back, and no file at or above the committed offset goes. Called by LogReplica.
#pragma once
#include "storage-node/core/log_core.h"

namespace loglog::storage {

/// Notes the committed trim point and unlinks files that lie wholly below it and below the readable
/// end. Returns true if the log's first offset for readers has moved.
bool trim_log(LogCore& s, Offset point);

/// The driver unlinks files beside the log's strand (output.h), so an unlink may overtake an
/// operation that the strand still has for the same file. hold_file() announces that operation:
/// until release_file(), no trim takes the file or any file above it.
void hold_file(LogCore& s, Offset file);
void release_file(LogCore& s, Offset file);

}  // namespace loglog::storage

// The relations between the fields of a log that hold between any two steps. Checked in every
// build, release included; LogReplica calls it whenever the strand has settled.
#pragma once
#include "storage-node/core/log_core.h"

namespace loglog::storage {

// Ends the process with a message if a relation is broken.
void check_invariants(const LogCore& s);

}  // namespace loglog::storage

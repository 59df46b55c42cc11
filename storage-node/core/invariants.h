// What holds between any two steps of a log; checked in every build.
#pragma once
#include "storage-node/core/log_state.h"

namespace loglog::storage {

void check_invariants(const LogState& s);

}  // namespace loglog::storage

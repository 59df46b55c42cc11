// What holds between any two steps of a log; checked in every build.
#pragma once
#include "storage-node/core/log_core.h"

namespace loglog::storage {

void check_invariants(const LogCore& s);

}  // namespace loglog::storage

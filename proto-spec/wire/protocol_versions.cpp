// The protocol versions that a program speaks (W7). They are in a file of their own, so that a test
// can link the same programs again as those of the next version (tests/CMakeLists.txt,
// tests/integration/rolling_upgrade.py).
#include "proto-spec/wire/messages.h"

#ifndef LOGLOG_PROTOCOL_HIGHEST
#define LOGLOG_PROTOCOL_HIGHEST 2
#endif
#ifndef LOGLOG_PROTOCOL_LOWEST
// Version 1 had frames with payload checksums of 32 bits (decision 0030).
#define LOGLOG_PROTOCOL_LOWEST 2
#endif

namespace loglog {

const std::uint8_t protocol_lowest = LOGLOG_PROTOCOL_LOWEST;
const std::uint8_t protocol_highest = LOGLOG_PROTOCOL_HIGHEST;

static_assert(LOGLOG_PROTOCOL_LOWEST >= 1 && LOGLOG_PROTOCOL_LOWEST <= LOGLOG_PROTOCOL_HIGHEST &&
              LOGLOG_PROTOCOL_HIGHEST < 255);

}  // namespace loglog

// The protocol versions that a program speaks (W7), and the versions of records that it reads (T7).
// They are in a file of their own, so that tests can link the same programs again as programs of
// other versions (tests/CMakeLists.txt, tests/integration/rolling_upgrade.py, raised_cluster.py).
#include "proto-spec/wire/messages.h"

#ifndef LOGLOG_PROTOCOL_HIGHEST
#define LOGLOG_PROTOCOL_HIGHEST 2
#endif
#ifndef LOGLOG_PROTOCOL_LOWEST
// Version 1 had frames with payload checksums of 32 bits (decision 0030).
#define LOGLOG_PROTOCOL_LOWEST 2
#endif
#ifndef LOGLOG_RECORD_HIGHEST
#define LOGLOG_RECORD_HIGHEST 1
#endif

namespace loglog {

const std::uint8_t protocol_lowest = LOGLOG_PROTOCOL_LOWEST;
const std::uint8_t protocol_highest = LOGLOG_PROTOCOL_HIGHEST;
const std::uint8_t record_version_highest = LOGLOG_RECORD_HIGHEST;

static_assert(LOGLOG_PROTOCOL_LOWEST >= 1 && LOGLOG_PROTOCOL_LOWEST <= LOGLOG_PROTOCOL_HIGHEST &&
              LOGLOG_PROTOCOL_HIGHEST < 255);
static_assert(LOGLOG_RECORD_HIGHEST >= record_version_first && LOGLOG_RECORD_HIGHEST < 255);
// A program that reads a later record version says so in protocol version 4 (decision 0012).
static_assert(LOGLOG_RECORD_HIGHEST == record_version_first || LOGLOG_PROTOCOL_HIGHEST >= 4);

}  // namespace loglog

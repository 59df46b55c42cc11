// A TCP connection whose other end has fallen silent. The kernel alone would go on trying for a
// quarter of an hour, ever more rarely, and the connection would come to life only long after the
// network has: better an end soon, and a new connection.
#pragma once
#include "proto-spec/vocabulary/time.h"

namespace loglog::transport {

/// The socket ends with ETIMEDOUT once what was sent has not been acknowledged, or could not be
/// sent, for `silence`; where nothing is under way the other end is probed. At least 1 s. Nothing
/// on sockets that are not TCP.
void end_when_silent(int fd, Duration silence);

}  // namespace loglog::transport

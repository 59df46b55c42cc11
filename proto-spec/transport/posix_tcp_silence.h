// Ends a TCP connection whose other end has fallen silent (W6). The kernel alone would retry for a
// quarter of an hour at growing intervals, and the connection would come to life long after the
// network has. An early end and a new connection are better.
#pragma once
#include "proto-spec/vocabulary/time.h"

namespace loglog::transport {

/// The socket ends with ETIMEDOUT if sent bytes stay unacknowledged, or cannot be sent, for
/// `silence` (whole seconds, at least 1 s). If nothing is under way, keepalive probes test the
/// other end. Does nothing to sockets that are not TCP.
void end_when_silent(int fd, Duration silence);

}  // namespace loglog::transport

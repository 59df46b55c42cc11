// The values that every core and its driver exchange about connections, and the line for the log.
// No I/O and no session: a core includes this file through its output.h. A component's own values,
// such as its Connected, stand in that output.h.
#pragma once
#include <cstdint>
#include <string>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/result.h"
#include "proto-spec/wire/messages.h"

namespace loglog::net {

/// Effect: queue a message on a connection. The order of messages to a connection is kept; a
/// message to a connection that is gone is dropped.
struct Send {
  ConnectionId to;
  RequestId request;  ///< of the request that is answered, or that the answer will name; 0: none
  Message message;
};
/// Effect: close a connection. The core hears no more of it.
struct CloseConnection {
  ConnectionId connection;
  Error why;  ///< if not ok, the driver first sends it as Failed with request id 0
};
/// Effect: a line for the operator's log.
struct Event {
  enum class Level : std::uint8_t { debug, info, warning, alarm } level;
  std::string text;
};

/// Input: a message has come. Its payload is a handle on the receive block.
struct Arrived {
  ConnectionId from;
  RequestId request;
  Message message;
};

}  // namespace loglog::net

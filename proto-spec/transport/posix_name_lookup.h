// Looks up names without making anybody wait: a name server may be silent for longer than a process
// wants to live. Connections use it for each dial.
#pragma once
#include <netdb.h>
#include <sys/socket.h>

#include <functional>
#include <string>
#include <vector>

#include "proto-spec/transport/uv_loop.h"

namespace loglog::transport {

/// The result of a look-up; addresses in the resolver's order of preference, with the port set.
struct FoundAddresses {
  int error = 0;  ///< as getaddrinfo() returns it; 0: found
  std::vector<sockaddr_storage> addresses;
};

/// Calls `done` on the loop of `mailbox`, never from inside this call, and not at all once that
/// loop has ended. The look-up runs in a detached thread. Concurrent look-ups of the same name
/// share a thread. If lookups_max names are under way, the answer is EAI_AGAIN.
void look_up_name(const Loop::Mailbox::Ptr& mailbox, const std::string& host,
                  const std::string& port, std::function<void(const FoundAddresses&)> done);

}  // namespace loglog::transport

// Looks up names without anybody waiting for it: a name server may be silent for longer than a
// process wants to live.
#pragma once
#include <netdb.h>
#include <sys/socket.h>

#include <functional>
#include <string>
#include <vector>

#include "proto-spec/transport/uv_loop.h"

namespace loglog::transport {

struct FoundAddresses {
  int error = 0;  ///< of getaddrinfo()
  std::vector<sockaddr_storage> addresses;
};

/// Calls `done` on the loop of `mailbox`, never from inside this call; never at all once that loop
/// has ended. The look-up runs in a thread that nobody joins. Look-ups of one name share it,
/// however many ask; with lookups_max names under way the answer is EAI_AGAIN.
void look_up_name(const Loop::Mailbox::Ptr& mailbox, const std::string& host,
                  const std::string& port, std::function<void(const FoundAddresses&)> done);

}  // namespace loglog::transport

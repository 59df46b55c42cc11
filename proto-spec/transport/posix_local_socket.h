// Addresses "local:NAME": servers embedded in this process, reached without a port.
#pragma once
#include <optional>
#include <string>

namespace loglog::transport {

/// NAME of "local:NAME"; nullopt for any other address.
std::optional<std::string> local_name(const std::string& address);

/// A stream socket bound (not yet listening) that name; the process id is part of it, so names of two processes never meet. −errno when it
/// cannot be made.
int bind_local(const std::string& name);
/// A stream socket connected to it, or −errno at once: nothing on the way can take time.
int connect_local(const std::string& name);

}  // namespace loglog::transport

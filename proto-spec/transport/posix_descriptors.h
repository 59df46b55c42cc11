// How many descriptors the process may have.
#pragma once

namespace loglog::transport {

/// Raises the soft limit to the hard one, for a process that is a server and nothing else. The usual soft limit, 1024, is there for
/// programs that call select(); a server has a descriptor for each client and for each log in use. Where it fails, the process goes on with
/// what it has.
void take_all_descriptors();

}  // namespace loglog::transport

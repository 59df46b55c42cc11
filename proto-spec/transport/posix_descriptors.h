// How many descriptors the process may have.
#pragma once
#include <cstdint>

namespace loglog::transport {

/// Raises the soft limit to the hard one, for a process that is a server and nothing else. The
/// usual soft limit, 1024, is there for programs that call select(); a server has a descriptor for
/// each client and for each log in use. Where it fails, the process goes on with what it has.
void take_all_descriptors();
/// How many the process may have.
std::uint64_t descriptor_limit();
/// Another descriptor, above 2, of what `fd` names; -1 where there is none left.
int duplicate(int fd);
/// Does nothing to -1.
void close_descriptor(int fd);

}  // namespace loglog::transport

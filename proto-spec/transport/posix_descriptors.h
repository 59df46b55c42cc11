// Descriptor limits and a few descriptor calls. Servers raise their limit at start; a Listener
// duplicates its socket.
#pragma once
#include <cstdint>

namespace loglog::transport {

/// Raises the soft limit to the hard limit, for a process that is a server and nothing else. The
/// usual soft limit of 1024 exists for programs that call select(); a server has a descriptor for
/// each client and for each log in use. On failure the process goes on with the limit that it has.
void take_all_descriptors();
/// The soft limit of the process; 1024 if it cannot be read.
std::uint64_t descriptor_limit();
/// A second descriptor for the file of `fd`, above 2 and close-on-exec; -1 if there is none left.
int duplicate(int fd);
/// Closes `fd`; does nothing for -1.
void close_descriptor(int fd);

}  // namespace loglog::transport

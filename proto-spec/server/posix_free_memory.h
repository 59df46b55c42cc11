// Memory that was freed goes back to the system, so that what a server has in memory follows what
// it counts (spec/09-limits.md). The allocator keeps freed blocks between others: after a burst a
// node had hundreds of megabytes in memory and tens in use. Called by the host of a server that has
// its process for itself.
#pragma once
#include <cstdint>

namespace loglog::server {

/// Bytes in memory that nobody uses, above which they are given back.
inline constexpr std::uint64_t free_memory_max = 32u << 20;

/// Gives freed memory back if the process has more of it in memory than free_memory_max; costs
/// microseconds otherwise, and milliseconds for hundreds of megabytes. Returns whether it did.
/// Without glibc it does nothing. Any thread may call it.
bool give_back_free_memory();

}  // namespace loglog::server

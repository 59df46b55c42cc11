// Gives freed heap memory back to the system, so that a server's resident memory follows the
// figures that it counts (spec/09). The allocator keeps freed blocks that lie between others: after
// a burst a node had hundreds of megabytes resident and tens in use. Only a Host that has the
// process for itself calls it.
#pragma once
#include <cstdint>

namespace loglog::server {

/// Resident heap bytes that nobody uses; above this amount they are given back.
inline constexpr std::uint64_t free_memory_max = 32u << 20;

/// Resident heap bytes that were freed and not given back yet. It may be more than this figure:
/// blocks in use whose pages were never touched hide as much. 0 without glibc. Callable from any
/// thread.
std::uint64_t free_memory();

/// Memory that was free at each of so many looks in a row is needed no more. It is given back if it
/// is this much more than the free memory that the system did not take after an earlier row: blocks
/// in use may lie on the same pages.
inline constexpr int idle_looks = 30;
inline constexpr std::uint64_t idle_memory_max = 1u << 20;

/// Gives memory back in two cases: more than free_memory_max of it is free and resident now, or
/// some of it was free all the time, as after a burst. Not thread-safe.
class FreeMemoryWatch {
 public:
  /// To be called in even intervals. Returns true if it gave memory back. A call costs
  /// microseconds; giving back hundreds of megabytes costs milliseconds. Does nothing without
  /// glibc.
  bool look();

 private:
  int looks_ = 0;
  /// The least free memory of these looks.
  std::uint64_t least_ = ~std::uint64_t{0};
  /// Free memory that the system did not take after such a row, as far as it was free since.
  std::uint64_t stayed_ = 0;
};

}  // namespace loglog::server

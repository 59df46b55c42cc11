// Assertions that stay on in release builds. A bug stops the process, because continuing would
// break a promise. Failures of the environment and of input are values (result.h), never checks.
#pragma once
#include <source_location>
#include <string_view>

namespace loglog {

/// Prints `what` and its source location to stderr and aborts. Callable from any thread.
[[noreturn]] void bug(std::string_view what,
                      std::source_location where = std::source_location::current());

/// Asserts an invariant of the program. `what` states the invariant as a sentence that should be
/// true.
inline void check(bool holds, std::string_view what,
                  std::source_location where = std::source_location::current()) {
  if (!holds) [[unlikely]]
    bug(what, where);
}

}  // namespace loglog

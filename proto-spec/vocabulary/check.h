// A bug stops the process, in release builds too: continuing would break a promise.
#pragma once
#include <source_location>
#include <string_view>

namespace loglog {

/// Prints `what` with its place and aborts.
[[noreturn]] void bug(std::string_view what,
                      std::source_location where = std::source_location::current());

/// An invariant of the program (never a condition of the environment or of input).
inline void check(bool holds, std::string_view what,
                  std::source_location where = std::source_location::current()) {
  if (!holds) [[unlikely]]
    bug(what, where);
}

}  // namespace loglog

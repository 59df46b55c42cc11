// The only way to stderr for everything but tests. A line that cannot be written is dropped and
// counted: a full disk, a pipe whose reader has gone or does not read, or a closed descriptor is no
// reason to end, to throw or to wait.
#pragma once
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace loglog::console {

/// Longest text that is written in one piece, bytes: what a pipe takes as a whole or not at all.
inline constexpr std::size_t error_piece_max = 4096;

/// Writes `text`. Waits for a slow reader for at most `patience`, then drops the rest and counts
/// it. The next text that can be written comes after a line that says how many were dropped. From
/// any thread.
void write_error(std::string_view text, std::chrono::milliseconds patience = {}) noexcept;

/// Of a command that people run: a pager may take a while to read.
inline constexpr std::chrono::milliseconds command_patience{5000};
template <class... T>
void print_error(fmt::format_string<T...> format, T&&... values) {
  write_error(fmt::format(format, std::forward<T>(values)...), command_patience);
}

/// Texts dropped since the process began.
std::uint64_t errors_dropped() noexcept;

/// Gives descriptors 0, 1 and 2 to /dev/null where they are closed, so that no socket or file gets
/// one of them. They are opened the wrong way round: reading 0 and writing 1 or 2 goes on failing,
/// as it would on a closed descriptor.
void occupy_standard_descriptors() noexcept;

}  // namespace loglog::console

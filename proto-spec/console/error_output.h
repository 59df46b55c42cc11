// The only way to stderr for all code but tests. A line that cannot be written is dropped and
// counted. A full disk, a pipe without a reader or with a stuck reader, or a closed descriptor is
// no reason to end, to throw or to wait.
#pragma once
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace loglog::console {

/// Longest text written in a single piece, bytes: PIPE_BUF, which a pipe takes as a whole or not at
/// all.
inline constexpr std::size_t error_piece_max = 4096;

/// Writes `text`. Waits at most `patience` for a slow reader, then drops the rest and counts the
/// text as dropped. The next text that can be written follows a line with the number of dropped
/// texts. From any thread. errno is kept.
void write_error(std::string_view text, std::chrono::milliseconds patience = {}) noexcept;

/// For commands that people run: a pager may take a while to read.
inline constexpr std::chrono::milliseconds command_patience{5000};
/// Formats and writes an error of a command, with command_patience.
template <class... T>
void print_error(fmt::format_string<T...> format, T&&... values) {
  write_error(fmt::format(format, std::forward<T>(values)...), command_patience);
}

/// Texts dropped since the process began; a metric.
std::uint64_t errors_dropped() noexcept;

/// Opens /dev/null at descriptors 0, 1 and 2 if they are closed, so that no socket or file gets
/// their numbers. The direction is reversed on purpose: reading 0 and writing 1 or 2 goes on
/// failing, as on a closed descriptor.
void occupy_standard_descriptors() noexcept;

}  // namespace loglog::console

// Standard output of the commands. If output is lost, the command fails, because a script must not
// take a part for the whole. Nothing here throws. Standard error is
// proto-spec/console/error_output.h.
#pragma once
#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace loglog::cli {

/// Writes to standard output, which is buffered. An error is kept for output_failed() and
/// finish_output(). From any thread.
void write_out(std::string_view text);
template <class... T>
void put(fmt::format_string<T...> format, T&&... arguments) {
  write_out(fmt::format(format, std::forward<T>(arguments)...));
}
/// Writes the buffered output. May block while the reader of a pipe is slow.
void flush_out();
/// Whether standard output has lost bytes. A command without an end of its own must then end.
bool output_failed();

/// Flushes the output as the last act of a command. Returns `code`; if output was lost, it prints
/// the reason and returns exit_failed instead of 0.
int finish_output(int code);

}  // namespace loglog::cli

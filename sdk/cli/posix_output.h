// Standard output of the commands. A byte that is lost is an error of the command; nothing here
// throws, whatever the descriptor is. Standard error is proto-spec/console/error_output.h.
#pragma once
#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace loglog::cli {

/// To standard output, which is buffered. A failure is kept for output_failed() and
/// finish_output(). From any thread.
void write_out(std::string_view text);
template <class... T>
void put(fmt::format_string<T...> format, T&&... arguments) {
  write_out(fmt::format(format, std::forward<T>(arguments)...));
}
void flush_out();
/// Whether standard output has lost something: a command that runs on and on ends then.
bool output_failed();

/// Last of all: writes what is buffered. The exit code: `code`, or exit_failed after a sentence
/// where output was lost.
int finish_output(int code);

}  // namespace loglog::cli

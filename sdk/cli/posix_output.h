// Standard output and standard error of the commands. A byte of standard output that is lost is an error of the command; a line
// of standard error that is lost is not. Nothing here throws, whatever the descriptors are.
#pragma once
#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace loglog::cli {

/// To standard output, which is buffered. A failure is kept for output_failed() and finish_output(). From any thread.
void write_out(std::string_view text);
template <class... T>
void put(fmt::format_string<T...> format, T&&... arguments) {
  write_out(fmt::format(format, std::forward<T>(arguments)...));
}
void flush_out();
/// Whether standard output has lost something: a command that runs on and on ends then.
bool output_failed();

/// To standard error; dropped where it cannot be written.
void write_error(std::string_view text);
template <class... T>
void put_error(fmt::format_string<T...> format, T&&... arguments) {
  write_error(fmt::format(format, std::forward<T>(arguments)...));
}

/// First of all: descriptors 0 to 2 that are closed become /dev/null, so that no file or socket of the process takes their place. Using
/// standard input and output still fails.
void take_standard_descriptors();
/// Last of all: writes what is buffered. The exit code: `code`, or exit_failed after a sentence where output was lost.
int finish_output(int code);

}  // namespace loglog::cli

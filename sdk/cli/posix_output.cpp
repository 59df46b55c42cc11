// Only the first error is kept: it names the cause, later errors are consequences.
#include "sdk/cli/posix_output.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "proto-spec/console/error_output.h"
#include "sdk/cli/cli.h"

namespace loglog::cli {
namespace {

std::atomic<int> first_error = 0;  // of standard output; an errno

void note_error() {
  int none = 0;
  first_error.compare_exchange_strong(none, errno != 0 ? errno : EIO);
}

}  // namespace

void write_out(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) < text.size()) note_error();
}
void flush_out() {
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) note_error();
}
bool output_failed() { return first_error != 0; }

int finish_output(int code) {
  flush_out();
  if (!output_failed()) return code;
  console::print_error(
      "loglog: standard output cannot be written: {}; not all of the output is there\n",
      std::strerror(first_error));
  return code == 0 ? exit_failed : code;
}

}  // namespace loglog::cli

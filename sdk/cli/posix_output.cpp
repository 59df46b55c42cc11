#include "sdk/cli/posix_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

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

void write_error(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

void take_standard_descriptors() {
  for (const int d : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(d, F_GETFD) != -1 || errno != EBADF) continue;
    // The wrong way round for standard input and output, so that use of them is an error as before. open() takes the lowest number.
    static_cast<void>(::open("/dev/null", d == STDOUT_FILENO ? O_RDONLY : O_WRONLY));
  }
}

int finish_output(int code) {
  flush_out();
  if (!output_failed()) return code;
  put_error("loglog: standard output cannot be written: {}; not all of the output is there\n", std::strerror(first_error));
  return code == 0 ? exit_failed : code;
}

}  // namespace loglog::cli

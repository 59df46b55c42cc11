// Thin wrappers, so that the libuv files need no POSIX headers of their own.
#include "proto-spec/transport/posix_descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace loglog::transport {

void take_all_descriptors() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

int duplicate(int fd) { return ::fcntl(fd, F_DUPFD_CLOEXEC, 3); }

void close_descriptor(int fd) {
  if (fd >= 0) ::close(fd);
}

std::uint64_t descriptor_limit() {
  rlimit files{};
  return ::getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : 1024;
}

}  // namespace loglog::transport

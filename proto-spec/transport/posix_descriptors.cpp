#include "proto-spec/transport/posix_descriptors.h"

#include <sys/resource.h>

namespace loglog::transport {

void take_all_descriptors() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace loglog::transport

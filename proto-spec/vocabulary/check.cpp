// The abort path behind check(). It uses stdio and not the event log, because the state of any
// other object may be broken.
#include "proto-spec/vocabulary/check.h"

#include <cstdio>
#include <cstdlib>

namespace loglog {

void bug(std::string_view what, std::source_location where) {
  std::fprintf(stderr, "loglog: bug: %.*s (%s:%u); please report it with this line\n",
               static_cast<int>(what.size()), what.data(), where.file_name(), where.line());
  std::abort();
}

}  // namespace loglog

// A longer name would be refused, so it is cut. A failure costs a name only and is ignored.
#include "sdk/io/posix_thread_name.h"

#include <pthread.h>

namespace loglog::client {

void name_this_thread(const std::string& name) {
  constexpr std::size_t bytes_max = 15;
  if (!name.empty()) ::pthread_setname_np(::pthread_self(), name.substr(0, bytes_max).c_str());
}

}  // namespace loglog::client

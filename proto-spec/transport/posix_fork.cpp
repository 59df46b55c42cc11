// A counter that an atfork handler increments in each child; getpid() would cost a system call for
// each check.
#include "proto-spec/transport/posix_fork.h"

#include <pthread.h>

#include <atomic>

namespace loglog::transport {
namespace {

/// How many forks lie between this process and its ancestor that registered the handler.
std::atomic<unsigned> forks = 0;

unsigned count_forks() {
  [[maybe_unused]] static const int registered =
      pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
  return forks.load(std::memory_order_relaxed);
}

}  // namespace

ProcessMark::ProcessMark() : made_(count_forks()) {}
bool ProcessMark::inherited() const { return forks.load(std::memory_order_relaxed) != made_; }

}  // namespace loglog::transport

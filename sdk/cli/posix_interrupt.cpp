// A signal handler may only set a flag and write to a descriptor. The rest happens in a thread that
// waits for that descriptor.
#include "sdk/cli/posix_interrupt.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <mutex>
#include <thread>
#include <vector>

#include "proto-spec/transport/posix_signals.h"

namespace loglog::cli {
namespace {

volatile std::sig_atomic_t stop_wanted = 0;
int wake = -1;  // an eventfd, which the handler writes to

struct Watched {
  std::mutex mutex;
  std::vector<Client> clients;
};
Watched& watched() {
  static auto* const all = new Watched;  // never destroyed: the waiting thread outlives main()
  return *all;
}

void wait_for_signal(std::chrono::milliseconds grace) {
  std::uint64_t signals = 0;
  while (::read(wake, &signals, sizeof signals) != static_cast<ssize_t>(sizeof signals)) {
  }
  std::this_thread::sleep_for(grace);  // calls under way may end by themselves
  const std::lock_guard lock(watched().mutex);
  for (Client& c : watched().clients) c.close();
}

}  // namespace

bool interrupted() { return stop_wanted != 0; }

void watch_signals(std::chrono::milliseconds grace) {
  wake = ::eventfd(0, EFD_CLOEXEC);
  if (wake >= 0) {
    const transport::SignalsBlocked around_the_start;
    std::thread(wait_for_signal, grace).detach();
  }
  struct sigaction action{};
  action.sa_handler = [](int) {
    stop_wanted = 1;
    const std::uint64_t one = 1;
    if (wake >= 0) [[maybe_unused]]
      const ssize_t written = ::write(wake, &one, sizeof one);
  };
  // SA_RESETHAND: the second signal ends the process. No SA_RESTART: a wait for input ends.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (int s : {SIGINT, SIGTERM}) sigaction(s, &action, nullptr);
}

void end_when_interrupted(const Client& client) {
  if (wake < 0) return;
  const std::lock_guard lock(watched().mutex);
  watched().clients.push_back(client);
}

void forget_clients() {
  std::vector<Client> last;  // destroyed after the lock is released, since destruction blocks
  const std::lock_guard lock(watched().mutex);
  last.swap(watched().clients);
}

}  // namespace loglog::cli

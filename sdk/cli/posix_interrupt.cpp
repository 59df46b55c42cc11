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
int wake = -1;  // an eventfd: the handler may do no more than write to it

struct Watched {
  std::mutex mutex;
  std::vector<Client> clients;
};
Watched& watched() {
  static auto* const all = new Watched;  // the thread that waits for a signal outlives main()
  return *all;
}

void wait_for_signal(std::chrono::milliseconds grace) {
  std::uint64_t signals = 0;
  while (::read(wake, &signals, sizeof signals) != static_cast<ssize_t>(sizeof signals)) {
  }
  std::this_thread::sleep_for(grace);  // what is under way may end by itself
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
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second signal ends the process; without
                                                     // SA_RESTART: a wait for input ends
  for (int s : {SIGINT, SIGTERM}) sigaction(s, &action, nullptr);
}

void end_when_interrupted(const Client& client) {
  if (wake < 0) return;
  const std::lock_guard lock(watched().mutex);
  watched().clients.push_back(client);
}

void forget_clients() {
  std::vector<Client> last;
  const std::lock_guard lock(watched().mutex);
  last.swap(watched().clients);
}

}  // namespace loglog::cli

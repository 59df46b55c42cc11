// Integration: a follow by callback on an embedded cluster. After a stop, or after its Follower is
// gone, the callback is not running and does not run again, whatever thread stops it.
#include <fmt/format.h>
#include <loglog/embedded.h>

#include <atomic>
#include <memory>
#include <stop_token>
#include <thread>

#include "tests/support/in_process.h"

using namespace loglog;
using namespace loglog::testing;
using namespace std::chrono_literals;

namespace {

constexpr int entries = 200;

/// State that a callback uses, as an application's state machine would be.
struct Seen {
  std::atomic<int> count{0};
  std::atomic<bool> running{false};
  void operator()(const Entry&) {
    running = true;
    std::this_thread::sleep_for(1ms);  // stands for an application's work
    ++count;
    running = false;
  }
  void wait(int wanted) const {
    while (count < wanted) std::this_thread::yield();
  }
};

// The callback's state is destroyed after the Follower, so no call may be left.
void gone(Log& log, int after) {
  auto seen = std::make_unique<Seen>();
  {
    const auto following = log.follow(0, [s = seen.get()](const Entry& e) { (*s)(e); });
    seen->wait(after);
  }
  must(!seen->running, "a callback runs on after its Follower is gone");
  const int then = seen->count;
  std::this_thread::sleep_for(5ms);
  must(seen->count == then, "a callback runs again after its Follower is gone");
}

/// Stops the follow by its token or by stop().
void stopped(Log& log, bool by_token) {
  Seen seen;
  std::stop_source source;
  auto following = log.follow(0, [&seen](const Entry& e) { seen(e); }, source.get_token());
  seen.wait(1);
  if (by_token) source.request_stop();
  else following.stop();
  must(!seen.running, "a callback runs on after stop()");
  must(following.stopped() && !following.error(), "it is stopped, and nothing went wrong");
}

// The callback stops its own follow, and must not be called again.
void from_inside(Log& log) {
  std::atomic<int> count{0};
  std::stop_source source;
  const auto following = log.follow(
      0,
      [&](const Entry&) {
        if (++count == 3) source.request_stop();
      },
      source.get_token());
  while (!following.stopped()) std::this_thread::yield();
  std::this_thread::sleep_for(20ms);
  must(count == 3, fmt::format("called {} times, stopped at the third", count.load()));
}

}  // namespace

int main() {
  const Folder folder;
  auto cluster = EmbeddedCluster::start({.name = "callbacks", .data = folder.path, .storage = 3});
  must(cluster.has_value(), "a cluster");
  must(cluster->wait_ready(20s), "it serves");
  auto client = Client::connect({.addresses = {cluster->address()}});
  must(client.has_value(), "a client");
  auto log = client->create_log("events");
  must(log.has_value(), "a log");
  for (int i = 0; i < entries; ++i)
    must(static_cast<bool>(log->append(fmt::format("{}", i))), "an append");
  for (int i = 1; i <= 20; ++i) gone(*log, i);
  for (int i = 0; i < 20; ++i) stopped(*log, i % 2 == 0);
  from_inside(*log);
  fmt::print("follow_by_callback: ok\n");
}

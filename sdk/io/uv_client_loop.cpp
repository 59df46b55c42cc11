// A member may be destroyed by another thread as soon as remove() has run in its take_calls(), so
// nothing here touches a member after it has taken its calls.
#include "sdk/io/uv_client_loop.h"

#include <atomic>

#include "proto-spec/transport/posix_signals.h"
#include "sdk/io/posix_thread_name.h"

namespace loglog::client {
namespace {

/// The shared loop of a process. A child process makes a registry of its own, because another
/// thread of the parent may have held this registry's lock at the fork.
struct Registry {
  transport::ProcessMark process;
  std::mutex mutex;
  std::weak_ptr<ClientLoop> loop;
  Registry* of_the_parent = nullptr;  // reachable, but never used here
};
std::atomic<Registry*> newest_registry = nullptr;

Registry& registry() {
  Registry* known = newest_registry.load();
  while (known == nullptr || known->process.inherited()) {
    auto* fresh = new Registry;
    fresh->of_the_parent = known;
    if (newest_registry.compare_exchange_strong(known, fresh)) return *fresh;
    delete fresh;  // another thread of this process was first
  }
  return *known;
}

}  // namespace

ClientLoop::ClientLoop(std::string thread_name) {
  loop_.on_turn_end([this] { end_turn(); });
  // The thread inherits the blocked signals, so that the application's threads get them all.
  const transport::SignalsBlocked around_the_start;
  thread_ = std::thread([this, name = std::move(thread_name)] {
    name_this_thread(name.empty() ? "loglog-client" : name);
    loop_.run();
  });
}

ClientLoop::~ClientLoop() {
  loop_.stop();
  thread_.join();
}

std::shared_ptr<ClientLoop> ClientLoop::shared() {
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  std::shared_ptr<ClientLoop> loop = r.loop.lock();
  if (!loop) {
    loop = std::make_shared<ClientLoop>();
    r.loop = loop;
  }
  return loop;
}

void ClientLoop::call(Member& member) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(member.called_, true)) return;
    first = called_.empty();
    called_.push_back(&member);
  }
  // Later calls find the list non-empty and are taken by the same wake-up.
  if (first) loop_.post([this] { take_calls(); });
}

void ClientLoop::take_calls() {
  std::vector<Member*> called;
  {
    const std::lock_guard lock(mutex_);
    called.swap(called_);
    for (Member* m : called) m->called_ = false;
  }
  for (Member* m : called) {
    step(*m);
    m->take_calls();
  }
}

void ClientLoop::step(Member& member) {
  if (!std::exchange(member.stepped_, true)) stepped_.push_back(&member);
}

void ClientLoop::remove(Member& member) {
  {
    const std::lock_guard lock(mutex_);
    std::erase(called_, &member);
  }
  std::erase(stepped_, &member);
  wakes_.erase({member.wake_, &member});
}

void ClientLoop::wake() {
  const Time now = loop_.now();
  while (!wakes_.empty() && wakes_.begin()->first <= now) {
    Member& m = *wakes_.begin()->second;
    wakes_.erase(wakes_.begin());
    m.wake_ = never;
    step(m);
    m.tick();
  }
}

void ClientLoop::end_turn() {
  performing_.swap(stepped_);
  for (Member* m : performing_) {
    m->stepped_ = false;
    const Time before = m->wake_;
    const Time next = m->perform();
    if (next == before) continue;
    wakes_.erase({before, m});
    m->wake_ = next;
    if (next != never) wakes_.insert({next, m});
  }
  performing_.clear();
  loop_.set_wake(wakes_.empty() ? never : wakes_.begin()->first, [this] { wake(); });
}

}  // namespace loglog::client

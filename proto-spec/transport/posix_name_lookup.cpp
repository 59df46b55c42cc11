// getaddrinfo() cannot be cancelled, so its threads are detached and may outlive main(). They touch
// only the leaked table below and mailboxes, which may outlive their loops.
#include "proto-spec/transport/posix_name_lookup.h"

#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "proto-spec/transport/posix_signals.h"
#include "proto-spec/vocabulary/limits.h"

namespace loglog::transport {
namespace {

using Name = std::pair<std::string, std::string>;
// A caller that waits for a name.
struct Asker {
  Loop::Mailbox::Ptr mailbox;
  std::function<void(const FoundAddresses&)> done;
};
/// The callers of each name that is being looked up. Never destroyed: a thread may return from the
/// resolver after main() has returned.
struct UnderWay {
  std::mutex mutex;
  std::map<Name, std::vector<Asker>> names;
};
UnderWay& under_way() {
  static auto* const u = new UnderWay;
  return *u;
}

// Blocks for as long as the resolver likes; only the detached thread calls it.
FoundAddresses ask_resolver(const Name& name) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  FoundAddresses out{::getaddrinfo(name.first.c_str(), name.second.c_str(), &hints, &found), {}};
  if (out.error != 0) return out;
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next)
    std::memcpy(&out.addresses.emplace_back(), a->ai_addr, a->ai_addrlen);
  ::freeaddrinfo(found);
  return out;
}

// Posts the result to each caller's loop. Called without the lock.
void tell(std::vector<Asker> askers, const FoundAddresses& found) {
  for (Asker& a : askers) a.mailbox->post([done = std::move(a.done), found] { done(found); });
}

// The look-up's thread. Callers that came meanwhile have joined the list and get the same result.
void run(const Name& name) {
  const FoundAddresses found = ask_resolver(name);
  std::vector<Asker> askers;
  {
    const std::lock_guard lock(under_way().mutex);
    const auto here = under_way().names.find(name);
    askers = std::move(here->second);
    under_way().names.erase(here);
  }
  tell(std::move(askers), found);
}

// False if the system gives no thread; the callers then get EAI_AGAIN.
bool start_thread(const Name& name) {
  const SignalsBlocked around_the_start;
  try {
    std::thread([name] { run(name); }).detach();
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

}  // namespace

void look_up_name(const Loop::Mailbox::Ptr& mailbox, const std::string& host,
                  const std::string& port, std::function<void(const FoundAddresses&)> done) {
  const Name name{host, port};
  std::vector<Asker> refused;
  {
    const std::lock_guard lock(under_way().mutex);
    auto& names = under_way().names;
    const bool first = !names.contains(name);
    if (first && names.size() >= lookups_max) {
      refused.push_back({mailbox, std::move(done)});
    } else {
      names[name].push_back({mailbox, std::move(done)});
      if (first && !start_thread(name)) {
        refused = std::move(names[name]);
        names.erase(name);
      }
    }
  }
  tell(std::move(refused), {EAI_AGAIN, {}});
}

}  // namespace loglog::transport

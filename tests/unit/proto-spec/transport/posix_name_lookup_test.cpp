// Name look-ups never block a loop, not even if the name server is silent (spec/09 "names looked up
// at once").
// This program defines its own getaddrinfo(), which blocks for names that end in .silent.test.
#include "proto-spec/transport/posix_name_lookup.h"

#include <dlfcn.h>
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "proto-spec/transport/connection.h"

using namespace loglog;
using namespace loglog::transport;

namespace {

std::atomic<bool> answers = false;
std::atomic<int> asked = 0;

}  // namespace

// The linker prefers this definition by name. All other look-ups go on to the C library.
extern "C" int getaddrinfo(const char* host, const char* port, const addrinfo* hints,
                           addrinfo** found) {
  using Real = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Real>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  if (host == nullptr || !std::string_view(host).ends_with(".silent.test"))
    return real(host, port, hints, found);
  ++asked;
  while (!answers) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return EAI_AGAIN;
}

TEST_CASE(
    "transport: nobody waits for a name server that is silent, and a name is asked for once at a "
    "time (F05)") {
  answers = false;
  const auto begun = std::chrono::steady_clock::now();
  int closed = 0;
  const Hello own{hello_magic, protocol_lowest, protocol_highest, Role::client,    ClusterId{}, "c",
                  1,           BootId{7},       DiskId{},         message_body_max};
  {
    Loop loop;
    std::vector<Connection::Ptr> all;
    for (int i = 0; i < 10; ++i)
      all.push_back(Connection::dial(loop, "a.silent.test:1", own, {},
                                     {{}, {}, [&closed](const Error&) { ++closed; }}));
    loop.after(100ms, [&] { loop.stop(); });
    loop.run();
    for (const auto& c : all) c->close();
  }
  // Ten dials of a silent name share a single look-up, and closing them waits for nobody.
  CHECK(std::chrono::steady_clock::now() - begun < 2s);
  CHECK(asked == 1);
  CHECK(closed == 0);
  {
    // Another name is looked up while the silent look-up is under way.
    Loop loop;
    const auto c = Connection::dial(loop, "localhost:1", own, {}, {{}, {}, [&](const Error&) {
                                                                     ++closed;
                                                                     loop.stop();
                                                                   }});
    loop.after(10s, [&] { loop.stop(); });
    loop.run();
  }
  CHECK(closed == 1);
  {
    // More silent names than may be looked up at once: the dials beyond the bound fail.
    Loop loop;
    int refused = 0;
    std::vector<Connection::Ptr> all;
    for (std::size_t i = 0; i < lookups_max + 3; ++i)
      all.push_back(Connection::dial(loop, "b" + std::to_string(i) + ".silent.test:1", own, {},
                                     {{}, {}, [&](const Error& e) {
                                        ++refused;
                                        CHECK(e.code == Errc::connection_lost);
                                      }}));
    loop.after(200ms, [&] { loop.stop(); });
    loop.run();
    for (const auto& c : all) c->close();
    CHECK(refused == 4);  // the look-up of a.silent.test still takes a place
  }
  answers = true;
}

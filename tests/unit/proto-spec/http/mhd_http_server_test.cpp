// The HTTP server of the status pages, over real sockets on loopback: good requests, bad requests,
// too many requests, and requests that never end.
// The bounds are those of spec/09 "Pages over HTTP". NodeThread stands in for a node whose loop
// answers the pages.
#include "proto-spec/http/mhd_http_server.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "proto-spec/http/loop_gate.h"
#include "proto-spec/http/node_pages.h"
#include "proto-spec/transport/uv_loop.h"

using namespace loglog;
using namespace loglog::http;
using namespace std::chrono_literals;

namespace {

/// A blocking client socket. Reading gives up after 20 s, so that a server that never closes fails
/// the test instead of hanging it.
class Socket {
 public:
  explicit Socket(const std::string& address) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    const timeval patience{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void say(const std::string& bytes) const {
    REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  /// The same without a check: the server may have closed the connection.
  void try_to_say(const std::string& bytes) const {
    ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  /// Returns the bytes that arrive until the server closes.
  std::string hear() const {
    std::string all;
    char piece[4096];
    for (;;) {
      const ssize_t n = ::recv(fd_, piece, sizeof piece, 0);
      if (n > 0) all.append(piece, static_cast<std::size_t>(n));
      else if (n == 0 || errno != EINTR)
        return all;  // a signal of an io_uring ring may interrupt the call
    }
  }

 private:
  int fd_;
};

/// Sends a whole request on a fresh connection and returns the answer.
std::string ask(const std::string& address, const std::string& path,
                const std::string& verb = "GET") {
  const Socket s(address);
  s.say(verb + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  return s.hear();
}

/// Starts a server on a free port of loopback.
std::unique_ptr<Server> serve(Pages pages, ServerOptions options = {}) {
  auto server = Server::start("127.0.0.1", "0", std::move(pages), options);
  REQUIRE(server);
  return std::move(*server);
}

Pages hello() {
  return {{"/hello", [](const Request& r) -> Answer {
             const auto name = r.query.find("name");
             return {200, "hello " + (name == r.query.end() ? "you" : name->second)};
           }}};
}

/// A loop on its own thread and a gate to it, as a node has. stop() ends the loop; the gate then
/// answers every page with an error.
struct NodeThread {
  transport::Loop loop;
  LoopGate gate{[this](std::function<void()> work) { loop.post(std::move(work)); }, 200ms};
  std::thread thread{[this] {
    loop.run();
    gate.close();
  }};
  ~NodeThread() { stop(); }
  void stop() {
    loop.stop();
    if (thread.joinable()) thread.join();
  }
};

}  // namespace

TEST_CASE("http: a page, its query, and what is not there") {
  const auto server = serve(hello());
  const std::string found = ask(server->address(), "/hello?name=a%26b&x");
  CHECK(found.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(found.find("Content-Type: text/plain; charset=utf-8") != std::string::npos);
  CHECK(found.ends_with("\r\n\r\nhello a&b"));
  const std::string missing = ask(server->address(), "/other");
  CHECK(missing.starts_with("HTTP/1.1 404 "));
  CHECK(missing.find("/hello\n") != std::string::npos);
  const std::string head = ask(server->address(), "/hello", "HEAD");
  CHECK(head.starts_with("HTTP/1.1 200 "));
  CHECK(head.ends_with("\r\n\r\n"));
}

TEST_CASE("http: several requests on one connection") {
  const auto server = serve(hello());
  const Socket s(server->address());
  s.say(
      "GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /hello?name=two HTTP/1.1\r\nHost: "
      "x\r\nConnection: close\r\n\r\n");
  const std::string all = s.hear();
  CHECK(all.find("hello you") != std::string::npos);
  CHECK(all.ends_with("hello two"));
}

TEST_CASE(
    "http: other verbs, garbage and endless headers are refused, and the next one is served") {
  const auto server = serve(hello(), {.request_max_s = 1});
  for (const char* verb : {"POST", "PUT", "DELETE", "OPTIONS", "BREW"}) {
    const std::string answer = ask(server->address(), "/hello", verb);
    CHECK(answer.starts_with("HTTP/1.1 405 "));
    CHECK(answer.find("Allow: GET, HEAD") != std::string::npos);
  }
  // A body that no page wants: the answer does not wait for it.
  const Socket post(server->address());
  post.say("POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc");
  CHECK(post.hear().starts_with("HTTP/1.1 405 "));
  for (const std::string& garbage :
       {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + "\r\n\r\n",
        std::string("nonsense\r\n\r\n"), std::string("GET /hello HTTP/9.9\r\n\r\n"),
        std::string(200, '\0') + "\r\n\r\n"}) {
    const Socket s(server->address());
    s.say(garbage);
    CHECK_FALSE(s.hear().starts_with("HTTP/1.1 200"));
  }
  // Headers beyond the bound are refused before they end.
  const Socket s(server->address());
  s.say("GET /hello HTTP/1.1\r\nHost: x\r\nX: " + std::string(30'000, 'x'));
  const std::string refused = s.hear();
  CHECK((refused.starts_with("HTTP/1.1 431 ") || refused.starts_with("HTTP/1.1 413 ")));
  CHECK(ask(server->address(), "/hello").ends_with("hello you"));
}

TEST_CASE("http: connections that say nothing are bounded, and closed in time") {
  const auto server = serve(hello(), {.connections_max = 4, .request_max_s = 1});
  std::vector<std::unique_ptr<Socket>> silent;
  // Twelve silent connections meet a bound of four.
  for (int i = 0; i < 12; ++i) silent.push_back(std::make_unique<Socket>(server->address()));
  {
    const Socket one_more(server->address());
    CHECK(one_more.hear().empty());
  }
  for (const auto& s : silent) CHECK_FALSE(s->hear().starts_with("HTTP/1.1 200"));
  std::string answer;  // the server's threads end a moment after their connections
  for (int i = 0; i < 100 && answer.empty(); ++i, std::this_thread::sleep_for(20ms))
    answer = ask(server->address(), "/hello");
  CHECK(answer.ends_with("hello you"));
}

TEST_CASE("http: an address in use, and one that is none") {
  const auto server = serve(hello());
  const std::string port = server->address().substr(server->address().rfind(':') + 1);
  const auto second = Server::start("127.0.0.1", port, hello());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::address_in_use);
  CHECK(second.error().detail.find(port) != std::string::npos);
  const auto nowhere = Server::start("no.such.host.invalid", "1", hello());
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().code == Errc::bad_configuration);
}

TEST_CASE("http: health and readiness are the node's own") {
  NodeThread node;
  std::atomic<bool> ready = false;
  const auto server = serve(node_pages(node.gate, [&]() -> Readiness {
    if (ready) return "serves";
    return std::unexpected("waits for a leader");
  }));
  CHECK(ask(server->address(), "/healthz").ends_with("\r\n\r\nalive\n"));
  const std::string not_ready = ask(server->address(), "/readyz");
  CHECK(not_ready.starts_with("HTTP/1.1 503 "));
  CHECK(not_ready.ends_with("not ready: waits for a leader\n"));
  ready = true;
  CHECK(ask(server->address(), "/readyz").ends_with("\r\n\r\nready: serves\n"));
}

TEST_CASE(
    "http: a loop that is stuck is told to be so, and what it did not come to is not done later") {
  NodeThread node;
  std::atomic<int> runs = 0;
  const auto server = serve({{"/count", [&](const Request&) -> Answer {
                                const auto n = node.gate.ask([&runs] { return ++runs; });
                                return n ? Answer{200, std::to_string(*n)} : n.error();
                              }}});
  CHECK(ask(server->address(), "/count").ends_with("\r\n\r\n1"));
  // The node's loop is stuck: the gate gives up after 200 ms.
  std::atomic<bool> stuck = true;
  node.loop.post([&] {
    while (stuck) std::this_thread::yield();
  });
  const std::string late = ask(server->address(), "/count");
  CHECK(late.starts_with("HTTP/1.1 503 "));
  CHECK(late.ends_with("the loop did not answer within 200 ms\n"));
  // The abandoned question must not run later, so the count goes from 1 to 2.
  stuck = false;
  CHECK(ask(server->address(), "/count").ends_with("\r\n\r\n2"));
}

TEST_CASE("http: a node that stops answers whoever waits, and its server ends after them") {
  auto node = std::make_unique<NodeThread>();
  auto state = std::make_unique<int>(7);  // must not be touched after the node has ended
  auto server = serve({{"/state", [&](const Request&) -> Answer {
                          const auto n = node->gate.ask([&state] { return *state; });
                          return n ? Answer{200, std::to_string(*n)} : n.error();
                        }}});
  // Eight pages wait for a stuck loop while the node stops.
  std::atomic<bool> stuck = true;
  node->loop.post([&] {
    while (stuck) std::this_thread::yield();
  });
  std::vector<std::string> answers(8);
  std::vector<std::thread> asking;
  for (std::string& a : answers)
    asking.emplace_back([&a, where = server->address()] { a = ask(where, "/state"); });
  // Some pages wait by now and some may still come; both must be answered.
  std::this_thread::sleep_for(50ms);
  node->loop.stop();
  stuck = false;
  node->stop();
  state.reset();
  // A page that is asked for after the stop is answered by the closed gate.
  const std::string after = ask(server->address(), "/state");
  CHECK(after.starts_with("HTTP/1.1 503 "));
  CHECK(after.ends_with("the node is stopping\n"));
  for (std::thread& t : asking) t.join();
  for (const std::string& a : answers)
    CHECK((a.starts_with("HTTP/1.1 200 ") || a.starts_with("HTTP/1.1 503 ")));
  server.reset();
}

TEST_CASE("http: the server ends while a page is being made, and after it") {
  std::atomic<bool> begun = false, release = false;
  auto server = serve({{"/slow", [&](const Request&) -> Answer {
                          begun = true;
                          while (!release) std::this_thread::yield();
                          return {200, "late"};
                        }}});
  std::string answer;
  std::thread asking([&, where = server->address()] { answer = ask(where, "/slow"); });
  while (!begun) std::this_thread::yield();
  // The server ends while a page is being made; the destructor waits for the page.
  std::thread ending([&] { server.reset(); });
  release = true;
  ending.join();
  asking.join();
  CHECK((answer.empty() || answer.ends_with("late")));
}

TEST_CASE(
    "http: a request that comes byte by byte is cut off, though its connection is never silent "
    "(Z13)") {
  const auto server = serve(hello(), {.request_max_s = 1});
  const Socket slow(server->address());
  const auto begun = std::chrono::steady_clock::now();
  // A byte every 100 ms keeps the connection alive, but the request's time is 1 s.
  std::thread writer([&slow] {
    for (int i = 0; i < 30; ++i, std::this_thread::sleep_for(100ms)) slow.try_to_say("x");
  });
  CHECK(slow.hear().empty());
  CHECK(std::chrono::steady_clock::now() - begun < 2500ms);
  writer.join();
}

TEST_CASE("http: a connection that asks again and again is closed after an answer, in time (Z13)") {
  const auto server = serve(hello(), {.request_max_s = 1, .connection_max_s = 4});
  const Socket busy(server->address());
  const auto begun = std::chrono::steady_clock::now();
  // Complete requests for longer than the connection may last: the last answer says that it closes.
  std::thread writer([&busy] {
    for (int i = 0; i < 60; ++i, std::this_thread::sleep_for(100ms))
      busy.try_to_say("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  });
  const std::string all = busy.hear();
  const auto took = std::chrono::steady_clock::now() - begun;
  writer.join();
  CHECK(took < 5s);
  CHECK(took > 1s);
  CHECK(all.find("Connection: close") != std::string::npos);
  CHECK(all.ends_with("hello you"));
}

TEST_CASE(
    "http: however many pages stand open, a probe finds a place, and gives it back at once (Z13, "
    "F21)") {
  NodeThread node;
  Pages pages = node_pages(node.gate, [] { return Readiness("serves"); });
  pages["/hello"] = hello()["/hello"];
  const auto server = serve(std::move(pages), {.connections_max = 16, .connections_spare = 8});
  std::vector<std::unique_ptr<Socket>> open;
  for (int i = 0; i < 60; ++i) {
    open.push_back(std::make_unique<Socket>(server->address()));
    // The connection stays open after the answer, as a browser's does.
    open.back()->try_to_say("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    std::this_thread::sleep_for(10ms);
    if (i % 4 != 0) continue;
    // Only a few places are spare; the probe must find a place and free it at once.
    const Socket probe(server->address());
    probe.say("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");  // without Connection: close
    CHECK(probe.hear().ends_with("\r\n\r\nalive\n"));
  }
}

TEST_CASE(
    "http: a node with more than a thousand descriptors keeps its pages, and its probes are "
    "answered") {
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlimit before = limit;
  constexpr int above_select = 1100;
  // The system allows no process so many descriptors.
  if (limit.rlim_max < above_select + 100) return;
  limit.rlim_cur = std::max<rlim_t>(limit.rlim_cur, above_select + 100);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  {
    const auto server = serve(hello(), {.connections_max = 8});
    std::vector<int> taken;
    // Take descriptors until the next has a number that select() cannot handle.
    for (int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC); fd >= 0;
         fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
      taken.push_back(fd);
      if (fd >= above_select) break;
    }
    // More requests than places: each place must be given back.
    for (int i = 0; i < 12; ++i) CHECK(ask(server->address(), "/hello").ends_with("hello you"));
    CHECK(ask(serve(hello())->address(), "/hello").ends_with("hello you"));
    for (const int fd : taken) ::close(fd);
  }
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST_CASE("http: a request whose body never comes is cut off like a silent one (Z13)") {
  const auto server = serve(hello(), {.request_max_s = 1});
  const Socket waits(server->address());
  const auto begun = std::chrono::steady_clock::now();
  waits.say("GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
  CHECK(waits.hear().empty());
  CHECK(std::chrono::steady_clock::now() - begun < 2500ms);
}

// Fuzzes the HTTP server of the status pages on loopback, with sequences of requests: whole and
// half, pipelined, with absurd lengths, names and versions.
// Connections end at any point. Three promises are checked: the server never crashes, a page sees
// its own path alone, and a plain request at the end of the sequence is answered.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>

#include "proto-spec/http/mhd_http_server.h"
#include "tests/fuzz/sequence.h"

using namespace loglog;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t steps_max = 24;
constexpr auto patience = 5s;
constexpr auto glance = 2ms;

/// Repeats a system call that a signal interrupts: libFuzzer's timer sends a signal every few
/// seconds.
template <class Call>
auto uninterrupted(Call call) {
  for (;;)
    if (const auto result = call(); result >= 0 || errno != EINTR) return result;
}

/// A blocking TCP client of the server under test. Sending never waits, because the server may have
/// stopped reading.
class Connection {
 public:
  explicit Connection(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fuzz::require(fd_ >= 0, "there is no descriptor left");
    fuzz::require(uninterrupted([&] {
                    return ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to);
                  }) == 0,
                  "the server takes no connection");
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    // Reset on close, so that thousands of connections leave no port in TIME_WAIT.
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(fd_);
  }
  void say(const std::string& bytes) const {
    (void)::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  /// Returns the bytes that arrive until the server closes, `enough` has arrived, or `time` has
  /// passed.
  std::string hear(std::chrono::milliseconds time, const std::string& enough = {}) const {
    const auto until = std::chrono::steady_clock::now() + time;
    std::string all;
    std::array<char, 4096> part{};
    while (enough.empty() || all.find(enough) == std::string::npos) {
      pollfd p{fd_, POLLIN, 0};
      const int came = uninterrupted([&] {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        return ::poll(&p, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
      });
      const ssize_t n =
          came == 1 ? uninterrupted([&] { return ::recv(fd_, part.data(), part.size(), 0); }) : 0;
      if (n <= 0) break;
      all.append(part.data(), static_cast<std::size_t>(n));
    }
    return all;
  }

 private:
  int fd_;
};

/// Returns a request target: a well-known path, a very long path, or arbitrary bytes.
std::string word(fuzz::Input& in) {
  constexpr const char* words[] = {
      "/", "/metrics", "/healthz", "/%00", "/../../etc/passwd", "/metrics?a=b&a=c", "/?%zz=%",
      "*", "",         "//",       "?",    "http://x/metrics",  "/metrics#x",       "/%2e%2e/"};
  const std::size_t which = in.below(std::size(words) + 2);
  if (which == std::size(words)) return "/" + std::string(in.number(2), 'a');
  if (which > std::size(words)) {
    std::string raw;
    for (std::size_t n = in.below(32); n > 0; --n) raw += static_cast<char>(in.byte());
    return raw;
  }
  return words[which];
}

/// Returns a request that may be malformed in its method, target, version, headers or body.
std::string request(fuzz::Input& in) {
  constexpr const char* methods[] = {"GET",   "HEAD",    "POST", "PUT", "OPTIONS",
                                     "TRACE", "CONNECT", "",     "G"};
  constexpr const char* versions[] = {"HTTP/1.1", "HTTP/1.0", "HTTP/9.9",
                                      "HTTP/",    "",         "HTTP/1.1 x"};
  constexpr const char* headers[] = {"Host: x",
                                     "Content-Length: 5",
                                     "Content-Length: 18446744073709551615",
                                     "Content-Length: -1",
                                     "Transfer-Encoding: chunked",
                                     "Connection: close",
                                     "Connection: keep-alive",
                                     "Expect: 100-continue",
                                     "Range: bytes=0-18446744073709551615",
                                     "Cookie: a=b",
                                     ": x",
                                     "no colon",
                                     " folded"};
  std::string r = methods[in.below(std::size(methods))];
  r += " " + word(in) + " " + versions[in.below(std::size(versions))] + "\r\n";
  for (std::size_t n = in.below(6); n > 0; --n)
    r += std::string(headers[in.below(std::size(headers))]) + "\r\n";
  if (in.below(16) == 15) r += "X: " + std::string(in.number(2), 'h') + "\r\n";
  r += "\r\n";
  if (in.below(4) == 3) r += in.below(2) == 0 ? "FFFFFFFFFFFFFFFF\r\nx" : "5\r\nhello\r\n0\r\n\r\n";
  return r;
}

struct Running {
  std::unique_ptr<http::Server> server;
  std::uint16_t port = 0;
};

/// Starts the server once for all inputs of the process. Each page aborts if the server hands it
/// another path than its own.
Running& running() {
  static Running* r = [] {
    const auto own = [](std::string path) {
      return [path](const http::Request& q) {
        fuzz::require(q.path == path, "a page is asked for another path");
        std::string body = path + "\n";
        for (const auto& [name, value] : q.query) body += name + "=" + value + "\n";
        return http::Answer{200, std::move(body)};
      };
    };
    http::Pages pages{
        {"/", own("/")}, {"/metrics", own("/metrics")}, {"/healthz", own("/healthz")}};
    auto server = http::Server::start("127.0.0.1", "0", std::move(pages));
    fuzz::require(server.has_value(), "the server starts");
    auto* out = new Running{std::move(*server), 0};
    const std::string& address = out->server->address();
    out->port = static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
    return out;
  }();
  return *r;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const std::uint16_t port = running().port;
  auto connection = std::make_unique<Connection>(port);
  for (std::size_t step = 0; step < steps_max && !in.empty(); ++step) {
    switch (in.below(5)) {
      case 0:
        connection = std::make_unique<Connection>(port);
        break;
      case 1:
        (void)connection->hear(glance);
        break;
      case 2: {
        const std::string whole = request(in);
        connection->say(whole.substr(0, in.number(2) % (whole.size() + 1)));
        break;
      }
      default:
        connection->say(request(in));
    }
  }
  connection.reset();
  // After the sequence a plain request proves that the server still works.
  const Connection plain(port);
  plain.say("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer = plain.hear(patience, "\n/healthz\n");
  fuzz::require(answer.starts_with("HTTP/1.1 200"), "a plain request is not answered");
  return 0;
}

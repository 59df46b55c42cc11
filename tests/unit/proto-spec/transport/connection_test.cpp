// Connections between two event loops, over TCP on loopback and within the process ("local:"):
// delivery, refusals, time-outs and the bounds of spec/09 "Every connection".
// EchoServer and Server run on threads of their own; Socket is a raw peer that may misbehave.
#include "proto-spec/transport/connection.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "proto-spec/transport/listener.h"

using namespace loglog;
using namespace loglog::transport;

namespace {

Hello hello(Role role, std::string cluster = "c") {
  return {hello_magic, protocol_lowest, protocol_highest, role, ClusterId{}, std::move(cluster), 1,
          BootId{7},   DiskId{},        message_body_max};
}

// Answers each Ping with a Pong and every other message with itself. `closed` is the error with
// which the last connection ended.
class EchoServer {
 public:
  explicit EchoServer(const std::string& where) {
    auto l = Listener::listen(loop_, where, [this](const Stream::Ptr& in) {
      auto c = Connection::accept(loop_, in, hello(Role::storage), {});
      if (!c) return;
      auto* raw = c.get();
      c->set_callbacks({{},
                        [raw](RequestId id, Message&& m) {
                          if (std::holds_alternative<Ping>(m)) raw->send(id, Pong{});
                          else raw->send(id, m);
                        },
                        [this](const Error& e) { closed = e.code; }});
      kept_.push_back(std::move(c));
    });
    REQUIRE(l);
    listener_ = std::move(*l);
    thread_ = std::thread([this] {
      loop_.run();
      for (auto& c : kept_) c->close();
      listener_.reset();
    });
  }
  ~EchoServer() {
    loop_.stop();
    thread_.join();
  }
  const std::string& address() const { return listener_->address(); }
  std::atomic<Errc> closed = Errc::ok;

 private:
  Loop loop_;
  std::unique_ptr<Listener> listener_;
  std::vector<Connection::Ptr> kept_;
  std::thread thread_;
};

/// The events that a client saw: hello, messages, and the reason of the close.
struct Seen {
  bool hello = false;
  std::vector<Message> messages;
  Error closed;
};

/// Connects, sends `messages` after the hello, and returns after `answers` messages, the close, or
/// 10 s.
Seen talk(const std::string& address, Hello own, const std::vector<Message>& messages,
          std::size_t answers, Session::Expectation expected = {}) {
  Seen seen;
  Loop loop;
  Connection::Ptr c;
  c = Connection::dial(loop, address, std::move(own), std::move(expected),
                       {[&](const Hello&) {
                          seen.hello = true;
                          std::uint32_t id = 0;
                          for (const Message& m : messages) c->send(RequestId{++id}, m);
                        },
                        [&](RequestId, Message&& m) {
                          seen.messages.push_back(std::move(m));
                          if (seen.messages.size() < answers) return;
                          c->close();  // from inside a callback, which must be allowed
                          loop.stop();
                        },
                        [&](const Error& e) {
                          seen.closed = e;
                          loop.stop();
                        }});
  loop.after(10s, [&] { loop.stop(); });
  loop.run();
  c->close();
  return seen;
}

/// A message of `size` payload bytes with a recognisable content.
RunIs large(std::size_t size) {
  Bytes b = Bytes::allocate(size);
  for (std::size_t i = 0; i < size; ++i) b.mutable_data()[i] = static_cast<std::byte>(i * 31 >> 3);
  return {LogId{1}, {}, b};
}

/// True if this machine resolves localhost for the address family of `where`.
bool is_localhost(const std::string& where) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = where.front() == '[' ? AF_INET6 : AF_INET;
  if (::getaddrinfo("localhost", nullptr, &hints, &found) != 0) return false;
  ::freeaddrinfo(found);
  return true;
}

/// A plain socket on loopback without any protocol, for peers that misbehave.
class Socket {
 public:
  Socket() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) { REQUIRE(fd_ >= 0); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { ::close(fd_); }
  int fd() const { return fd_; }
  bool connect(std::uint16_t port) {
    const sockaddr_in a = loopback(port);
    return ::connect(fd_, reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0;
  }
  std::uint16_t listen(int backlog) {
    sockaddr_in a = loopback(0);
    socklen_t size = sizeof a;
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&a), size) == 0);
    REQUIRE(::listen(fd_, backlog) == 0);
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&a), &size) == 0);
    return ntohs(a.sin_port);
  }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
  }
  int fd_;
};

}  // namespace

TEST_CASE("transport: messages there and back, small ones and the largest") {
  for (const std::string where : {"127.0.0.1:0", "local:transport-test"}) {
    CAPTURE(where);
    EchoServer server(where);
    std::vector<Message> messages(100, Ping{});
    messages.push_back(large(run_size_max));
    messages.push_back(large(3));
    const Seen seen = talk(server.address(), hello(Role::storage), messages, messages.size());
    CHECK(seen.hello);
    REQUIRE(seen.messages.size() == messages.size());
    CHECK(std::holds_alternative<Pong>(seen.messages[99]));
    CHECK(seen.messages[100] == messages[100]);
    CHECK(seen.messages[101] == messages[101]);
  }
}

TEST_CASE("transport: each end tells the other's address, for people") {
  for (const std::string& where :
       {std::string("127.0.0.1:0"), std::string("[::1]:0"), std::string("local:peer-address")}) {
    EchoServer server(where);
    Loop loop;
    std::string peer;
    Connection::Ptr c;
    c = Connection::dial(loop, server.address(), hello(Role::client), {},
                         {[&](const Hello&) {
                            peer = c->peer_endpoint();
                            loop.stop();
                          },
                          [](RequestId, Message&&) {}, [&](const Error&) { loop.stop(); }});
    loop.run();
    CHECK(peer == (where.starts_with("local:") ? "this process" : server.address()));
    c->close();
  }
}

TEST_CASE("transport: a name is dialled at each of its addresses until one answers") {
  // If localhost is also ::1, a server of these two is at the second address.
  for (const std::string where : {"127.0.0.1:0", "[::1]:0"}) {
    CAPTURE(where);
    Loop loop;
    if (!Listener::listen(loop, where, {}) || !is_localhost(where))
      continue;  // this machine lacks the address or does not call it localhost
    EchoServer server(where);
    const std::string port = server.address().substr(server.address().rfind(':'));
    const Seen seen = talk("localhost" + port, hello(Role::client), {Ping{}}, 1);
    CHECK(seen.messages.size() == 1);
  }
  CHECK(talk("localhost:1", hello(Role::client), {}, 1).closed.code == Errc::connection_lost);
}

TEST_CASE("transport: a server listens on a name") {
  EchoServer server("localhost:0");
  CHECK(server.address().starts_with("localhost:"));
  CHECK(talk(server.address(), hello(Role::client), {Ping{}}, 1).messages.size() == 1);
}

TEST_CASE("transport: refusals say why to both sides") {
  EchoServer server("127.0.0.1:0");
  const Seen other = talk(server.address(), hello(Role::client, "another"), {}, 1);
  CHECK(other.closed.code == Errc::wrong_cluster);
  CHECK(other.closed.detail.find("another") != std::string::npos);
  const Seen role = talk(server.address(), hello(Role::client), {}, 1, {{Role::sequencer}, 0});
  CHECK(role.closed.code == Errc::wrong_role);
}

TEST_CASE("transport: nobody there, no address, address taken") {
  EchoServer server("local:taken");
  Loop loop;
  CHECK(Listener::listen(loop, "local:taken", {}).error().code == Errc::address_in_use);
  CHECK(Listener::listen(loop, "nonsense", {}).error().code == Errc::bad_configuration);
  CHECK(talk("local:nobody", hello(Role::client), {}, 1).closed.code == Errc::connection_lost);
  CHECK(talk("127.0.0.1:1", hello(Role::client), {}, 1).closed.code == Errc::connection_lost);
  CHECK(talk("nonsense", hello(Role::client), {}, 1).closed.code == Errc::bad_configuration);
}

TEST_CASE("transport: writing to a peer that has gone does not end the process") {
  // A write to a closed pipe raises SIGPIPE. libuv writes without MSG_NOSIGNAL, so the loop's
  // thread must not take the signal.
  Loop loop;
  int result = 0, error = 0;
  std::thread thread([&] { loop.run(); });
  loop.post([&] {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    ::close(ends[0]);
    result = static_cast<int>(::write(ends[1], "x", 1));
    error = errno;
    ::close(ends[1]);
    loop.stop();
  });
  thread.join();
  CHECK(result == -1);
  CHECK(error == EPIPE);
}

TEST_CASE("transport: a connection that does not come about is given up") {
  // The kernel drops connection requests to a listener whose queue is full, so the dial hears
  // nothing.
  Socket listener, first, second;
  const std::uint16_t port = listener.listen(0);
  REQUIRE(first.connect(port));
  ::fcntl(second.fd(), F_SETFL, O_NONBLOCK);
  second.connect(port);
  const Seen seen = talk("127.0.0.1:" + std::to_string(port), hello(Role::client), {}, 1);
  CHECK(!seen.hello);
  CHECK(seen.closed.code == Errc::connection_lost);
}

TEST_CASE("transport: a peer that takes nothing any more is given up") {
  // A peer that stops reading must be noticed within seconds. Otherwise a leader counts a node as
  // up whose connection waits for the kernel's next retransmission.
  EchoServer server("127.0.0.1:0");
  Socket silent;
  REQUIRE(silent.connect(static_cast<std::uint16_t>(
      std::stoi(server.address().substr(server.address().rfind(':') + 1)))));
  ::fcntl(silent.fd(), F_SETFL, O_NONBLOCK);
  std::string out;
  const auto add = [&out](const Encoded& e) { out.append(e.head.text()).append(e.tail.text()); };
  add(encode(RequestId{}, hello(Role::storage)));
  // 16 MiB of answers are more than the kernel buffers, and the peer reads none of them.
  for (std::uint32_t i = 1; i <= 16; ++i) add(encode(RequestId{i}, large(1u << 20)));
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(15);
  while (server.closed == Errc::ok && std::chrono::steady_clock::now() < until) {
    const ssize_t n = ::send(silent.fd(), out.data(), out.size(), MSG_NOSIGNAL);
    if (n > 0) out.erase(0, static_cast<std::size_t>(n));
    else
      // The next round looks again whether the server has given up.
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  CHECK(server.closed == Errc::connection_lost);
}

namespace {

std::uint16_t port_of(const std::string& address) {
  return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

void say(const Socket& s, RequestId request, const Message& m) {
  const Encoded e = encode(request, m);
  std::string out(e.head.text());
  out += e.tail.text();
  REQUIRE(::send(s.fd(), out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size()));
}

/// Returns the messages that arrive until the peer closes, 10 s pass in silence, or `most` have
/// arrived.
std::vector<Message> hear(const Socket& s, std::size_t most) {
  const timeval patience{10, 0};
  ::setsockopt(s.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::vector<Message> all;
  MessageDecoder d;
  while (all.size() < most) {
    const auto room = d.writable();
    const ssize_t n = ::recv(s.fd(), room.data(), room.size(), 0);
    if (n <= 0) break;
    d.filled(static_cast<std::size_t>(n));
    for (;;) {
      auto r = d.next();
      REQUIRE(r);
      if (!*r) break;
      all.push_back(std::move((*r)->message));
      if (std::holds_alternative<Hello>(all.back())) d.set_version(protocol_highest);
    }
  }
  return all;
}

/// A server that keeps its connections and runs a test's handler on its loop. The loop does not run
/// before run(), so that a test can prepare it. `descriptors` bounds the connections; `progress` is
/// the time that a message may take.
class Server {
 public:
  explicit Server(std::uint64_t descriptors,
                  std::function<void(Connection&, RequestId, Message&&)> on_message = {},
                  Duration progress = 30s)
      : admissions(std::make_shared<Admissions>(descriptors, progress)) {
    auto l = Listener::listen(loop, "127.0.0.1:0", [this, on_message](const Stream::Ptr& in) {
      auto c = Connection::accept(loop, in, hello(Role::storage), {}, admissions);
      if (!c) return;
      Connection* raw = c.get();
      c->set_callbacks({[this](const Hello&) { ++hellos; },
                        [raw, on_message](RequestId id, Message&& m) {
                          if (on_message) on_message(*raw, id, std::move(m));
                        },
                        {}});
      kept_.push_back(std::move(c));
    });
    REQUIRE(l);
    listener_ = std::move(*l);
    port = port_of(listener_->address());
  }
  void run() {
    thread_ = std::thread([this] {
      loop.run();
      for (auto& c : kept_) c->close();
      listener_.reset();
    });
  }
  ~Server() {
    if (!thread_.joinable()) run();
    loop.stop();
    thread_.join();
  }

  Loop loop;
  std::shared_ptr<Admissions> admissions;
  std::uint16_t port = 0;
  std::atomic<int> hellos = 0;

 private:
  std::unique_ptr<Listener> listener_;
  std::vector<Connection::Ptr> kept_;
  std::thread thread_;
};

}  // namespace

TEST_CASE(
    "transport: from a client that does not read nothing more is read, and all is answered once it "
    "reads (Z3)") {
  // Many small questions arrive together, and each has a large answer.
  constexpr std::size_t questions = 2000, answer = 64u << 10;
  std::uint64_t most = 0;
  Server* self = nullptr;
  std::atomic<std::size_t> taken = 0;
  Server server(1024, [&](Connection& c, RequestId id, Message&&) {
    c.send(id, RunIs{LogId{1}, {}, Bytes::allocate(answer)});
    most = std::max(most, self->loop.traffic().queued);
    ++taken;
  });
  self = &server;
  server.run();
  Socket s;
  REQUIRE(s.connect(server.port));
  say(s, RequestId{}, hello(Role::client));
  for (std::uint32_t i = 1; i <= questions; ++i) say(s, RequestId{i}, Ping{});
  // Wait until the server has stopped taking questions.
  std::size_t before = 0;
  do {
    before = taken;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  } while (taken == 0 || taken != before);
  // The queue's bound stopped the server's reads; reading the answers lets it go on until all are
  // answered.
  CHECK(taken < questions);
  CHECK(hear(s, questions + 1).size() == questions + 1);
  CHECK(taken == questions);
  CHECK(most <= connection_queue_max + answer + 1000);
}

TEST_CASE("transport: what has left is told, whole messages and their tails alone") {
  std::atomic<std::uint64_t> told = 0;
  Loop loop;
  EchoServer server("127.0.0.1:0");
  Connection::Ptr c;
  c = Connection::dial(loop, server.address(), hello(Role::storage), {},
                       {[&](const Hello&) {
                          c->send(RequestId{1}, Ping{});
                          c->send(RequestId{2}, large(1u << 20));
                          c->send(RequestId{3}, large(9u << 20));
                        },
                        [&](RequestId id, Message&&) {
                          if (id == RequestId{3}) loop.stop();
                        },
                        [&](const Error&) { loop.stop(); }, [&](std::uint64_t n) { told += n; }});
  loop.after(10s, [&] { loop.stop(); });
  loop.run();
  c->close();
  // Ping has no tail, so only the two large payloads count: 10 MiB.
  CHECK(told == 10u << 20);
}

TEST_CASE(
    "transport: clients leave descriptors for others: one too many is refused and told why (Z9)") {
  // 16 descriptors leave 8 for clients.
  Server server(16, [](Connection& c, RequestId id, Message&&) { c.send(id, Pong{}); });
  server.run();
  std::vector<std::unique_ptr<Socket>> clients;
  const auto join = [&](Role role) {
    clients.push_back(std::make_unique<Socket>());
    REQUIRE(clients.back()->connect(server.port));
    say(*clients.back(), RequestId{}, hello(role));
    // A refused client hears a hello and the refusal.
    return hear(*clients.back(), role == Role::client && clients.size() > 8 ? 2 : 1);
  };
  for (int i = 0; i < 8; ++i) CHECK(join(Role::client).size() == 1);
  const auto refused = join(Role::client);
  REQUIRE(refused.size() == 2);
  REQUIRE(std::holds_alternative<Failed>(refused[1]));
  CHECK(std::get<Failed>(refused[1]).error == Errc::too_many);
  CHECK(std::get<Failed>(refused[1]).detail.find("limit is 8") != std::string::npos);
  // Sequencers and storage nodes have a share of the descriptors to themselves.
  CHECK(join(Role::sequencer).size() == 1);
  // A client that leaves makes room; the peer that joined is no client.
  clients.front().reset();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(join(Role::storage).size() == 1);
  std::size_t standing = 0;
  server.loop.post([&] { standing = server.admissions->figures().clients; });
  const Seen seen =
      talk("127.0.0.1:" + std::to_string(server.port), hello(Role::client), {Ping{}}, 1);
  CHECK(seen.messages.size() == 1);
  CHECK(standing == 7);
}

TEST_CASE("transport: of connections that say no hello the oldest makes room (Z14)") {
  Server server(16);  // 1 in 8 descriptors: two connections without a hello
  server.run();
  Socket first, second, third;
  REQUIRE(first.connect(server.port));
  CHECK(hear(first, 1).size() == 1);
  REQUIRE(second.connect(server.port));
  CHECK(hear(second, 1).size() == 1);
  REQUIRE(third.connect(server.port));
  CHECK(hear(third, 1).size() == 1);
  // The third connection displaces the first, which is told why; the others are served.
  const auto told = hear(first, 2);
  REQUIRE(told.size() == 1);
  CHECK(std::get<Failed>(told[0]).error == Errc::too_many);
  say(second, RequestId{}, hello(Role::client));
  say(third, RequestId{}, hello(Role::client));
  for (int i = 0; i < 100 && server.hellos < 2; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(server.hellos == 2);
}

TEST_CASE("transport: a listener without descriptors waits for some, and does not spin (Z9)") {
  Server server(1024);
  Socket waiting;
  REQUIRE(waiting.connect(server.port));
  int turns = 0;
  server.loop.on_turn_end([&] { ++turns; });
  // Close libuv's reserve descriptor, as if another thread had taken its number.
  if (int& reserve = server.loop.raw()->emfile_fd; reserve >= 0) {
    ::close(reserve);
    reserve = -1;
  }
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 3;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  server.run();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  std::atomic<int> while_full = -1;
  server.loop.post([&] { while_full = turns; });
  for (int i = 0; i < 100 && while_full < 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(while_full >= 0);  // the loop still turns, so other work goes on
  CHECK(while_full < 50);
  // With descriptors again, the waiting connection is accepted.
  CHECK(hear(waiting, 1).size() == 1);
}

TEST_CASE("transport: a message that began must go on: slowly is enough, not at all is not (Z14)") {
  std::atomic<int> whole = 0;
  Server server(1024, [&whole](Connection&, RequestId, Message&&) { ++whole; }, 500ms);
  server.run();
  Socket stands, slow;
  for (Socket* s : {&stands, &slow}) {
    REQUIRE(s->connect(server.port));
    say(*s, RequestId{}, hello(Role::storage));
  }
  const Encoded e = encode(RequestId{1}, large(20'000));
  REQUIRE(::send(stands.fd(), e.head.data(), e.head.size(), MSG_NOSIGNAL) > 0);
  REQUIRE(::send(slow.fd(), e.head.data(), e.head.size(), MSG_NOSIGNAL) > 0);
  // 20 kB in 2 s is slow but above the required rate
  for (std::size_t at = 0; at < e.tail.size(); at += 1000) {
    REQUIRE(::send(slow.fd(), e.tail.data() + at, 1000, MSG_NOSIGNAL) == 1000);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  for (int i = 0; i < 100 && whole == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(whole == 1);
  // The connection whose message stands still is closed with a reason.
  const auto told = hear(stands, 3);
  REQUIRE(told.size() == 2);
  CHECK(std::holds_alternative<Failed>(told[1]));
}

namespace {

/// The bytes of messages in receipt, read on the server's loop.
std::uint64_t receiving(Server& server) {
  std::atomic<std::int64_t> bytes = -1;
  server.loop.post([&] { bytes = static_cast<std::int64_t>(server.loop.traffic().receiving); });
  for (int i = 0; i < 500 && bytes < 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  REQUIRE(bytes >= 0);
  return static_cast<std::uint64_t>(bytes);
}

/// A large message that a client may send.
Upload large_upload(std::size_t size) { return {LogId{1}, {}, large(size).frames}; }

}  // namespace

TEST_CASE("transport: a connection that is silent holds no receive block") {
  std::atomic<int> whole = 0;
  Server server(1024, [&whole](Connection&, RequestId, Message&&) { ++whole; });
  server.run();
  std::vector<std::unique_ptr<Socket>> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(std::make_unique<Socket>());
    REQUIRE(clients.back()->connect(server.port));
    say(*clients.back(), RequestId{}, hello(Role::client));
    for (std::uint32_t k = 1; k <= 3; ++k) say(*clients.back(), RequestId{k}, Ping{});
  }
  for (int i = 0; i < 500 && whole < 150; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(whole == 150);
  // 150 whole messages later no receive block is held; a message in part holds a block until the
  // connection ends.
  CHECK(receiving(server) == 0);
  const Encoded part = encode(RequestId{1}, large_upload(1u << 20));
  REQUIRE(::send(clients[0]->fd(), part.head.data(), part.head.size(), MSG_NOSIGNAL) > 0);
  for (int i = 0; i < 500 && receiving(server) == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(receiving(server) > 0);
  clients.clear();
  for (int i = 0; i < 500 && receiving(server) > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(receiving(server) == 0);
}

TEST_CASE(
    "transport: messages that clients have begun take 64 MiB in all; whose message stands still "
    "makes room (Z14)") {
  std::atomic<int> whole = 0;
  Server server(1024, [&whole](Connection&, RequestId, Message&&) { ++whole; });
  server.run();
  const Encoded e = encode(RequestId{1}, large_upload(15u << 20));
  std::string bytes(e.head.text());
  bytes += e.tail.text();
  std::vector<std::unique_ptr<Socket>> standing;
  std::vector<std::thread> senders;
  for (int i = 0; i < 12; ++i) {
    standing.push_back(std::make_unique<Socket>());
    REQUIRE(standing.back()->connect(server.port));
    say(*standing.back(), RequestId{}, hello(Role::client));
    senders.emplace_back([fd = standing.back()->fd(), &bytes] {
      // Send everything but the last byte. The server may close the connection meanwhile.
      for (std::size_t at = 0; at + 1 < bytes.size();) {
        const ssize_t n = ::send(fd, bytes.data() + at, bytes.size() - 1 - at, MSG_NOSIGNAL);
        if (n <= 0) return;
        at += static_cast<std::size_t>(n);
      }
    });
  }
  // Twelve clients want 180 MiB; the bound is 64 MiB and the hello's space for each client.
  std::uint64_t most = 0;
  for (int i = 0; i < 50; ++i) {
    most = std::max(most, receiving(server));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(most >= 2 * bytes.size());
  CHECK(most <= receiving_bytes_max + standing.size() * (hello_size_max + block_overhead));
  // A small message finds room at once; a large message finds room when the stalled messages have
  // been closed.
  Socket small, large_one;
  REQUIRE(small.connect(server.port));
  say(small, RequestId{}, hello(Role::client));
  say(small, RequestId{1}, Ping{});
  for (int i = 0; i < 100 && whole == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(whole == 1);
  REQUIRE(large_one.connect(server.port));
  say(large_one, RequestId{}, hello(Role::client));
  say(large_one, RequestId{1}, large_upload(15u << 20));
  for (int i = 0; i < 1500 && whole < 2; ++i) {
    most = std::max(most, receiving(server));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(whole == 2);
  CHECK(most <= receiving_bytes_max + 14 * (hello_size_max + block_overhead));
  for (const auto& s : standing) ::shutdown(s->fd(), SHUT_RDWR);
  for (std::thread& t : senders) t.join();
}

TEST_CASE(
    "transport: clients whose messages go on wait for one another, and all of them come (Z14)") {
  std::atomic<int> whole = 0;
  Server server(1024, [&whole](Connection&, RequestId, Message&&) { ++whole; });
  server.run();
  constexpr int clients = 16;  // about four find room at a time
  std::vector<std::unique_ptr<Socket>> sockets;
  std::vector<std::thread> senders;
  for (int i = 0; i < clients; ++i) {
    sockets.push_back(std::make_unique<Socket>());
    REQUIRE(sockets.back()->connect(server.port));
    senders.emplace_back([s = sockets.back().get()] {
      say(*s, RequestId{}, hello(Role::client));
      for (std::uint32_t k = 1; k <= 2; ++k) say(*s, RequestId{k}, large_upload(15u << 20));
    });
  }
  for (std::thread& t : senders) t.join();
  for (int i = 0; i < 1000 && whole < 2 * clients; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(whole == 2 * clients);
}

TEST_CASE("transport: a server to which 256 MiB are queued is given up (peer_queue_max)") {
  const RunIs run = large(run_size_max);  // sent many times, stored once
  std::atomic<Errc> closed = Errc::ok;
  std::uint64_t most = 0;
  Loop loop;
  Connection::Ptr kept;
  auto server = Listener::listen(loop, "127.0.0.1:0", [&](const Stream::Ptr& in) {
    kept = Connection::accept(loop, in, hello(Role::storage), {});
    kept->set_callbacks({[&](const Hello&) {
                           for (int i = 0; i < 20; ++i) kept->send(RequestId{1}, run);
                           most = loop.traffic().queued;
                         },
                         {},
                         [&](const Error& e) {
                           closed = e.code;
                           loop.stop();
                         }});
  });
  REQUIRE(server);
  Socket peer;
  REQUIRE(peer.connect(port_of((*server)->address())));
  say(peer, RequestId{}, hello(Role::sequencer));
  loop.after(4s, [&] { loop.stop(); });  // before the silence itself closes the connection
  loop.run();
  // The bytes queued to a server pass the bound, so the connection is closed and the queue freed.
  CHECK(closed == Errc::connection_lost);
  CHECK(most > peer_queue_max);
  CHECK(loop.traffic().queued == 0);
  kept->close();
}

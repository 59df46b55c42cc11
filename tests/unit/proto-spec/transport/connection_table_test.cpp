// A driver's connections by their ids, between two tables on the same loop: which events reach the
// owner, in which state of the table, and which never come.
#include "proto-spec/transport/connection_table.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <utility>

using namespace loglog;
using namespace loglog::transport;

namespace {

Hello hello(Role role, std::string cluster = "c") {
  return {hello_magic, protocol_lowest, protocol_highest, role, ClusterId{}, std::move(cluster), 1,
          BootId{7},   DiskId{},        message_body_max};
}

/// Records the events of its table as a line each, and runs `on_each` after each event.
class Owner : public ConnectionOwner {
 public:
  explicit Owner(Loop& loop) : table(loop, *this) {}
  void on_connected(const Link& link, const Hello& peer) override {
    last = link.id;
    seen += std::string(name_of(peer.role)) + " connected, dialled " + std::to_string(link.dialled);
    call();
  }
  void on_message(ConnectionId from, RequestId request, Message&& m) override {
    last = from;
    seen += std::string(loglog::name_of(type_of(m))) + " " + std::to_string(request.value);
    call();
  }
  void on_disconnected(const Link& link, const Error& why) override {
    seen += std::string(link.connected ? "disconnected" : "not connected") + ", dialled " +
            std::to_string(link.dialled) + ": " + std::string(loglog::name_of(why.code));
    table.send(link.id, RequestId{9}, Ping{});  // the table has forgotten it
    CHECK(table.close(link.id) == 0);
    call();
  }
  void on_written(ConnectionId, std::uint64_t tails) override { written += tails; }

  ConnectionTable table;
  ConnectionId last{};
  std::string seen;
  std::uint64_t written = 0;
  std::function<void()> on_each = [] {};

 private:
  void call() {
    seen += "\n";
    on_each();
  }
};

/// A table that listens and a table that dials.
struct Two {
  Loop loop;
  Owner server{loop}, client{loop};
  std::string cluster = "c";
  std::function<bool()> done;

  explicit Two(const std::string& where) {
    loop.on_turn_end([this] {
      if (done && done()) loop.stop();
    });
    REQUIRE(server.table.listen(where, [this] { return hello(Role::storage, cluster); }));
  }
  ~Two() {
    server.table.close_all();
    client.table.close_all();
  }
  ConnectionId dial(std::uint32_t dialled) {
    const ConnectionId id = client.table.next_id();
    client.table.dial(id, server.table.address(), hello(Role::client), {{Role::storage}, 0},
                      dialled);
    return id;
  }
  /// Runs the loop until the condition holds at the end of a turn, for 10 s at most.
  void until(std::function<bool()> condition) {
    const Time late = loop.now() + 10s;
    loop.after(10s, [] {});  // wakes the loop
    done = [this, late, condition = std::move(condition)] {
      return condition() || loop.now() >= late;
    };
    loop.run();
    CHECK(loop.now() < late);
    done = {};
  }
  void a_while() {
    const Time over = loop.now() + 30ms;
    loop.after(31ms, [] {});
    until([this, over] { return loop.now() >= over; });
  }
};

constexpr const char* places[] = {"127.0.0.1:0", "local:table-test"};

}  // namespace

TEST_CASE("table: hello, messages and the end reach both owners, with their own numbers") {
  for (const char* where : places) {
    CAPTURE(where);
    Two t(where);
    const ConnectionId id = t.dial(5);
    t.until([&] { return !t.client.seen.empty() && !t.server.seen.empty(); });
    CHECK(t.client.seen == "storage node connected, dialled 5\n");
    CHECK(t.client.last == id);
    CHECK(t.server.seen == "client connected, dialled 0\n");
    t.client.seen = t.server.seen = {};
    t.client.table.send(id, RequestId{3}, Upload{LogId{1}, {}, Bytes::allocate(1000)});
    t.until([&] { return !t.server.seen.empty(); });
    CHECK(t.server.seen == "Upload 3\n");
    CHECK(t.client.written == 1000);
    t.server.table.send(t.server.last, RequestId{3}, Pong{});
    t.until([&] { return !t.client.seen.empty(); });
    CHECK(t.client.seen == "Pong 3\n");
    t.server.seen = {};
    CHECK(t.client.table.close(id) == 5);
    CHECK(t.client.table.close(id) == 0);
    t.until([&] { return !t.server.seen.empty(); });
    CHECK(t.server.seen == "disconnected, dialled 0: connection_lost\n");
  }
}

TEST_CASE("table: a reason goes to the other side, and its own owner hears nothing") {
  for (const char* where : places) {
    CAPTURE(where);
    Two t(where);
    t.dial(2);
    t.until([&] { return !t.client.seen.empty() && !t.server.seen.empty(); });
    t.client.seen = t.server.seen = {};
    CHECK(t.server.table.close(t.server.last, {Errc::too_many, "enough"}) == 0);
    t.until([&] { return !t.client.seen.empty(); });
    t.a_while();
    CHECK(t.client.seen == "disconnected, dialled 2: too_many\n");
    CHECK(t.server.seen.empty());
  }
}

TEST_CASE("table: a dial that fails was never connected") {
  Two t("127.0.0.1:0");
  t.client.table.dial(t.client.table.next_id(), "127.0.0.1:1", hello(Role::client), {}, 7);
  t.until([&] { return !t.client.seen.empty(); });
  CHECK(t.client.seen == "not connected, dialled 7: connection_lost\n");
  // The hello is asked for at each connection: a node may learn of its cluster meanwhile.
  t.cluster = "another";
  t.client.seen = {};
  t.dial(8);
  t.until([&] { return !t.client.seen.empty() && !t.server.seen.empty(); });
  CHECK(t.client.seen == "not connected, dialled 8: wrong_cluster\n");
  CHECK(t.server.seen == "not connected, dialled 0: wrong_cluster\n");
}

TEST_CASE("table: the owner may close in each event, and nothing follows") {
  for (const char* where : places) {
    CAPTURE(where);
    Two t(where);
    t.server.on_each = [&] { t.server.table.close(t.server.last); };
    const ConnectionId id = t.dial(1);
    t.client.on_each = [&] {
      if (t.client.last == id) t.client.table.send(id, RequestId{1}, Ping{});
    };
    t.until([&] { return t.client.seen.find("disconnected") != std::string::npos; });
    t.a_while();
    CHECK(t.server.seen == "client connected, dialled 0\n");
    // In a message, with a further message behind it.
    t.client.on_each = [] {};
    t.server.on_each = [&] {
      if (t.server.seen.ends_with("Ping 1\n")) t.server.table.close(t.server.last);
    };
    t.client.seen = t.server.seen = {};
    const ConnectionId second = t.dial(1);
    t.until([&] { return !t.client.seen.empty(); });
    t.client.table.send(second, RequestId{1}, Ping{});
    t.client.table.send(second, RequestId{2}, Ping{});
    t.until([&] { return t.client.seen.find("disconnected") != std::string::npos; });
    t.a_while();
    CHECK(t.server.seen == "client connected, dialled 0\nPing 1\n");
  }
}

TEST_CASE("table: close_all() ends all connections; without a listener the others stay") {
  for (const char* where : places) {
    CAPTURE(where);
    Two t(where);
    t.dial(1);
    t.dial(2);
    const auto connected = [&] {
      return std::count(t.server.seen.begin(), t.server.seen.end(), '\n') == 2;
    };
    t.until(connected);
    if (std::string_view(where).starts_with("127")) {
      CHECK(t.server.table.admissions().clients == 2);
      CHECK(t.client.table.admissions().clients == 0);
    }
    const std::string address = t.server.table.address();
    t.server.table.stop_listening();
    t.server.seen = {};
    t.client.table.dial(t.client.table.next_id(), address, hello(Role::client), {}, 3);
    t.until([&] { return t.client.seen.find("not connected") != std::string::npos; });
    CHECK(t.server.seen.empty());
    t.client.seen = {};
    t.client.table.close_all();
    t.until(connected);
    CHECK(t.client.seen.empty());
  }
}

TEST_CASE("table: a core's output is sent whole, and outgrown when its answers are large") {
  Two t("127.0.0.1:0");
  const ConnectionId id = t.dial(1);
  t.until([&] { return !t.client.seen.empty() && !t.server.seen.empty(); });
  t.client.seen = t.server.seen = {};
  const Upload half{LogId{1}, {}, Bytes::allocate(turn_output_max / 2)};
  std::vector<net::Send> sends{{id, RequestId{1}, half}};
  CHECK_FALSE(t.client.table.outgrown(sends));
  CHECK_FALSE(t.client.table.outgrown(sends));  // counted once
  sends.push_back({id, RequestId{2}, half});
  sends.push_back({ConnectionId{999}, RequestId{3}, Ping{}});  // gone
  CHECK(t.client.table.outgrown(sends));
  t.client.table.send(sends);
  sends.clear();
  CHECK_FALSE(t.client.table.outgrown(sends));  // the next turn begins anew
  t.until([&] { return t.server.seen.ends_with("2\n"); });
  CHECK(t.server.seen == "Upload 1\nUpload 2\n");
}

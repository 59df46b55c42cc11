// Every kind of stream keeps the contract of stream.h. The same cases run over TCP, over a pipe of
// this process, and over a stream of the test that stands on another stream, as TLS would. Both
// ends share a loop, which a test runs until a condition holds.
#include "proto-spec/transport/stream.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "proto-spec/transport/connection.h"
#include "proto-spec/transport/listener.h"

using namespace loglog;
using namespace loglog::transport;

namespace {

/// Inverts every byte on its way through an inner stream. It receives into a block of its own and
/// passes the bytes on into the receiver's place, as far as the receiver has one.
class InvertedStream : public Stream,
                       public StreamReceiver,
                       public std::enable_shared_from_this<InvertedStream> {
 public:
  explicit InvertedStream(Loop& loop, Ptr inner) : loop_(loop), inner_(std::move(inner)) {}

  void open(std::shared_ptr<StreamReceiver> receiver) override {
    receiver_ = std::move(receiver);
    inner_->open(shared_from_this());
  }
  void start_reading() override {
    reading_ = true;
    inner_->start_reading();
    if (from_ < to_) loop_.post([s = shared_from_this()] { s->pass_on(); });
  }
  void stop_reading() override {
    reading_ = false;
    inner_->stop_reading();
  }
  void write(std::vector<Encoded>& messages) override {
    std::vector<Encoded> inverted;
    for (const Encoded& m : std::exchange(messages, {}))
      inverted.push_back({inverse(m.head), inverse(m.tail)});
    inner_->write(inverted);
  }
  void close() override {
    reading_ = false;
    inner_->close();
    const auto last = std::exchange(receiver_, nullptr);
  }
  bool in_process() const override { return inner_->in_process(); }
  std::string peer_endpoint() const override { return inner_->peer_endpoint(); }
  std::string peer_address() const override { return inner_->peer_address(); }

  void on_open() override { kept()->on_open(); }
  std::span<std::byte> receive_block() override {
    if (from_ < to_) return {};
    from_ = to_ = 0;
    return block_;
  }
  void on_received(std::size_t n) override {
    to_ = n;
    pass_on();
  }
  void on_no_room() override { inner_->stop_reading(); }
  void on_written(std::size_t bytes, std::uint64_t tails) override {
    kept()->on_written(bytes, tails);
  }
  void on_end() override { kept()->on_end(); }
  void on_failed(const Error& why) override { kept()->on_failed(why); }

 private:
  static Bytes inverse(const Bytes& b) {
    Bytes out = Bytes::copy_of(b.span());
    for (std::size_t i = 0; i < out.size(); ++i) out.mutable_data()[i] = ~out.data()[i];
    return out;
  }
  std::shared_ptr<StreamReceiver> kept() const { return receiver_; }
  void pass_on() {
    const auto to = kept();
    while (reading_ && from_ < to_) {
      const auto room = to->receive_block();
      if (room.empty()) return to->on_no_room();
      const std::size_t n = std::min(room.size(), to_ - from_);
      for (std::size_t i = 0; i < n; ++i) room[i] = ~block_[from_ + i];
      from_ += n;
      to->on_received(n);
    }
    if (reading_) inner_->start_reading();
  }

  Loop& loop_;
  Ptr inner_;
  std::shared_ptr<StreamReceiver> receiver_;
  bool reading_ = false;
  std::vector<std::byte> block_ = std::vector<std::byte>(1000);
  std::size_t from_ = 0, to_ = 0;  // bytes of block_ that are not passed on yet
};

/// Records the calls of a stream. `on_each` runs after each call, and may close the stream.
struct Seen : StreamReceiver {
  bool opened = false, ended = false, inside = false;
  std::string bytes;
  std::size_t block = 7;  // size of each place; 0: there is no room
  int no_rooms = 0, calls = 0;
  std::size_t written = 0;
  std::uint64_t tails = 0;
  std::optional<Error> failed;
  std::vector<std::byte> place;
  std::function<void()> on_each = [] {};
  Stream* stream = nullptr;

  void call() {
    ++calls;
    on_each();
  }
  void on_open() override {
    opened = true;
    call();
  }
  std::span<std::byte> receive_block() override {
    place.resize(block);
    return place;
  }
  void on_received(std::size_t n) override {
    bytes.append(reinterpret_cast<const char*>(place.data()), n);
    if (n > 0) call();
  }
  void on_no_room() override {
    ++no_rooms;
    stream->stop_reading();
    call();
  }
  void on_written(std::size_t n, std::uint64_t t) override {
    written += n;
    tails += t;
    call();
  }
  void on_end() override {
    ended = true;
    call();
  }
  void on_failed(const Error& why) override {
    failed = why;
    call();
  }
};

/// A kind of stream: where a server listens, and whether both ends invert.
struct Kind {
  const char* where;
  bool inverted = false;
};
constexpr Kind kinds[] = {{"127.0.0.1:0"}, {"local:stream-test"}, {"127.0.0.1:0", true}};

/// Both ends of a stream, opened, on the same loop.
struct Both {
  Loop loop;
  Kind kind;
  std::function<bool()> done;
  std::unique_ptr<Listener> listener;
  std::shared_ptr<Seen> a = std::make_shared<Seen>(), b = std::make_shared<Seen>();
  Stream::Ptr dialled, accepted;

  explicit Both(Kind k) : kind(k) {
    CAPTURE(kind.where);
    loop.on_turn_end([this] {
      if (done && done()) loop.stop();
    });
    auto l = Listener::listen(loop, kind.where, [this](const Stream::Ptr& s) {
      accepted = wrapped(s);
      b->stream = accepted.get();
      accepted->open(b);
      CHECK(b->opened);  // an accepted stream stands already
    });
    REQUIRE(l);
    listener = std::move(*l);
    dialled = wrapped(dial_stream(loop, listener->address()));
    a->stream = dialled.get();
    dialled->open(a);
    CHECK_FALSE(a->opened);  // a dialled stream calls later
    until([this] { return a->opened && accepted != nullptr; });
  }
  ~Both() {
    dialled->close();
    if (accepted) accepted->close();
  }
  Stream::Ptr wrapped(const Stream::Ptr& s) {
    if (!kind.inverted) return s;
    return std::make_shared<InvertedStream>(loop, s);
  }
  /// Runs the loop until the condition holds at the end of a turn, for 10 s at most.
  void until(std::function<bool()> condition) {
    done = std::move(condition);
    bool late = false;
    const auto guard = std::make_shared<bool>(true);
    loop.after(10s, [this, &late, weak = std::weak_ptr(guard)] {
      if (!weak.lock()) return;
      late = true;
      loop.stop();
    });
    loop.run();
    done = {};
    CHECK_FALSE(late);
  }
  /// Some turns of the loop, in which something that must not come would come.
  void a_while() {
    bool over = false;
    loop.after(30ms, [&over] { over = true; });
    until([&over] { return over; });
  }
};

std::vector<Encoded> words(std::initializer_list<std::pair<const char*, const char*>> all) {
  std::vector<Encoded> out;
  for (const auto& [head, tail] : all) out.push_back({Bytes::copy_of(head), Bytes::copy_of(tail)});
  return out;
}

void say(const Stream::Ptr& s, std::vector<Encoded> messages) {
  s->write(messages);
  CHECK(messages.empty());
}

}  // namespace

TEST_CASE("stream: heads and tails come in order, at the places that the receiver gives") {
  for (const Kind k : kinds) {
    Both ends(k);
    ends.accepted->start_reading();
    say(ends.dialled, words({{"the first head, ", "its tail, "}, {"a head, ", ""}}));
    say(ends.dialled, words({{"and the end", "."}}));
    ends.until([&] { return ends.b->bytes.ends_with("."); });
    CHECK(ends.b->bytes == "the first head, its tail, a head, and the end.");
    CHECK(ends.a->written == ends.b->bytes.size());
    CHECK(ends.a->tails == 11);
    // The other direction is a stream of its own.
    ends.dialled->start_reading();
    say(ends.accepted, words({{"an answer", ""}}));
    ends.until([&] { return ends.a->bytes == "an answer"; });
  }
}

TEST_CASE("stream: more than the way holds leaves piece by piece, and is told as it leaves") {
  for (const Kind k : kinds) {
    Both ends(k);
    ends.b->block = 1u << 20;
    const std::string large(16u << 20, 'x');
    say(ends.dialled, words({{"head", large.c_str()}}));
    say(ends.dialled, words({{"end", ""}}));
    if (!ends.dialled->in_process()) CHECK(ends.a->written < large.size());
    ends.accepted->start_reading();
    ends.until([&] { return ends.b->bytes.size() == large.size() + 7; });
    CHECK(ends.b->bytes.ends_with("xend"));
    ends.until([&] { return ends.a->written == large.size() + 7; });
    CHECK(ends.a->tails == large.size());
  }
}

TEST_CASE("stream: a receiver that stops in the middle of a message gets the rest later") {
  for (const Kind k : kinds) {
    Both ends(k);
    ends.b->on_each = [&] { ends.accepted->stop_reading(); };
    ends.accepted->start_reading();
    say(ends.dialled, words({{"0123456789", "abcdefghij"}, {"klm", ""}}));
    ends.until([&] { return ends.b->bytes.size() == 7; });
    ends.a_while();
    CHECK(ends.b->bytes == "0123456");
    ends.accepted->start_reading();
    ends.until([&] { return ends.b->bytes.size() > 7; });
    ends.b->on_each = [] {};
    ends.accepted->start_reading();
    ends.until([&] { return ends.b->bytes == "0123456789abcdefghijklm"; });
  }
}

TEST_CASE("stream: without room the bytes wait until there is some") {
  for (const Kind k : kinds) {
    Both ends(k);
    ends.b->block = 0;
    ends.accepted->start_reading();
    say(ends.dialled, words({{"it waits", ""}}));
    ends.until([&] { return ends.b->no_rooms == 1; });
    ends.a_while();
    CHECK(ends.b->no_rooms == 1);
    CHECK(ends.b->bytes.empty());
    ends.b->block = 3;
    ends.accepted->start_reading();
    ends.until([&] { return ends.b->bytes == "it waits"; });
  }
}

TEST_CASE("stream: the end comes after all bytes, and only to a receiver that reads") {
  for (const Kind k : kinds) {
    Both ends(k);
    say(ends.dialled, words({{"the last words", ""}}));
    ends.dialled->close();
    ends.a_while();
    CHECK_FALSE(ends.b->ended);
    ends.accepted->start_reading();
    ends.until([&] { return ends.b->ended; });
    CHECK(ends.b->bytes == "the last words");
    CHECK_FALSE(ends.b->failed);
  }
}

TEST_CASE("stream: no call comes after close(), which each call may make") {
  for (const Kind k : kinds) {
    for (const bool from_inside : {false, true}) {
      Both ends(k);
      std::weak_ptr<Seen> weak = ends.b;
      ends.accepted->start_reading();
      say(ends.dialled, words({{"the first bytes of a message", ""}}));
      if (from_inside) ends.b->on_each = [&] { ends.accepted->close(); };
      else ends.accepted->close();
      ends.a_while();
      CHECK(ends.b->calls == (from_inside ? 2 : 1));  // on_open(), and the bytes at which it closed
      CHECK(ends.b->bytes.size() == (from_inside ? 7u : 0u));
      ends.accepted->close();
      ends.b.reset();
      CHECK(weak.expired());  // a closed stream does not keep its receiver
    }
  }
}

TEST_CASE("stream: a stream keeps its receiver alive until it is closed") {
  for (const Kind k : kinds) {
    Both ends(k);
    const std::weak_ptr<Seen> weak = ends.b;
    ends.b.reset();
    CHECK_FALSE(weak.expired());
    ends.accepted->close();
    CHECK(weak.expired());
  }
}

TEST_CASE("stream: the names of the other end") {
  for (const Kind k : kinds) {
    Both ends(k);
    const bool local = ends.dialled->in_process();
    CHECK(local == std::string_view(k.where).starts_with("local:"));
    CHECK(ends.dialled->peer_endpoint() == (local ? "this process" : ends.listener->address()));
    CHECK(ends.accepted->peer_address() == (local ? "" : "127.0.0.1"));
  }
}

TEST_CASE("stream: a dial that fails says so later, and not at all once it is closed") {
  for (const std::string address : {"127.0.0.1:1", "local:nobody", "nonsense", "local:"}) {
    CAPTURE(address);
    Loop loop;
    const auto waits = std::make_shared<Seen>(), closed = std::make_shared<Seen>();
    const auto first = dial_stream(loop, address), second = dial_stream(loop, address);
    first->open(waits);
    second->open(closed);
    second->close();
    CHECK(waits->calls == 0);
    waits->on_each = [&] { loop.after(20ms, [&] { loop.stop(); }); };
    loop.run();
    REQUIRE(waits->failed);
    CHECK(waits->failed->code == (address == "nonsense" || address == "local:"
                                      ? Errc::bad_configuration
                                      : Errc::connection_lost));
    CHECK(closed->calls == 0);
    first->close();
  }
}

TEST_CASE("stream: an accepted stream that nobody opens is closed for the other end") {
  for (const std::string where : {"127.0.0.1:0", "local:dropped"}) {
    CAPTURE(where);
    Loop loop;
    const auto listener = Listener::listen(loop, where, [](const Stream::Ptr&) {});
    REQUIRE(listener);
    const auto dialled = dial_stream(loop, (*listener)->address());
    const auto seen = std::make_shared<Seen>();
    seen->on_each = [&] {
      if (seen->ended) loop.stop();
      else dialled->start_reading();
    };
    dialled->open(seen);
    loop.run();
    CHECK(seen->ended);
    dialled->close();
  }
}

TEST_CASE("stream: a connection runs over a stream that stands on another stream") {
  Loop loop;
  const auto hello = [](Role role) {
    Hello h;
    h.magic = hello_magic;
    h.lowest_version = protocol_lowest;
    h.highest_version = protocol_highest;
    h.role = role;
    h.message_body_max = message_body_max;
    return h;
  };
  Connection::Ptr server;
  const auto listener = Listener::listen(loop, "127.0.0.1:0", [&](const Stream::Ptr& s) {
    server = Connection::accept(loop, std::make_shared<InvertedStream>(loop, s),
                                hello(Role::storage), {});
    server->set_callbacks({{},
                           [&](RequestId id, Message&& m) { server->send(id, m); },
                           [&](const Error&) { loop.stop(); }});
  });
  REQUIRE(listener);
  Bytes payload = Bytes::allocate(3u << 20);
  for (std::size_t i = 0; i < payload.size(); ++i)
    payload.mutable_data()[i] = static_cast<std::byte>(i * 31 >> 3);
  const Message sent = RunIs{LogId{1}, {}, payload};
  Message answer;
  Connection::Ptr client;
  client = Connection::dial(
      loop, std::make_shared<InvertedStream>(loop, dial_stream(loop, (*listener)->address())),
      hello(Role::storage), {},
      {[&](const Hello&) { client->send(RequestId{1}, sent); },
       [&](RequestId, Message&& m) {
         answer = std::move(m);
         client->close();  // its end closes the server's connection, which ends the loop
       },
       [&](const Error&) { loop.stop(); }});
  loop.after(10s, [&] { loop.stop(); });
  loop.run();
  CHECK(answer == sent);
  CHECK(loop.traffic().queued == 0);
  server->close();
}

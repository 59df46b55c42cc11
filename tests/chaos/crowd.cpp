// Clients of every kind at once, for soak.py: programs that use the SDK as intended, and strangers
// that speak the protocol and push against every bound.
// Strangers ask and do not read, begin messages and do not end them, commit runs that they never
// upload, and upload runs that they never commit.
// Each second a line of JSON on stdout tells how much the programs have achieved.
// crowd --cluster A,... --sequencers A,... --storage A,... --pages A,... --seconds N [--only
// ROLE,...]
#include <fmt/format.h>
#include <loglog/client.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "proto-spec/disk/frame.h"
#include "proto-spec/wire/codec.h"

namespace {

using namespace loglog;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Millis = std::chrono::milliseconds;

/// Addresses by kind, the roles to play (empty: all), and the duration.
struct Places {
  std::vector<std::string> cluster, sequencers, storage, pages, only;
  int seconds = 30;
};

/// Totals since the start; `strangers` counts connections.
struct Counts {
  std::atomic<std::uint64_t> committed{}, refused{}, unknown{}, followed{}, read{}, tails{},
      logs_made{}, logs_deleted{}, trims{}, conditional{}, pages{}, strangers{};
};

Places places;
Counts counts;
std::mutex mutex;
std::condition_variable over;
bool ended = false;

/// Waits for `pause` or the end of the run; returns false at the end. Every role's loop runs on
/// this.
bool go_on(Millis pause = 0ms) {
  std::unique_lock hold(mutex);
  return !over.wait_for(hold, pause, [] { return ended; });
}

// ---- A stranger's connection

/// A blocking connection of a stranger. Sending and receiving give up after a second.
/// `receive_buffer` in bytes makes a reader that soon stalls its peer.
class Wire {
 public:
  explicit Wire(const std::string& address, int receive_buffer = 0) {
    const auto colon = address.rfind(':');
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    if (::getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(), &hints,
                      &found) != 0)
      return;
    fd_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0)
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    const timeval patience{1, 0};
    for (const int which : {SO_SNDTIMEO, SO_RCVTIMEO})
      ::setsockopt(fd_, SOL_SOCKET, which, &patience, sizeof patience);
    good_ = ::connect(fd_, found->ai_addr, found->ai_addrlen) == 0;
    ::freeaddrinfo(found);
    ++counts.strangers;
  }
  Wire(Wire&& other) noexcept { *this = std::move(other); }
  Wire& operator=(Wire&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(good_, other.good_);
    std::swap(decoder_, other.decoder_);
    return *this;
  }
  ~Wire() {
    if (fd_ >= 0) ::close(fd_);
  }

  explicit operator bool() const { return good_; }
  Wire& hello() {
    say(RequestId{}, Hello{hello_magic,
                           protocol_lowest,
                           protocol_highest,
                           Role::client,
                           {},
                           {},
                           0,
                           BootId{1},
                           {},
                           message_body_max});
    return *this;
  }
  /// Sends a whole message; false if the peer takes no more.
  bool say(RequestId request, const Message& m) {
    const Encoded e =
        encode(request, m, std::holds_alternative<Hello>(m) ? hello_version : protocol_highest);
    return send(e.head.text()) && send(e.tail.text());
  }
  /// Sends raw bytes, which may be part of a message. False if the peer has taken nothing for a
  /// second or is gone.
  bool send(std::string_view bytes) {
    while (good_ && !bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      good_ = n > 0;
      if (good_) bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return good_;
  }
  /// The next message of type M, skipping others; nullopt if none comes within a second.
  template <class M>
  std::optional<M> hear() {
    for (;;) {
      auto r = decoder_.next();
      if (!r) return std::nullopt;
      if (*r) {
        if (std::holds_alternative<Hello>((*r)->message)) decoder_.set_version(protocol_highest);
        if (auto* m = std::get_if<M>(&(*r)->message)) return std::move(*m);
        continue;
      }
      const auto room = decoder_.writable();
      const ssize_t n = ::recv(fd_, room.data(), room.size(), 0);
      if (n <= 0) return std::nullopt;
      decoder_.filled(static_cast<std::size_t>(n));
    }
  }

 private:
  int fd_ = -1;
  bool good_ = false;
  MessageDecoder decoder_;
};

/// A run of a single entry with its reference.
struct RunImages {
  Reference reference;
  Bytes images;
};
RunImages make_run(std::uint64_t producer, std::size_t payload) {
  RunImages r;
  const Bytes bytes = Bytes::copy_of(std::string(payload, 'r'));
  r.images = Bytes::allocate(payload + frame_overhead);
  write_frame_image(r.images.mutable_data(), FrameKind::entry, ProducerId{producer}, Sequence{1},
                    bytes);
  r.reference = {ProducerId{producer}, Sequence{1}, 1, static_cast<std::uint32_t>(r.images.size()),
                 digest_of(r.images)};
  return r;
}

// ---- Programs

Client make_client() {
  auto client = Client::connect({.addresses = places.cluster});
  if (!client) {
    fmt::print(stderr, "crowd: {}\n", client.error().message);
    std::_Exit(1);
  }
  return std::move(*client);
}

/// Opens or creates a log with small segments and a retention of `keep` bytes, and tries until the
/// run ends.
std::optional<Log> open(Client& client, const std::string& name, std::uint64_t keep = 16u << 20) {
  for (; go_on(); go_on(100ms))
    if (auto log =
            client.open_or_create_log(name, {.segment_bytes = 4u << 20, .retention_bytes = keep}))
      return *log;
  return std::nullopt;
}

void count(const AppendResult& r) {
  using Outcome = AppendResult::Outcome;
  ++(r.outcome == Outcome::committed ? counts.committed
     : r.outcome == Outcome::refused ? counts.refused
                                     : counts.unknown);
}

/// Appends to `logs` logs in turn until the run ends, with at most `in_flight` appends under way.
void append_to(const std::string& prefix, int logs, std::size_t bytes, std::size_t in_flight,
               Millis pause) {
  Client client = make_client();
  std::vector<Log> all;
  for (int i = 0; i < logs; ++i)
    if (auto log = open(client, fmt::format("{}-{}", prefix, i))) all.push_back(*log);
  std::deque<std::future<AppendResult>> under_way;
  const std::string payload(bytes, 'a');
  for (std::size_t i = 0; go_on(pause); ++i) {
    under_way.push_back(all[i % all.size()].append_async(payload));
    for (; under_way.size() >= in_flight; under_way.pop_front()) count(under_way.front().get());
  }
  for (auto& f : under_way) count(f.get());
}

/// A single writer that holds the fencing token and appends at the log's end (F1, F2). It takes a
/// new token now and then.
void append_conditionally() {
  Client client = make_client();
  auto log = open(client, "state");
  std::uint64_t token = 0;
  while (log && go_on(2ms)) {
    if (token == 0 || counts.conditional % 500 == 0)
      if (const auto fence = log->fence()) token = fence->token;
    const auto tail = log->tail();
    if (!tail) continue;
    const AppendResult r =
        log->append("state", AppendOptions{.expected_offset = tail->committed, .fence = token});
    count(r);
    if (r) ++counts.conditional;
  }
}

/// Follows from the end, and begins anew if the follow ends.
void follow(const std::string& name) {
  Client client = make_client();
  auto log = open(client, name);
  while (log && go_on(200ms)) {
    const auto end = log->end();
    if (!end) continue;
    auto entries = log->follow(*end);
    while (go_on() && !entries.stopped())
      if (entries.next_for(200ms)) ++counts.followed;
  }
}

/// Reads 12 MiB from the beginning again and again: old entries, which nodes read from disk.
void catch_up(const std::string& name) {
  Client client = make_client();
  auto log = open(client, name);
  while (log && go_on(300ms)) {
    const auto begin = log->begin();
    if (!begin) continue;
    auto entries = log->follow(*begin);
    for (std::uint64_t bytes = 0; bytes < 12u << 20 && go_on();) {
      const auto e = entries.next_for(300ms);
      if (!e) break;
      bytes += e->payload.size() + entry_overhead;
      ++counts.read;
    }
  }
}

void ask() {
  Client client = make_client();
  auto log = open(client, "small-0");
  while (log && go_on(50ms)) {
    if (log->tail()) ++counts.tails;
    (void)client.list_logs();
    (void)client.status();
  }
}

/// Creates logs, appends to them and deletes them, with 50 names in turn.
void make_and_delete() {
  Client client = make_client();
  for (std::uint64_t i = 0; go_on(20ms); ++i) {
    const std::string name = fmt::format("passing-{}", i % 50);
    auto log = client.create_log(name, {.segment_bytes = 64u << 10});
    if (!log) continue;
    ++counts.logs_made;
    for (int k = 0; k < 3; ++k) count(log->append(std::string(1000, 'p')));
    if (client.delete_log(name)) ++counts.logs_deleted;
  }
}

void trim() {
  Client client = make_client();
  while (go_on(500ms))
    for (const char* name : {"small-0", "large-0", "tiny-0"})
      if (auto log = client.open_log(name); log && log->trim_to_size(4u << 20)) ++counts.trims;
}

// ---- Strangers

LogId id_of(const std::string& name) {
  Client client = make_client();
  const auto log = open(client, name);
  return log ? LogId{log->details().id} : LogId{};
}

std::vector<std::string> all_nodes() {
  std::vector<std::string> all = places.sequencers;
  all.insert(all.end(), places.storage.begin(), places.storage.end());
  return all;
}

/// Opens `many` connections that each run `each` once, keeps them for `stay`, and begins anew.
void strangers(const std::vector<std::string>& where, int many, Millis stay, int receive_buffer,
               const std::function<void(Wire&)>& each) {
  while (go_on(100ms)) {
    std::vector<Wire> wires;
    for (int i = 0; i < many && go_on(); ++i) {
      Wire wire(where[static_cast<std::size_t>(i) % where.size()], receive_buffer);
      if (wire) each(wire);
      wires.push_back(std::move(wire));
    }
    go_on(stay);
  }
}

constexpr int little = 4096;  // bytes of a receive buffer that fills at once

/// Readers with six follows and fifty reads each, which take none of their pages.
void follow_and_read_nothing() {
  const LogId small = id_of("small-0"), large = id_of("large-0");
  strangers(places.storage, 60, 7s, little, [&](Wire& w) {
    w.hello();
    for (const LogId log : {small, large})
      for (std::uint32_t i = 1; i <= 3; ++i)
        w.say(RequestId{i + 10 * static_cast<std::uint32_t>(log.value)},
              Follow{log, Offset{}, 0xFFFFFFFF});
    for (std::uint32_t i = 0; i < 50; ++i)
      w.say(RequestId{1000 + i}, Read{large, Offset{}, page_size_max, 0});
  });
}

/// Askers of the whole metadata, which take none of the answers.
void ask_and_read_nothing() {
  strangers(all_nodes(), 30, 5s, little, [](Wire& w) {
    w.hello();
    for (std::uint32_t i = 1; i <= 3000; ++i) w.say(RequestId{i}, GetMetadata{{}, true});
  });
}

/// Up to 5000 waiting reads and follows a connection, above the bound of 4096 (spec/09).
void wait_for_entries() {
  const LogId log = id_of("small-1");
  strangers(places.storage, 12, 10s, 0, [&](Wire& w) {
    w.hello();
    for (std::uint32_t i = 1; i <= 5000 && w; ++i) {
      if (i % 2 == 0) w.say(RequestId{i}, Read{log, Offset{1ull << 40}, 1000, 600'000});
      else w.say(RequestId{i}, Follow{log, Offset{1ull << 40}, 1});
    }
  });
}

/// Uploads that lack their last byte and hold a receive block.
void begin_and_do_not_end() {
  const LogId log = id_of("small-2");
  const RunImages large = make_run(77, 15u << 20), small = make_run(78, 100'000);
  strangers(all_nodes(), 30, 3s, 0, [&](Wire& w) {
    static std::atomic<unsigned> n = 0;
    const RunImages& run = n++ % 2 == 0 ? large : small;
    const Encoded e =
        encode(RequestId{1}, Upload{log, run.reference, run.images}, protocol_highest);
    w.hello();
    w.send(e.head.text());
    w.send(e.tail.text().substr(0, e.tail.size() - 1));
  });
}

/// Connections whose hello lacks its last byte.
void begin_a_hello() {
  strangers(all_nodes(), 120, 2s, 0, [](Wire& w) {
    const Encoded e = encode(
        RequestId{},
        Hello{hello_magic, 1, 9, Role::client, {}, std::string(4000, 'n'), 0, BootId{1}, {}, 1},
        hello_version);
    w.send(e.head.text().substr(0, e.head.size() - 1));
  });
}

/// V1: runs that are ordered and never uploaded, which the leader must drop.
void commit_and_never_upload() {
  const LogId log = id_of("ghosts");
  strangers(places.sequencers, 3, 1s, 0, [&](Wire& w) {
    w.hello().say(RequestId{1}, OpenLog{log});
    const auto term = w.hear<TermIs>();
    for (std::uint64_t i = 1; term && i <= 20; ++i)
      w.say(RequestId{2}, Commit{log,
                                 term->term,
                                 Sequence{},
                                 {ProducerId{i << 32}, Sequence{1}, 1, 100, RunDigest{5}}});
  });
}

/// D6: uploads that fill the staging area and are never committed.
void upload_and_never_commit() {
  const LogId log = id_of("small-3");
  std::uint64_t producer = 1u << 20;
  strangers(places.storage, 12, 500ms, 0, [&](Wire& w) {
    w.hello();
    for (int i = 0; i < 8 && w; ++i) {
      const RunImages large = make_run(++producer, 1u << 20), small = make_run(++producer, 20);
      w.say(RequestId{1}, Upload{log, large.reference, large.images});
      for (int k = 0; k < 200; ++k) w.say(RequestId{2}, Upload{log, small.reference, small.images});
    }
  });
}

/// Changes of metadata and questions for tails, far above the bounds on waiting requests.
void change_without_end() {
  const LogId log = id_of("changed");
  strangers(places.sequencers, 3, 2s, 0, [&](Wire& w) {
    w.hello();
    for (std::uint32_t i = 1; i <= 20'000 && w; ++i) {
      if (i % 3 == 0)
        w.say(RequestId{i}, SetRetention{log, {1u << 30, i * 1000}, {RaftIndex{}, ChangeId{i}}});
      else if (i % 3 == 1) w.say(RequestId{i}, GetTail{log});
      else w.say(RequestId{i}, GetTail{LogId{1ull << 50}});
    }
  });
}

/// V2: more observed producers a connection than the bound.
void observe_everybody() {
  const LogId log = id_of("small-1");
  std::uint64_t producer = 1;
  strangers(places.storage, 6, 5s, 0, [&](Wire& w) {
    w.hello();
    for (int i = 0; i < 20'000 && w; ++i)
      w.say(RequestId{}, Observe{log, ProducerId{++producer << 20}});
  });
}

/// HTTP connections that stay open after an answer, or in the middle of a request.
void leave_pages_open() {
  strangers(places.pages, 120, 4s, 0, [](Wire& w) {
    static std::atomic<unsigned> n = 0;
    w.send(n++ % 2 == 0 ? "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
                        : "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Half");
    ++counts.pages;
  });
}

/// Short connections, for the cost of accepting and closing.
void come_and_go() {
  strangers(all_nodes(), 60, 50ms, 0, [](Wire& w) {
    w.hello();
    w.say(RequestId{1}, Ping{});
  });
}

/// A role's name for --only, and the function that plays it until the run ends.
struct Part {
  const char* name;
  std::function<void()> play;
};
const std::vector<Part> roles = {
    {"small", [] { append_to("small", 16, 120, 64, 0ms); }},
    {"large", [] { append_to("large", 2, 100'000, 8, 4ms); }},
    {"huge", [] { append_to("huge", 1, 5u << 20, 2, 700ms); }},
    {"tiny", [] { append_to("tiny", 4, 60, 4, 2ms); }},
    {"conditional", append_conditionally},
    {"follow", [] { follow("small-0"); }},
    {"follow-large", [] { follow("large-0"); }},
    {"catch-up", [] { catch_up("large-1"); }},
    {"catch-up-small", [] { catch_up("small-2"); }},
    {"questions", ask},
    {"logs", make_and_delete},
    {"trims", trim},
    {"deaf-followers", follow_and_read_nothing},
    {"deaf-askers", ask_and_read_nothing},
    {"waiting", wait_for_entries},
    {"half-messages", begin_and_do_not_end},
    {"half-hellos", begin_a_hello},
    {"ghosts", commit_and_never_upload},
    {"hoarders", upload_and_never_commit},
    {"changes", change_without_end},
    {"observers", observe_everybody},
    {"pages", leave_pages_open},
    {"passers-by", come_and_go},
};

/// Prints the totals as a line of JSON.
void tell(double second) {
  fmt::print(
      R"({{"second": {:.1f}, "committed": {}, "refused": {}, "unknown": {}, "followed": {}, "read": {}, "tails": {}, "logs_made": {}, )"
      R"("logs_deleted": {}, "trims": {}, "conditional": {}, "pages": {}, "strangers": {}}})"
      "\n",
      second, counts.committed.load(), counts.refused.load(), counts.unknown.load(),
      counts.followed.load(), counts.read.load(), counts.tails.load(), counts.logs_made.load(),
      counts.logs_deleted.load(), counts.trims.load(), counts.conditional.load(),
      counts.pages.load(), counts.strangers.load());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("clients of every kind at once");
  const auto list = [&](const char* name, std::vector<std::string>& to) {
    return app.add_option(name, to)->delimiter(',');
  };
  list("--cluster", places.cluster)->required();
  list("--sequencers", places.sequencers)->required();
  list("--storage", places.storage)->required();
  list("--pages", places.pages)->required();
  list("--only", places.only);
  app.add_option("--seconds", places.seconds)->required();
  CLI11_PARSE(app, argc, argv);
  std::vector<std::thread> threads;
  for (const Part& role : roles)
    if (places.only.empty() || std::ranges::find(places.only, role.name) != places.only.end())
      threads.emplace_back(role.play);
  const auto begun = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - begun).count(); };
  while (elapsed() < places.seconds) {
    std::this_thread::sleep_for(1s);
    tell(elapsed());
  }
  {
    const std::lock_guard hold(mutex);
    ended = true;
  }
  over.notify_all();
  for (std::thread& t : threads) t.join();
  tell(elapsed());
}

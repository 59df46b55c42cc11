// Promises of the public API towards the process around it: threads, callbacks, exceptions, forks
// and signals.
// Each test runs a real client against a cluster embedded in this process.
#include <doctest/doctest.h>
#include <loglog/embedded.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <map>
#include <mutex>
#include <ranges>
#include <set>
#include <sstream>
#include <stdexcept>
#include <unordered_set>

#include "tests/support/in_process.h"

using namespace loglog;
using namespace std::chrono_literals;

namespace {

/// A cluster of a sequencer and a storage node, a client and a log. `data` may outlive the object,
/// for tests whose child process must not delete it.
struct Small {
  std::shared_ptr<testing::Folder> folder;
  EmbeddedCluster cluster;
  Client client;
  Log log;
  explicit Small(const std::string& http = {},
                 std::shared_ptr<testing::Folder> data = std::make_shared<testing::Folder>())
      : folder(std::move(data)),
        cluster(*EmbeddedCluster::start(
            {.name = "test", .data = folder->path, .http = http, .sequencers = 1, .storage = 1})),
        client(*Client::connect({.addresses = {cluster.address()}, .timeout = 20s})),
        log((cluster.wait_ready(20s), *client.open_or_create_log("log", {.replicas = 1}))) {}
};

/// Forks, runs `work` in the child and returns the child's wait status. A child that hangs ends by
/// SIGALRM after 30 s.
int status_of_child(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);  // a child that hangs ends by a signal instead of stopping all tests
    // doctest's handler would report the child's end as the parent's.
    std::signal(SIGABRT, SIG_DFL);
    work();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

template <class T>
Errc code_of(const std::expected<T, CallError>& r) {
  return r ? Errc::ok : r.error().code;
}

/// A result as an earlier client of the log may have kept it.
AppendResult an_unknown_append(const Log& log) {
  AppendResult r;
  r.outcome = AppendResult::Outcome::unknown;
  r.log = log.details().id;
  r.producer = 1;
  r.sequence = 1;
  r.asked_in = 1;
  return r;
}

/// All entries of the log up to its end, by producer and sequence; each stands once.
std::map<std::pair<std::uint64_t, std::uint64_t>, Entry> entries_of(Log& log) {
  std::map<std::pair<std::uint64_t, std::uint64_t>, Entry> all;
  const auto end = log.end();
  REQUIRE(end);
  for (EntryOffset at = 0; at < *end;) {
    const auto page = log.read(at, 1u << 20, 1s);
    REQUIRE(page);
    for (const Entry& e : page->entries)
      CHECK(all.emplace(std::pair(e.producer, e.sequence), e).second);
    at = page->next;
  }
  return all;
}

}  // namespace

TEST_CASE(
    "a blocking call in a callback returns would_deadlock at once, it does not hang the client "
    "(A4, F27)") {
  Small s;
  std::promise<std::vector<Errc>> said;
  auto future = said.get_future();
  // No entry ever comes there.
  auto following = std::make_shared<Follower>(s.log.follow(1ull << 40));
  // A callback runs on the client's own thread, so every blocking call in it would wait for itself.
  s.log.append_then("x", [&, following](const AppendResult&) {
    std::vector<Errc> codes = {s.log.append("y").error.code,
                               s.log.append_batch({"y"}).error.code,
                               code_of(s.log.read(0)),
                               code_of(s.log.resolve(an_unknown_append(s.log))),
                               code_of(s.log.tail()),
                               code_of(s.log.begin()),
                               code_of(s.log.last()),
                               code_of(s.log.fence(7)),
                               code_of(s.log.offset_at({})),
                               code_of(s.log.trim(0)),
                               code_of(s.log.trim_to_size(0)),
                               code_of(s.log.trim_before({})),
                               code_of(s.log.set_retention(0, 0ms)),
                               code_of(s.log.delete_log()),
                               code_of(s.log.read_views(0)),
                               code_of(s.client.open_log("log")),
                               code_of(s.client.open_or_create_log("other")),
                               code_of(s.client.list_logs()),
                               code_of(s.client.delete_log("log")),
                               code_of(s.client.replace_disk(1)),
                               code_of(s.client.status()),
                               code_of(s.client.ready(20s)),
                               code_of(s.client.flush(20s)),
                               code_of(s.client.close(20s))};
    const auto none = following->next();
    codes.push_back(!none && following->error() ? following->error()->code : Errc::ok);
    // Calls that do not block work in a callback.
    CHECK_FALSE(following->stopped());
    static_cast<void>(s.client.figures());
    said.set_value(std::move(codes));
  });
  testing::must(future.wait_for(20s) == std::future_status::ready,
                "a blocking call in a callback hangs (A4)");
  for (const Errc code : future.get()) CHECK(code == Errc::would_deadlock);
  CHECK(s.log.append("after"));
}

TEST_CASE("clients share a thread, and a client has a thread of its own if it asks for that") {
  Small s;
  // The thread on which a client with these options runs callbacks.
  const auto thread_of = [&](ClientOptions options, std::vector<Client>& kept) {
    options.addresses = {s.cluster.address()};
    options.timeout = 20s;
    kept.push_back(*Client::connect(std::move(options)));
    std::promise<std::thread::id> told;
    kept.back().open_log("log")->append_then(
        "x", [&](const AppendResult&) { told.set_value(std::this_thread::get_id()); });
    return told.get_future().get();
  };
  std::vector<Client> kept;
  std::unordered_set<std::thread::id> threads;
  for (int i = 0; i < 5; ++i) threads.insert(thread_of({}, kept));
  CHECK(threads.size() == 1);
  threads.insert(thread_of({.own_thread = true}, kept));
  threads.insert(thread_of({.own_thread = true}, kept));
  threads.insert(thread_of({.thread_name = "mine"}, kept));
  CHECK(threads.size() == 4);
}

TEST_CASE(
    "a callback may end another client of its thread, and a blocking call on such a client returns "
    "would_deadlock (A4)") {
  Small s;
  auto other = std::make_shared<Client>(
      *Client::connect({.addresses = {s.cluster.address()}, .timeout = 20s}));
  auto log = std::make_shared<Log>(*other->open_log("log"));
  std::promise<Errc> said;
  s.log.append_then("x", [&, other, log](const AppendResult&) mutable {
    const Errc code = log->append("y").error.code;
    log.reset();
    other.reset();
    said.set_value(code);
  });
  log.reset();
  other.reset();
  CHECK(said.get_future().get() == Errc::would_deadlock);
  CHECK(s.log.append("after"));
}

TEST_CASE(
    "an exception that leaves a callback ends the program by terminate, and passes through no "
    "foreign frames (A4, F27)") {
  const auto data = std::make_shared<testing::Folder>();  // the child cannot remove it
  const int status = status_of_child([&data] {
    // Nothing may catch the exception on its way to std::terminate.
    Small s({}, data);
    s.log.append_then("x",
                      [](const AppendResult&) { throw std::runtime_error("the application's"); });
    std::this_thread::sleep_for(20s);
  });
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
}

TEST_CASE(
    "in a forked child every call fails with `forked`, and the parent's client goes on undisturbed "
    "(F04)") {
  auto s = std::make_unique<Small>();
  REQUIRE(s->log.append("before"));
  // The client's threads do not exist in the child; each call must say so instead of waiting.
  auto following = std::make_unique<Follower>(s->log.follow(0));
  const auto code = [](bool ok) { ::_exit(ok ? 0 : 1); };
  SUBCASE("calls") {
    CHECK(status_of_child([&] {
            Errc called{};
            s->log.append_then("x", [&called](const AppendResult& r) { called = r.error.code; });
            code(s->log.append("x").error.code == Errc::forked && called == Errc::forked &&
                 code_of(s->log.read(0)) == Errc::forked &&
                 code_of(s->log.resolve(an_unknown_append(s->log))) == Errc::forked &&
                 code_of(s->client.open_log("log")) == Errc::forked &&
                 code_of(s->client.flush(20s)) == Errc::forked &&
                 s->log.append_async("x").get().error.code == Errc::forked && !following->next() &&
                 following->stopped() && following->error()->code == Errc::forked &&
                 s->log.follow(0).error()->code == Errc::forked &&
                 s->client.figures().appends_committed == 0);
          }) == 0);
  }
  SUBCASE("destruction") {
    CHECK(status_of_child([&] {
            following.reset();
            s->folder->path.clear();  // the folder belongs to the parent
            s.reset();
          }) == 0);
  }
  SUBCASE("a client of its own") {
    // Over TCP, because local: names of the parent's process mean nothing in the child.
    testing::Folder folder;
    auto served = *EmbeddedCluster::start({.name = "served",
                                           .data = folder.path,
                                           .listen = "127.0.0.1:0",
                                           .sequencers = 1,
                                           .storage = 1});
    REQUIRE(served.wait_ready(20s));
    CHECK(status_of_child([&] {
            auto own = *Client::connect({.addresses = {served.address()}, .timeout = 20s});
            auto log = own.open_or_create_log("own", {.replicas = 1});
            code(log && log->append("child's"));
          }) == 0);
  }
  // The parent's client and follower work as before.
  CHECK(s->log.append("after", {.timeout = 20s}));
  CHECK(following->next_for(20s));
}

TEST_CASE("the longest wait that can be named waits, and does not overflow") {
  Small s;
  auto follower = s.log.follow(0);
  std::thread appends([&s] {
    std::this_thread::sleep_for(50ms);
    CHECK(s.log.append("late", {.timeout = 20s}));
  });
  const auto entry = follower.next_for(std::chrono::milliseconds::max());
  appends.join();
  REQUIRE(entry);
  CHECK(entry->payload == "late");
}

TEST_CASE("every thread of client and cluster blocks the application's signals (F26)") {
  // The test's own thread, and libuv's pool if another test has started it.
  std::set<std::string> others;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task"))
    others.insert(task.path().filename());
  Small s("127.0.0.1:0");
  REQUIRE(s.log.append("x"));
  int threads = 0;
  // Only threads that the client and the cluster started are looked at.
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (others.contains(task.path().filename())) continue;
    std::ifstream status(task.path() / "status");
    std::string line, name;
    while (std::getline(status, line)) {
      if (line.starts_with("Name:")) name = line;
      if (!line.starts_with("SigBlk:")) continue;
      const auto blocked = std::stoull(line.substr(7), nullptr, 16);
      ++threads;
      for (const int n : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM})
        CHECK_MESSAGE((blocked >> (n - 1) & 1) == 1, name, " ", n);
    }
  }
  CHECK(threads >= 4);
  // The caller's own mask is unchanged.
  sigset_t mine;
  pthread_sigmask(SIG_BLOCK, nullptr, &mine);
  CHECK(sigismember(&mine, SIGTERM) == 0);
}

TEST_CASE(
    "flush waits for every append before it and for its callback, and for no later append (B)") {
  Small s;
  std::atomic<int> ended = 0;
  for (int i = 0; i < 200; ++i)
    s.log.append_then(std::to_string(i), [&ended](const AppendResult& r) { ended += r ? 1 : 0; });
  REQUIRE(s.client.flush(20s));
  CHECK(ended == 200);
  // A log without its node takes no append, so this append stays under way.
  s.cluster.stop();
  auto late = s.log.append_async("late", {.timeout = 1s});
  const auto left = s.client.flush(20ms);
  REQUIRE_FALSE(left);
  CHECK(left.error().code == Errc::unavailable);
  CHECK(left.error().message.find("1 appends") != std::string::npos);
  CHECK(s.client.flush(20s));
  CHECK_FALSE(late.get());
}

TEST_CASE(
    "close with a time loses no append that was begun before it, and refuses later ones (B)") {
  Small s;
  std::vector<std::future<AppendResult>> under_way;
  for (int i = 0; i < 200; ++i) under_way.push_back(s.log.append_async(std::to_string(i)));
  CHECK(s.client.close(20s));
  for (auto& append : under_way) CHECK(append.get());
  CHECK(s.log.append("later").error.code == Errc::client_closed);
  CHECK(code_of(s.log.tail()) == Errc::client_closed);
}

TEST_CASE("appends under way at the destruction of the last handle end, each once (B)") {
  Small s;
  std::atomic<int> ended = 0;
  std::vector<std::future<AppendResult>> under_way;
  {
    auto client = *Client::connect({.addresses = {s.cluster.address()}});
    auto log = *client.open_log("log");
    for (int i = 0; i < 100; ++i) {
      under_way.push_back(log.append_async(std::to_string(i)));
      log.append_then("x", [&ended](const AppendResult&) { ++ended; });
    }
  }
  CHECK(ended == 100);  // no callback runs after the destruction
  for (auto& append : under_way) {
    REQUIRE(append.wait_for(0s) == std::future_status::ready);
    const AppendResult r = append.get();
    CHECK((r || r.error.code == Errc::outcome_unknown || r.error.code == Errc::client_closed));
  }
}

TEST_CASE("a kept position is of its own log, also if another log has the name now (B)") {
  Small s;
  const AppendResult r = s.log.append("x");
  REQUIRE(r);
  const std::string kept = s.log.position(r.next).text();
  const auto parsed = LogPosition::parse(kept);
  REQUIRE(parsed);
  CHECK(*s.log.offset_of(*parsed) == r.next);
  REQUIRE(s.log.delete_log());
  const auto again = s.client.create_log("log", {.replicas = 1});
  REQUIRE(again);
  CHECK(code_of(again->offset_of(*parsed)) == Errc::wrong_log);
}

static_assert(std::input_iterator<Follower::iterator>);
static_assert(std::ranges::input_range<Follower>);

TEST_CASE(
    "a follower's position moves over the log's own frames, so a standby knows that it has read "
    "all "
    "below an offset (B)") {
  const auto data = std::make_shared<testing::Folder>();
  {
    Small s({}, data);
    for (int i = 0; i < 5; ++i) REQUIRE(s.log.append(std::to_string(i)));
  }
  // The new leader writes a term start behind the entries, which no reader sees.
  Small s({}, data);
  const auto end = s.log.fence();
  REQUIRE(end);
  auto follower = s.log.follow(0);
  CHECK(follower.position() == 0);
  std::vector<std::string> read;
  EntryOffset last = 0;
  for (const auto until = std::chrono::steady_clock::now() + 20s;
       follower.position() < end->end && std::chrono::steady_clock::now() < until;)
    if (const auto e = follower.next_for(10ms)) {
      read.push_back(e->payload);
      last = e->next;
    }
  CHECK(read == std::vector<std::string>{"0", "1", "2", "3", "4"});
  CHECK(follower.position() == end->end);
  CHECK(last < end->end);
}

TEST_CASE("a follower gives its entries in batches, and as a range whose end has a reason (B)") {
  Small s;
  for (int i = 0; i < 10; ++i) REQUIRE(s.log.append(std::to_string(i)));
  auto follower = s.log.follow(0);
  std::vector<Entry> entries;
  while (entries.size() < 10) {
    auto batch = follower.next_batch(4, 20s);
    REQUIRE_FALSE(batch.empty());
    CHECK(batch.size() <= 4);
    for (Entry& e : batch) entries.push_back(std::move(e));
    CHECK(follower.position() >= entries.back().next);
  }
  for (int i = 0; i < 10; ++i)
    CHECK(entries[static_cast<std::size_t>(i)].payload == std::to_string(i));
  CHECK(follower.next_batch(4, 0ms).empty());
  CHECK(follower.next_batch(0, 20s).empty());
  CHECK_FALSE(follower.stopped());
  // The range of a log that is deleted ends, and says why.
  auto range = s.log.follow(0);
  int seen = 0;
  for (const Entry& e : range) {
    CHECK(e.payload == std::to_string(seen));
    if (++seen == 10) REQUIRE(s.client.delete_log("log"));
  }
  CHECK(seen == 10);
  REQUIRE(range.error());
  CHECK(range.error()->code == Errc::no_such_log);
}

TEST_CASE("an append that was refused by its deadline may be repeated, and says so (B)") {
  Small s;
  const AppendResult late = s.log.append("x", {.timeout = 0ms});
  CHECK(late.outcome == AppendResult::Outcome::refused);
  CHECK(late.error.code == Errc::deadline_exceeded);
  CHECK(late.error.retry);
  CHECK(late.error.timed_out);
  const AppendResult done = s.log.append("y", {});
  REQUIRE(done);
  CHECK(done.next == done.offset + entry_overhead + 1);
  CHECK(s.log.read(done.offset)->entries.at(0).next == done.next);
  const AppendResult large = s.log.append(std::string(entry_bytes_max + 1, 'x'));
  CHECK(large.error.code == Errc::entry_too_large);
  CHECK_FALSE(large.error.retry);
}

TEST_CASE("open_or_create_log tells whether it created, and refuses options that contradict (B)") {
  Small s;
  CHECK(s.log.was_created());
  const auto again = s.client.open_or_create_log("log", {.replicas = 1});
  REQUIRE(again);
  CHECK_FALSE(again->was_created());
  CHECK(again->details().id == s.log.details().id);
  CHECK(s.client.open_or_create_log("log"));
  const auto other = s.client.open_or_create_log("log", {.segment_bytes = 1u << 20});
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Errc::invalid_argument);
  CHECK(other.error().message.find("segment size 67108864") != std::string::npos);
}

TEST_CASE(
    "the last entry of a log is found behind segments, and a log without entries has none (B)") {
  Small s;
  auto log = s.client.create_log("small", {.replicas = 1, .segment_bytes = 65536});
  REQUIRE(log);
  const auto asked = std::chrono::steady_clock::now();
  CHECK(*log->last() == std::nullopt);
  // The call does not wait for an entry until the client's time-out, 20 s, has passed.
  CHECK(std::chrono::steady_clock::now() - asked < 10s);
  AppendResult last;
  for (int i = 0; i < 10; ++i) {
    last = log->append(std::to_string(i) + std::string(30'000, 'x'));
    REQUIRE(last);
    const auto found = log->last();
    REQUIRE(found);
    REQUIRE(*found);
    CHECK((*found)->offset == last.offset);
  }
  REQUIRE(log->trim(last.next));
  CHECK(*log->last() == std::nullopt);
}

TEST_CASE("ready waits for a leader, and names the address that refuses (B)") {
  Small s;
  CHECK(s.client.ready(20s));
  const auto nobody = Client::connect({.addresses = {"127.0.0.1:1"}, .wait_for_cluster = false});
  REQUIRE(nobody);
  auto client = *nobody;
  const auto failed = client.ready(20s);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Errc::unavailable);
  CHECK(failed.error().message.find("127.0.0.1:1") != std::string::npos);
}

TEST_CASE("a batch takes conditions, and has the three forms of an append (B)") {
  Small s;
  const auto fence = s.log.fence(7);
  REQUIRE(fence);
  CHECK(s.log.append_batch({"a", "b"}, {.fence = 6}).error.code == Errc::producer_fenced);
  const AppendResult first = s.log.append_batch({"a", "b"}, {.fence = 7});
  REQUIRE(first);
  CHECK(s.log.append_batch_async({"c"}, {.expected_offset = first.offset}).get().error.code ==
        Errc::offset_mismatch);
  std::promise<AppendResult> said;
  s.log.append_batch_then({"c", ""}, [&said](AppendResult r) { said.set_value(std::move(r)); },
                          {.expected_offset = first.next});
  const AppendResult second = said.get_future().get();
  REQUIRE(second);
  const auto page = s.log.read(first.offset);
  REQUIRE(page);
  REQUIRE(page->entries.size() == 2);
  CHECK(page->entries[0].parts() == std::vector<std::string>{"a", "b"});
  CHECK(page->entries[1].parts() == std::vector<std::string>{"c", ""});
}

TEST_CASE("every append tells the log, the producer and the number of its entry (A6)") {
  Small s;
  const AppendResult first = s.log.append("a"), second = s.log.append("b");
  REQUIRE(second);
  const auto page = s.log.read(first.offset);
  REQUIRE(page);
  REQUIRE(page->entries.size() == 2);
  for (const auto* r : {&first, &second}) {
    const Entry& e = page->entries.at(r == &first ? 0 : 1);
    CHECK(r->log == s.log.details().id);
    CHECK(r->producer == e.producer);
    CHECK(r->sequence == e.sequence);
  }
  // The client never accepted this entry, so that there is nothing to name.
  const AppendResult large = s.log.append(std::string(entry_bytes_max + 1, 'x'));
  CHECK(large.log == 0);
  CHECK(large.producer == 0);
}

TEST_CASE("an unknown outcome is settled by reading, also by another client (A4, A6)") {
  Small s;
  std::vector<AppendResult> unknown;
  // close() ends appends whose commits are under way, so their outcomes are unknown. It comes at
  // another moment in each round, until it meets such appends.
  for (int round = 0; round < 100 && unknown.empty(); ++round) {
    auto closed = *Client::connect({.addresses = {s.cluster.address()}, .timeout = 20s});
    auto log = *closed.open_log("log");
    REQUIRE(log.append("the term is open"));
    std::vector<std::future<AppendResult>> under_way;
    for (int i = 0; i < 20; ++i) under_way.push_back(log.append_async(std::to_string(i)));
    std::this_thread::sleep_for(round * 50us);
    closed.close();
    for (auto& append : under_way)
      if (auto r = append.get(); r.outcome == AppendResult::Outcome::unknown)
        unknown.push_back(std::move(r));
    // A closed client resolves nothing.
    for (const AppendResult& r : unknown)
      CHECK(code_of(log.resolve(r, 20s)) == Errc::client_closed);
  }
  CHECK_FALSE(unknown.empty());
  std::size_t found = 0;
  for (AppendResult& r : unknown) {
    CHECK(r.log == s.log.details().id);
    CHECK(r.error.code == Errc::outcome_unknown);
    const auto settled = s.log.resolve(r, 200ms);
    if (!settled) {  // absent so far, and the term lasts: a late commit may still come
      CHECK(settled.error().code == Errc::outcome_unknown);
      CHECK(settled.error().timed_out);
      CHECK(settled.error().retry);
      break;
    }
    r = *settled;
    ++found;
  }
  MESSAGE(unknown.size(), " unknown, ", found, " settled");
  const auto there = entries_of(s.log);
  for (std::size_t i = 0; i < found; ++i) {
    const auto entry = there.find({unknown[i].producer, unknown[i].sequence});
    CHECK((entry != there.end()) == static_cast<bool>(unknown[i]));
    if (!unknown[i]) continue;
    CHECK(entry->second.offset == unknown[i].offset);
    CHECK(entry->second.next == unknown[i].next);
    CHECK(entry->second.term == unknown[i].term);
  }
  // A result that is not unknown asks nobody; a result without an entry names the mistake.
  const AppendResult done = s.log.append("x");
  REQUIRE(done);
  CHECK(s.log.resolve(done)->offset == done.offset);
  AppendResult none;
  none.outcome = AppendResult::Outcome::unknown;
  CHECK(code_of(s.log.resolve(none)) == Errc::invalid_argument);
  AppendResult other = an_unknown_append(s.log);
  ++other.log;
  CHECK(code_of(s.log.resolve(other)) == Errc::wrong_log);
}

TEST_CASE(
    "a client settles its own unknown appends, and each is in the log or never will be (A4)") {
  Small s;
  std::map<std::string, AppendResult> settled;
  int unknown = 0;
  for (int i = 0; i < 300 && unknown < 20; ++i) {
    const std::string payload = "entry " + std::to_string(i);
    auto r = s.log.append(payload, {.timeout = std::chrono::milliseconds(1 + i % 4)});
    if (r.outcome == AppendResult::Outcome::unknown) {
      ++unknown;
      const auto found = s.log.resolve(r, 20s);
      REQUIRE(found);
      REQUIRE(found->outcome != AppendResult::Outcome::unknown);
      r = *found;
    }
    settled.emplace(payload, r);
  }
  WARN(unknown > 0);  // a machine may be so fast that no deadline passes between commit and answer
  const auto there = entries_of(s.log);
  for (const auto& [payload, r] : settled) {
    CAPTURE(payload);
    const auto entry =
        std::ranges::find(there, payload, [](const auto& e) { return e.second.payload; });
    CHECK((entry != there.end()) == static_cast<bool>(r));
    if (r) CHECK(entry->second.offset == r.offset);
  }
}

namespace {

/// An executor with threads of its own. Its destruction runs all that is left.
class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }
  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    news_.notify_all();
    for (auto& t : threads_) t.join();
  }
  void run(std::function<void()> f) {
    {
      const std::lock_guard lock(mutex_);
      functions_.push_back(std::move(f));
    }
    news_.notify_one();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      news_.wait(lock, [this] { return over_ || !functions_.empty(); });
      if (functions_.empty()) return;
      const auto f = std::move(functions_.front());
      functions_.pop_front();
      lock.unlock();
      f();
      lock.lock();
    }
  }
  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<std::function<void()>> functions_;
  bool over_ = false;
  std::vector<std::thread> threads_;
};

/// A client of a small cluster whose callbacks run in a pool.
Client in_pool(const Small& s, Pool& pool, std::uint64_t bytes = 64u << 20) {
  return *Client::connect(
      {.addresses = {s.cluster.address()},
       .timeout = 20s,
       .bytes_in_flight_max = bytes,
       .executor = [&pool](std::function<void()> f) { pool.run(std::move(f)); }});
}

}  // namespace

TEST_CASE("an executor runs callbacks of appends and follows in order, and they may block") {
  Small s;
  Pool pool(4);
  auto client = in_pool(s, pool);
  auto log = *client.open_log("log");
  std::vector<int> ended;  // guarded by the promise that callbacks run one at a time
  std::atomic<int> blocked = 0;
  for (int i = 0; i < 100; ++i)
    log.append_then(std::to_string(i), [&, i](const AppendResult& r) {
      CHECK(r);
      ended.push_back(i);
      // The client's thread is free, so a blocking call may be made here.
      if (i % 10 == 0 && log.read(r.offset)) ++blocked;
    });
  REQUIRE(client.flush(20s));
  CHECK(ended.size() == 100);
  CHECK(std::ranges::is_sorted(ended));
  CHECK(blocked == 10);
  std::vector<std::string> followed;
  std::promise<void> all;
  auto follower = log.follow(0, [&](const Entry& e) {
    if (followed.size() % 7 == 0) std::this_thread::sleep_for(1ms);
    followed.push_back(e.payload);
    if (followed.size() == 100) all.set_value();
  });
  REQUIRE(all.get_future().wait_for(20s) == std::future_status::ready);
  for (int i = 0; i < 100; ++i) CHECK(followed[static_cast<std::size_t>(i)] == std::to_string(i));
  // The end of a stream does not overtake its entries.
  REQUIRE(s.client.delete_log("log"));
  CHECK_FALSE(follower.next_for(20s));
  REQUIRE(follower.error());
  CHECK(follower.error()->code == Errc::no_such_log);
  CHECK(followed.size() == 100);
}

TEST_CASE("after stop() no callback runs in the executor, and one that runs is waited for") {
  Small s;
  Pool pool(2);
  auto client = in_pool(s, pool);
  auto log = *client.open_log("log");
  for (int i = 0; i < 50; ++i) REQUIRE(log.append(std::to_string(i)));
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> count = 0;
    std::atomic<bool> running = false;
    auto follower = log.follow(0, [&](const Entry&) {
      running = true;
      std::this_thread::sleep_for(200us);
      ++count;
      running = false;
    });
    while (count <= round) std::this_thread::yield();
    follower.stop();
    CHECK_FALSE(running);
    const int then = count;
    std::this_thread::sleep_for(1ms);
    CHECK(count == then);
  }
}

TEST_CASE("an append in an executor's callback never waits for room, and flush there says so") {
  Small s;
  Pool pool(1);
  auto client = in_pool(s, pool, 2000);
  auto log = *client.open_log("log");
  std::promise<void> go;
  auto gone = go.get_future().share();
  std::promise<std::pair<Errc, Errc>> said;
  log.append_then("first", [&, gone](const AppendResult&) {
    gone.wait();
    // The callback behind this one holds the room until it begins.
    AppendResult third;
    log.append_then(std::string(1500, 'y'), [&third](AppendResult r) { third = std::move(r); });
    said.set_value({third.error.code, code_of(client.flush(20s))});
  });
  auto second = std::make_shared<std::promise<void>>();
  log.append_then(std::string(1500, 'x'), [second](const AppendResult&) { second->set_value(); });
  CHECK_FALSE(client.flush(50ms));  // both appends are committed, and no callback has returned
  go.set_value();
  CHECK(said.get_future().get() == std::pair(Errc::too_many, Errc::would_deadlock));
  CHECK(client.flush(20s));
  CHECK(second->get_future().wait_for(0ms) == std::future_status::ready);
}

TEST_CASE("callbacks that an executor still holds run after their client is gone, once") {
  Small s;
  std::vector<std::function<void()>> held;
  std::mutex mutex;
  std::atomic<int> ran = 0;
  {
    auto client = *Client::connect(
        {.addresses = {s.cluster.address()}, .executor = [&](std::function<void()> f) {
           const std::lock_guard lock(mutex);
           held.push_back(std::move(f));
         }});
    auto log = *client.open_log("log");
    for (int i = 0; i < 10; ++i) log.append_then("x", [&ran](const AppendResult&) { ++ran; });
    while (s.log.tail()->committed == 0) std::this_thread::yield();
  }
  CHECK(ran == 0);
  for (auto& f : held) f();
  CHECK(ran == 10);
}

TEST_CASE("a client tells connections, the leader and a lost node, and its thread has a name") {
  Small s;
  std::mutex mutex;
  std::vector<ClientEvent> events;
  std::string thread;
  auto client = *Client::connect({.addresses = {s.cluster.address()},
                                  .on_event =
                                      [&](const ClientEvent& e) {
                                        char name[16] = {};
                                        pthread_getname_np(pthread_self(), name, sizeof(name));
                                        const std::lock_guard lock(mutex);
                                        thread = name;
                                        events.push_back(e);
                                      },
                                  .thread_name = "orders-client-with-a-long-name"});
  REQUIRE(client.open_log("log")->append("x"));
  const auto count = [&](ClientEvent::Kind kind) {
    const std::lock_guard lock(mutex);
    return std::ranges::count(events, kind, &ClientEvent::kind);
  };
  CHECK(count(ClientEvent::Kind::connected) >= 2);
  CHECK(count(ClientEvent::Kind::leader_changed) == 1);
  CHECK(thread == "orders-client-w");
  s.cluster.stop();
  for (int i = 0; i < 2000 && count(ClientEvent::Kind::connection_lost) < 2; ++i)
    std::this_thread::sleep_for(10ms);
  CHECK(count(ClientEvent::Kind::connection_lost) >= 2);
  const std::lock_guard lock(mutex);
  for (const ClientEvent& e : events) {
    CHECK(e.name() != "unknown_event");
    CHECK(e.text().starts_with(e.name()));
    if (e.kind != ClientEvent::Kind::leader_changed) CHECK_FALSE(e.address.empty());
    if (e.kind == ClientEvent::Kind::connection_lost) CHECK(e.error.code != Errc::ok);
  }
  const auto leader =
      std::ranges::find(events, ClientEvent::Kind::leader_changed, &ClientEvent::kind);
  CHECK(leader->role == ClientEvent::Role::sequencer);
  CHECK(leader->node == 1);
}

TEST_CASE("entries are read as views into the page, which outlive client and cluster") {
  EntryViews page, followed, frames;
  std::vector<Entry> copies;
  {
    Small s;
    for (int i = 0; i < 20; ++i) REQUIRE(s.log.append("entry " + std::to_string(i)));
    REQUIRE(s.log.append_batch({"a", "b"}));
    const auto end = s.log.end();
    REQUIRE(end);
    const auto read = s.log.read_views(0);
    REQUIRE(read);
    page = *read;
    copies = s.log.read(0)->entries;
    frames = *s.log.read_views(0, {.frames = true});
    auto follower = s.log.follow(0);
    followed = follower.next_views(1000, 20s);
    for (int i = 0; i < 100 && followed.entries.size() < copies.size(); ++i) {
      const auto more = follower.next_views(1000, 20s);
      followed.entries.insert(followed.entries.end(), more.entries.begin(), more.entries.end());
      followed.memory =
          std::make_shared<std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>>(
              followed.memory, more.memory);
      followed.next = more.next;
    }
    CHECK(follower.next_views(0, 20s).entries.empty());
    CHECK(follower.next_views(5, 0ms).entries.empty());
    CHECK(followed.next == follower.position());
    CHECK(page.next == *end);
    const auto trimmed = s.log.read_views(*end + 1000);
    REQUIRE_FALSE(trimmed);
    CHECK(trimmed.error().code == Errc::past_end);
  }
  REQUIRE(copies.size() == 21);
  for (const auto* views : {&page, &followed}) {
    REQUIRE(views->entries.size() == copies.size());
    for (std::size_t i = 0; i < copies.size(); ++i) {
      CHECK(views->entries[i].text() == copies[i].payload);
      CHECK(views->entries[i].offset == copies[i].offset);
      CHECK(views->entries[i].next == copies[i].next);
    }
  }
  // The payloads lie as far apart as their frames in the page: nothing was copied.
  for (std::size_t i = 1; i < copies.size(); ++i)
    CHECK(static_cast<std::uint64_t>(page.entries[i].payload.data() -
                                     page.entries[i - 1].payload.data()) ==
          page.entries[i].offset - page.entries[i - 1].offset);
  CHECK(page.entries.back().parts().size() == 2);
  CHECK(frames.entries.empty());
  CHECK(frames.frames.size() >= copies.size());  // and the log's own frames
  std::uint64_t bytes = 0;
  for (const auto frame : frames.frames) bytes += frame.size();
  CHECK(bytes == frames.next);
}

TEST_CASE("a handle deletes its own log, and not the log that took its name (T5)") {
  Small s;
  REQUIRE(s.client.delete_log("log"));
  auto later = s.client.create_log("log", {.replicas = 1});
  REQUIRE(later);
  CHECK(code_of(s.log.delete_log()) == Errc::no_such_log);
  REQUIRE(later->append("stays"));
  REQUIRE(later->delete_log());
  CHECK(code_of(s.client.open_log("log")) == Errc::no_such_log);
}

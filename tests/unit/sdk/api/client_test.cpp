// Promises of the public API towards the process around it: threads, callbacks, exceptions, forks
// and signals.
// Each test runs a real client against a cluster embedded in this process.
#include <doctest/doctest.h>
#include <loglog/embedded.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

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
std::string code_of(const std::expected<T, CallError>& r) {
  return r ? "ok" : r.error().code;
}

}  // namespace

TEST_CASE(
    "a blocking call in a callback returns would_deadlock at once, it does not hang the client "
    "(A4, F27)") {
  Small s;
  std::promise<std::vector<std::string>> said;
  auto future = said.get_future();
  // No entry ever comes there.
  auto following = std::make_shared<Follower>(s.log.follow(1ull << 40));
  // A callback runs on the client's own thread, so every blocking call in it would wait for itself.
  s.log.append("x", [&, following](const AppendResult&) {
    std::vector<std::string> codes = {s.log.append("y").error.code,
                                      s.log.append_batch({"y"}).error.code,
                                      code_of(s.log.read(0)),
                                      code_of(s.log.tail()),
                                      code_of(s.log.begin()),
                                      code_of(s.log.fence(7)),
                                      code_of(s.log.offset_at({})),
                                      code_of(s.client.open_log("log")),
                                      code_of(s.client.open_or_create_log("other")),
                                      code_of(s.client.list_logs()),
                                      code_of(s.client.delete_log("log")),
                                      code_of(s.client.trim_log("log", 0)),
                                      code_of(s.client.set_retention("log", 0, 0ms)),
                                      code_of(s.client.replace_disk(1)),
                                      code_of(s.client.status())};
    const auto none = following->next();
    codes.push_back(none ? "entry" : following->error() ? following->error()->code : "none");
    // Calls that do not block work in a callback.
    CHECK_FALSE(following->stopped());
    static_cast<void>(s.client.figures());
    said.set_value(std::move(codes));
  });
  testing::must(future.wait_for(20s) == std::future_status::ready,
                "a blocking call in a callback hangs (A4)");
  for (const std::string& code : future.get()) CHECK(code == "would_deadlock");
  CHECK(s.log.append("after"));
}

TEST_CASE(
    "an exception that leaves a callback ends the program by terminate, and passes through no "
    "foreign frames (A4, F27)") {
  const auto data = std::make_shared<testing::Folder>();  // the child cannot remove it
  const int status = status_of_child([&data] {
    // Nothing may catch the exception on its way to std::terminate.
    Small s({}, data);
    s.log.append("x", [](const AppendResult&) { throw std::runtime_error("the application's"); });
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
            std::string called;
            s->log.append("x", [&called](const AppendResult& r) { called = r.error.code; });
            code(s->log.append("x").error.code == "forked" && called == "forked" &&
                 code_of(s->log.read(0)) == "forked" &&
                 code_of(s->client.open_log("log")) == "forked" &&
                 s->log.append_async("x").get().error.code == "forked" && !following->next() &&
                 following->stopped() && following->error()->code == "forked" &&
                 s->log.follow(0).error()->code == "forked" &&
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
  CHECK(s->log.append("after", 20s));
  CHECK(following->next_for(20s));
}

TEST_CASE("the longest wait that can be named waits, and does not overflow") {
  Small s;
  auto follower = s.log.follow(0);
  std::thread appends([&s] {
    std::this_thread::sleep_for(50ms);
    CHECK(s.log.append("late", 20s));
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

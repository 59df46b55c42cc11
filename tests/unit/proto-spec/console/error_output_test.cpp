// Error output (proto-spec/console) under every bad state of stderr: full, without a reader, never
// read, closed. The promise: a log line never blocks a thread and never ends the process.
// Each test replaces a standard descriptor of this process for its duration and counts dropped
// lines with errors_dropped().
#include "proto-spec/console/error_output.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "proto-spec/transport/event_log.h"
#include "proto-spec/transport/uv_loop.h"

using namespace loglog;
using namespace loglog::console;
using namespace std::chrono_literals;

namespace {

/// Replaces descriptor `which` by `other`, or closes it if `other` is -1. The destructor restores
/// it.
class Instead {
 public:
  Instead(int which, int other) : which_(which), saved_(::fcntl(which, F_DUPFD_CLOEXEC, 10)) {
    REQUIRE(saved_ >= 0);
    if (other < 0) ::close(which);
    else REQUIRE(::dup2(other, which) == which);
  }
  Instead(const Instead&) = delete;
  Instead& operator=(const Instead&) = delete;
  ~Instead() {
    ::dup2(saved_, which_);
    ::close(saved_);
  }

 private:
  int which_, saved_;
};

/// A pipe whose ends close with the object.
struct Pipe {
  Pipe() { REQUIRE(::pipe(ends) == 0); }
  ~Pipe() {
    ::close(ends[0]);
    if (ends[1] >= 0) ::close(ends[1]);
  }
  /// Returns everything that the pipe holds now, without waiting.
  std::string drain() const {
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    std::string all;
    char piece[65536];
    for (ssize_t n = 0; (n = ::read(ends[0], piece, sizeof piece)) > 0;)
      all.append(piece, static_cast<std::size_t>(n));
    return all;
  }
  int ends[2];
};

/// Runs `work`, which must end within 5 s, and returns how many lines it dropped.
std::uint64_t dropped_by(const std::function<void()>& work) {
  const std::uint64_t before = errors_dropped();
  const auto begun = std::chrono::steady_clock::now();
  work();
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
  return errors_dropped() - before;
}

/// Logs a line as a node does; node logs never wait.
void log_a_line() {
  transport::EventLog("test", transport::LogLevel::info)(transport::LogLevel::info, "a line");
}

}  // namespace

TEST_CASE(
    "stderr: a log line that a full device does not take is dropped, and ends nothing (F01)") {
  const int full = ::open("/dev/full", O_WRONLY);
  REQUIRE(full >= 0);
  std::uint64_t dropped = 0;
  {
    const Instead stderr_is(STDERR_FILENO, full);
    dropped = dropped_by(log_a_line);
  }
  ::close(full);
  CHECK(dropped == 1);
}

TEST_CASE("stderr: a pipe whose reader has gone raises no signal and no exception (F01)") {
  Pipe p;
  const Instead stderr_is(STDERR_FILENO, p.ends[1]);
  // Without a reader a write gives EPIPE; the line is dropped and no SIGPIPE comes.
  ::close(p.ends[0]);
  CHECK(dropped_by(log_a_line) == 1);
  // The destructor must find a valid descriptor.
  p.ends[0] = ::open("/dev/null", O_RDONLY);
}

TEST_CASE(
    "stderr: a pipe that nobody reads holds no thread, and the next reader learns how much is "
    "missing (F01)") {
  Pipe p;
  const Instead stderr_is(STDERR_FILENO, p.ends[1]);
  // 3000 lines exceed the pipe's capacity, so most are dropped without waiting.
  const std::uint64_t dropped = dropped_by([] {
    for (int i = 0; i < 3000; ++i) log_a_line();
  });
  CHECK(dropped > 1000);
  CHECK(p.drain().find("info test: a line\n") != std::string::npos);
  // The pipe has room again: the next line tells the reader how many lines are missing.
  CHECK(dropped_by(log_a_line) == 0);
  const std::string after = p.drain();
  CHECK(after.find("lines before this could not be written here)\n") != std::string::npos);
  CHECK(after.ends_with("info test: a line\n"));
  // The descriptor's own flags are unchanged, because other processes may share the descriptor.
  CHECK((::fcntl(p.ends[1], F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("stderr: a command waits for a slow reader, for a while (F01)") {
  Pipe p;
  // Fill the pipe; then a reader empties it after 100 ms, within the patience of a command (5 s).
  const Instead stderr_is(STDERR_FILENO, p.ends[1]);
  while (dropped_by([] { write_error(std::string(4096, 'x')); }) == 0) {
  }
  std::thread reader([&p] {
    std::this_thread::sleep_for(100ms);
    p.drain();
  });
  CHECK(dropped_by([] { print_error("the {}\n", "sentence"); }) == 0);
  reader.join();
  CHECK(p.drain().ends_with("the sentence\n"));
}

TEST_CASE("stderr: a socket that is full holds no thread either (F01)") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  {
    const Instead stderr_is(STDERR_FILENO, ends[1]);
    CHECK(dropped_by([] {
            for (int i = 0; i < 5000; ++i) write_error(std::string(1000, 'x'));
          }) > 0);
  }
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE(
    "stderr: closed, it takes nothing and ends nothing; an event loop never gets its number "
    "(F01)") {
  // With 0, 1 and 2 closed, a new descriptor of the event loop would get such a number and receive
  // log lines.
  const Instead in(STDIN_FILENO, -1), out(STDOUT_FILENO, -1), err(STDERR_FILENO, -1);
  const std::uint64_t dropped = dropped_by(log_a_line);
  int lowest = 0;
  {
    transport::Loop loop;
    lowest = ::fcntl(loop.raw()->backend_fd, F_DUPFD_CLOEXEC, 0);
    ::close(lowest);
  }
  char c = 0;
  const bool reads = ::read(STDIN_FILENO, &c, 1) >= 0, writes = ::write(STDOUT_FILENO, &c, 1) >= 0;
  CHECK(dropped == 1);
  CHECK(lowest > 2);
  CHECK_FALSE(reads);  // reads and writes fail, as on a closed descriptor
  CHECK_FALSE(writes);
}

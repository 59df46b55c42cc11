#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <mutex>

#include "proto-spec/console/error_output.h"

namespace loglog::console {
namespace {

using Clock = std::chrono::steady_clock;

std::atomic<std::uint64_t> dropped = 0;

/// A write to a pipe without a reader raises SIGPIPE in the calling thread. This blocks it for a
/// while, and takes one that the write has raised; a signal that was pending before stays.
class NoSigpipe {
 public:
  NoSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoSigpipe() {
    const timespec at_once{};
    if (!was_pending_)
      while (sigtimedwait(&pipe_, nullptr, &at_once) == -1 && errno == EINTR) {
      }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  sigset_t pipe_, before_;
  bool was_pending_ = false;
};

/// Stderr, written without waiting.
class Sink {
 public:
  bool write_all(std::string_view text, Clock::time_point until) {
    while (!text.empty()) {
      const std::string_view piece = text.substr(0, error_piece_max);
      const ssize_t n = write_some(piece);
      if (n > 0) {
        text.remove_prefix(static_cast<std::size_t>(n));
        begun_ = true;
        continue;
      }
      if (n < 0 && errno == EINTR) continue;
      const bool full = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
      if (!full || !wait(until)) return false;
    }
    begun_ = false;
    return true;
  }
  /// A text was cut in its middle, and the next begins on a line of its own.
  bool begun() const { return begun_; }

 private:
  ssize_t write_some(std::string_view piece) {
    const int own = descriptor();
    if (is_socket_) return ::send(own, piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    // A pipe that could not be opened anew may be a blocking one. If it says that it has room, it
    // takes error_piece_max.
    if (waits_ && !is_ready(own)) {
      errno = EAGAIN;
      return -1;
    }
    return ::write(own, piece.data(), piece.size());
  }

  /// Whoever gave this process its stderr shares its file description, so that must not become
  /// non-blocking. A pipe or a terminal is opened once more; a file never makes a writer wait for
  /// ever.
  int descriptor() {
    struct stat now{};
    if (::fstat(STDERR_FILENO, &now) != 0) return STDERR_FILENO;
    if (known_ && now.st_dev == seen_.st_dev && now.st_ino == seen_.st_ino)
      return own_ >= 0 ? own_ : STDERR_FILENO;
    if (own_ >= 0) ::close(own_);
    own_ = -1;
    seen_ = now;
    known_ = true;
    is_socket_ = S_ISSOCK(now.st_mode);
    waits_ = S_ISFIFO(now.st_mode) || S_ISCHR(now.st_mode);
    if (waits_) own_ = ::open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own_ >= 0) waits_ = false;
    return own_ >= 0 ? own_ : STDERR_FILENO;
  }

  static bool is_ready(int fd) {
    pollfd p{fd, POLLOUT, 0};
    return ::poll(&p, 1, 0) == 1;
  }
  bool wait(Clock::time_point until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return false;
    pollfd p{descriptor(), POLLOUT, 0};
    ::poll(&p, 1, static_cast<int>(std::min<long long>(left, 1000)));
    return true;
  }

  struct stat seen_{};
  bool known_ = false;
  bool is_socket_ = false;
  bool waits_ = false;  // a write may wait for a reader
  int own_ = -1;
  bool begun_ = false;
};

/// Never destroyed: threads may outlive main().
struct Shared {
  std::mutex mutex;
  Sink sink;
};
Shared& shared() {
  static auto* const s = new Shared;
  return *s;
}

}  // namespace

void write_error(std::string_view text, std::chrono::milliseconds patience) noexcept {
  std::mutex* const mutex = &shared().mutex;
  Sink* const sink = &shared().sink;
  static std::uint64_t told = 0;
  const int before = errno;
  const auto until = Clock::now() + patience;
  try {
    const std::lock_guard lock(*mutex);
    const NoSigpipe quiet;
    bool ok = true;
    if (const std::uint64_t lost = dropped.load() - told; lost > 0 || sink->begun()) {
      ok = sink->write_all(fmt::format("{}({} lines before this could not be written here)\n",
                                       sink->begun() ? "\n" : "", lost),
                           until);
      if (ok) told += lost;
    }
    if (!ok || !sink->write_all(text, until)) ++dropped;
  } catch (...) {
    ++dropped;  // no memory for the line about lines
  }
  errno = before;
}

std::uint64_t errors_dropped() noexcept { return dropped; }

void occupy_standard_descriptors() noexcept {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) != -1) continue;
    const int null = ::open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) |
                                             O_CLOEXEC);  // the lowest that is free
    if (null != fd && null >= 0) ::close(null);
  }
}

}  // namespace loglog::console

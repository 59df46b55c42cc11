// The difficulty is to write without waiting while other processes share the descriptor. O_NONBLOCK
// belongs to the file description, so setting it would change it for them too.
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

// Texts, not bytes.
std::atomic<std::uint64_t> dropped = 0;

/// A write to a pipe without a reader raises SIGPIPE in the calling thread. This class blocks the
/// signal for its lifetime and consumes an instance that the write has raised. A signal that was
/// pending before stays pending.
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

/// Stderr, written without waiting. Guarded by Shared::mutex.
class Sink {
 public:
  // False if the text could not be written whole by `until`.
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
  /// True if a text was cut in its middle; the next text then begins on a line of its own.
  bool begun() const { return begun_; }

 private:
  ssize_t write_some(std::string_view piece) {
    const int own = descriptor();
    if (is_socket_) return ::send(own, piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    // This pipe could not be opened anew, and may block. A pipe that reports room takes a piece of
    // error_piece_max at once.
    if (waits_ && !is_ready(own)) {
      errno = EAGAIN;
      return -1;
    }
    return ::write(own, piece.data(), piece.size());
  }

  /// The descriptor to write to. The process that gave this process its stderr shares the file
  /// description, which must therefore not become non-blocking. A pipe or a terminal is opened a
  /// second time, without blocking; a file never blocks for ever. Checked at each write, because a
  /// program may redirect its stderr.
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

  // True if a write would not block now.
  static bool is_ready(int fd) {
    pollfd p{fd, POLLOUT, 0};
    return ::poll(&p, 1, 0) == 1;
  }
  // Waits for room in the pipe, at most a second at a time. False if `until` has passed.
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
  int own_ = -1;        // the second opening of stderr; -1: none
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
  // Dropped texts that a line has reported; guarded by the mutex.
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
    // No memory for the line that reports dropped lines.
    ++dropped;
  }
  errno = before;
}

std::uint64_t errors_dropped() noexcept { return dropped; }

void occupy_standard_descriptors() noexcept {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) != -1) continue;
    // The system gives the lowest free number, which is `fd`.
    const int null = ::open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
    if (null != fd && null >= 0) ::close(null);
  }
}

}  // namespace loglog::console

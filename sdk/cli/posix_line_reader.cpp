// poll() with a short time-out precedes each read(), so that `stopped` is asked although no input
// comes.
#include "sdk/cli/posix_line_reader.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace loglog::cli {

/// Waits for input and appends it to the buffer.
std::expected<LineReader::More, std::string> LineReader::read_more(
    const std::function<bool()>& stopped) {
  constexpr std::size_t step = 64u << 10;
  if (ended_) return More::ended;
  for (;;) {
    if (stopped()) return More::stopped;
    pollfd readable{descriptor_, POLLIN, 0};
    if (const int ready = ::poll(&readable, 1, 100); ready == 0 || (ready < 0 && errno == EINTR))
      continue;
    const std::size_t before = buffer_.size();
    buffer_.resize(before + step);
    const ssize_t n = ::read(descriptor_, buffer_.data() + before, step);
    buffer_.resize(before + static_cast<std::size_t>(n > 0 ? n : 0));
    if (n > 0) return More::yes;
    if (n == 0) {
      ended_ = true;
      return More::ended;
    }
    // EAGAIN: another process may have made the shared descriptor non-blocking.
    if (errno != EINTR && errno != EAGAIN)
      return std::unexpected(fmt::format("the input cannot be read: {}", std::strerror(errno)));
  }
}

std::expected<std::optional<std::string>, std::string> LineReader::next(
    const std::function<bool()>& stopped) {
  if (stopped()) return std::nullopt;
  for (;;) {
    const std::size_t newline = buffer_.find('\n', looked_);
    if (newline != std::string::npos) {
      std::string line = buffer_.substr(begin_, newline - begin_);
      begin_ = looked_ = newline + 1;
      return line;
    }
    // Only here are returned lines removed, so that many short lines cost a single move.
    buffer_.erase(0, std::exchange(begin_, 0));
    looked_ = buffer_.size();
    if (looked_ > line_bytes_max)
      return std::unexpected(fmt::format(
          "a line has more than {} bytes; give a large entry as a file (--file)", line_bytes_max));
    const auto more = read_more(stopped);
    if (!more) return std::unexpected(more.error());
    if (*more == More::yes) continue;
    if (*more == More::stopped || buffer_.empty()) return std::nullopt;
    begin_ = looked_ = 0;
    return std::exchange(buffer_, {});
  }
}

std::expected<std::optional<std::string>, std::string> LineReader::rest(
    const std::function<bool()>& stopped, std::size_t bytes_max) {
  for (;;) {
    const auto more = read_more(stopped);
    if (!more) return std::unexpected(more.error());
    if (*more == More::stopped) return std::nullopt;
    if (*more == More::ended) break;
    if (buffer_.size() - begin_ > bytes_max)
      return std::unexpected(fmt::format("the input has more than {} bytes", bytes_max));
  }
  std::string all = buffer_.substr(begin_);
  buffer_.clear();
  begin_ = looked_ = 0;
  return all;
}

}  // namespace loglog::cli

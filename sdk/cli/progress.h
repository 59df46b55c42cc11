// How far a long command is: one line on stderr, redrawn in place.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "sdk/cli/posix_terminal.h"

namespace loglog::cli {

/// The line, at most `width` columns: title, bar, per cent, text. `fraction`: 0 to 1, below 0 where
/// nobody knows, which leaves the bar out.
std::string progress_line(const std::string& title, double fraction, const std::string& text,
                          std::size_t width);
/// "1.2 MiB of 3.0 MiB, 40.0 MiB/s, 12 s left" after so many seconds; of `total` 0 only what is
/// done.
std::string transfer_text(std::uint64_t done, std::uint64_t total, double seconds);

/// Takes the line away, if one is drawn: what is written next begins in its place. From any thread.
void clear_progress();

/// One at a time: there is one stderr.
class Progress {
 public:
  /// `automatic`: shown where stderr is a terminal.
  Progress(When when, std::string title);
  ~Progress() { end(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Redraws at most ten times a second, else does nothing.
  void show(double fraction, const std::string& text);
  /// The same of bytes; `total` 0: not known.
  void show_bytes(std::uint64_t done, std::uint64_t total);
  void end() { clear_progress(); }

 private:
  using Clock = std::chrono::steady_clock;
  bool is_due();
  bool shown_;
  std::string title_;
  Clock::time_point begin_ = Clock::now();
  Clock::time_point due_ = begin_;
};

}  // namespace loglog::cli

// Progress of a long command: a line on stderr that is redrawn in place. Text (progress_line,
// transfer_text) is pure and tested by itself; Progress draws it.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "sdk/cli/posix_terminal.h"

namespace loglog::cli {

/// The line, at most `width` columns: title, bar, percentage, text. `fraction`: 0 to 1; below 0 if
/// the total is unknown, which leaves the bar out.
std::string progress_line(const std::string& title, double fraction, const std::string& text,
                          std::size_t width);
/// "1.2 MiB of 3.0 MiB, 40.0 MiB/s, 12 s left" after `seconds`. `total` 0: unknown, so without
/// total and remaining time.
std::string transfer_text(std::uint64_t done, std::uint64_t total, double seconds);

/// Removes the line, if it is drawn, so that the next output begins in its place. From any thread.
void clear_progress();

/// Draws the line of the command. Only a single instance at a time, because all share stderr. Not
/// thread-safe.
class Progress {
 public:
  /// `automatic`: shown if stderr is a terminal.
  Progress(When when, std::string title);
  ~Progress() { end(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Redraws, at most ten times a second; otherwise does nothing.
  void show(double fraction, const std::string& text);
  /// The same for bytes; `total` 0: unknown.
  void show_bytes(std::uint64_t done, std::uint64_t total);
  void end() { clear_progress(); }

 private:
  using Clock = std::chrono::steady_clock;
  bool is_due();
  bool shown_;
  std::string title_;
  Clock::time_point begin_ = Clock::now();
  Clock::time_point due_ = begin_;  // not redrawn before
};

}  // namespace loglog::cli

// `drawn` is global, because failed() must be able to remove the line of any command.
#include "sdk/cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "proto-spec/console/error_output.h"
#include "sdk/cli/text.h"

namespace loglog::cli {
namespace {
std::atomic<bool> drawn = false;
}  // namespace

std::string progress_line(const std::string& title, double fraction, const std::string& text,
                          std::size_t width) {
  if (fraction < 0) return cut_to(fmt::format("{}: {}", title, text), width);
  fraction = std::min(fraction, 1.0);
  const std::string numbers = fmt::format(" {:3.0f} %  {}", fraction * 100, text);
  const std::size_t taken = columns_of(title) + columns_of(numbers) + 3;  // ' ', '[' and ']'
  const std::size_t room = width > taken ? std::min<std::size_t>(width - taken, 40) : 0;
  if (room < 8) return cut_to(title + numbers, width);  // a shorter bar shows nothing
  const auto full = static_cast<std::size_t>(fraction * static_cast<double>(room));
  return fmt::format("{} [{}{}]{}", title, std::string(full, '#'), std::string(room - full, '-'),
                     numbers);
}

std::string transfer_text(std::uint64_t done, std::uint64_t total, double seconds) {
  const auto now = static_cast<double>(done);
  const double rate = seconds > 0 ? now / seconds : 0;
  std::string text = human_bytes(now);
  if (total > 0) text += " of " + human_bytes(static_cast<double>(total));
  text += fmt::format(", {}/s", human_bytes(rate));
  if (total > done && rate > 0)
    text += fmt::format(", {} left", human_seconds(static_cast<double>(total - done) / rate));
  return text;
}

Progress::Progress(When when, std::string title)
    : shown_(when == When::always || (when == When::automatic && is_terminal(Stream::error))),
      title_(std::move(title)) {}

void clear_progress() {
  if (drawn.exchange(false)) console::print_error("\r\x1b[K");
}

bool Progress::is_due() {
  const auto now = Clock::now();
  if (!shown_ || now < due_) return false;
  due_ = now + std::chrono::milliseconds(100);
  return true;
}

void Progress::show(double fraction, const std::string& text) {
  if (!is_due()) return;
  // The last column stays free, because some terminals move on to the next line when it is written.
  console::print_error(
      "\r{}\x1b[K", progress_line(title_, fraction, text, screen_size(Stream::error).columns - 1));
  drawn = true;
}

void Progress::show_bytes(std::uint64_t done, std::uint64_t total) {
  const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  show(total > 0 ? static_cast<double>(done) / static_cast<double>(total) : -1,
       transfer_text(done, total, seconds));
}

}  // namespace loglog::cli

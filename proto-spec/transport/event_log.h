// One readable line per event on stderr: UTC time, level, program, text. A text may quote a peer,
// so it is made printable here.
#pragma once
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string_view>

#include "proto-spec/console/error_output.h"
#include "proto-spec/vocabulary/printable.h"

namespace loglog::transport {

/// In this order; what is below the chosen level is not printed.
enum class LogLevel : std::uint8_t { debug = 0, info = 1, warning = 2, alarm = 3, off = 4 };

/// From any thread. Copies share the level. Never waits: a line that stderr does not take is
/// dropped and counted.
class EventLog {
 public:
  EventLog(std::string who, LogLevel lowest)
      : who_(std::move(who)), lowest_(std::make_shared<std::atomic<LogLevel>>(lowest)) {}
  void operator()(LogLevel level, std::string_view text) const {
    if (level < lowest_->load(std::memory_order_relaxed)) return;
    static constexpr std::string_view names[] = {"debug", "info", "warning", "ALARM", ""};
    const auto now = std::chrono::system_clock::now();
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() %
        1000;
    console::write_error(fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z {} {}: {}\n",
                                     fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms,
                                     names[static_cast<std::size_t>(level)], who_,
                                     printable(text)));
  }
  /// From now on, of all copies.
  void set_lowest(LogLevel level) const { lowest_->store(level, std::memory_order_relaxed); }

 private:
  std::string who_;
  std::shared_ptr<std::atomic<LogLevel>> lowest_;
};

}  // namespace loglog::transport

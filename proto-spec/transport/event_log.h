// The log of a process: a readable line per event on stderr, with UTC time, level, program and
// text. A text may quote a peer, so it is made printable here. Servers and `loglog` use it; writing
// is in console/error_output.h.
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

/// Ascending; events below the chosen level are not written. alarm: an operator must act. off: no
/// event has this level, so it silences the log.
enum class LogLevel : std::uint8_t { debug = 0, info = 1, warning = 2, alarm = 3, off = 4 };

/// Thread-safe; copies share the level. Never waits: a line that stderr does not take is dropped
/// and counted.
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
  /// Changes the level of this log and of all its copies.
  void set_lowest(LogLevel level) const { lowest_->store(level, std::memory_order_relaxed); }

 private:
  std::string who_;
  std::shared_ptr<std::atomic<LogLevel>> lowest_;
};

}  // namespace loglog::transport

// Log lines about peers. Peers can cause them as often as they like, so at most a line a second is
// written. Servers use it for connections that were closed.
#pragma once
#include <utility>

#include "proto-spec/transport/event_log.h"
#include "proto-spec/vocabulary/time.h"

namespace loglog::transport {

/// Not thread-safe. The line after a pause says how many lines were left out before it.
class SparingLog {
 public:
  explicit SparingLog(EventLog log) : log_(std::move(log)) {}
  /// Writes or counts. `now`: the loop's monotonic time.
  void operator()(Time now, LogLevel level, std::string_view text) {
    if (now < next_) {
      ++left_out_;
      return;
    }
    next_ = now + 1s;
    const std::uint64_t before = std::exchange(left_out_, 0);
    log_(level, before == 0 ? std::string(text)
                            : fmt::format("{} (and {} lines like it before)", text, before));
  }

 private:
  EventLog log_;
  Time next_{};  // no line before this time
  std::uint64_t left_out_ = 0;
};

}  // namespace loglog::transport

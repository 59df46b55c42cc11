// Lines about peers, which may come as often as anybody likes: one a second is written.
#pragma once
#include <utility>

#include "proto-spec/transport/event_log.h"
#include "proto-spec/vocabulary/time.h"

namespace loglog::transport {

/// Not thread-safe.
class SparingLog {
 public:
  explicit SparingLog(EventLog log) : log_(std::move(log)) {}
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
  Time next_{};
  std::uint64_t left_out_ = 0;
};

}  // namespace loglog::transport

// Warnings about one log that may come again at once. A fault that lasts turns around as fast as
// the network allows; without a brake its lines fill the disk that holds the log files. The machine
// asks here before it says a warning.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "proto-spec/vocabulary/ids.h"
#include "proto-spec/vocabulary/time.h"

namespace loglog::sequencer {

/// The same warning is said at most once in this time.
inline constexpr Duration warning_interval = 10s;

class RepeatedWarnings {
 public:
  /// The line to write now, with the number of lines that were held back since the last; nullopt:
  /// it is held back too. `kind` is a literal that names the place in the code: text, which holds
  /// offsets, differs each time.
  std::optional<std::string> say(Time now, LogId log, NodeId node, std::string_view kind,
                                 std::string text);
  /// The log is deleted.
  void forget(LogId log);
  void clear() { said_.clear(); }
  std::size_t size() const { return said_.size(); }

 private:
  struct Said {
    Time at;
    std::uint64_t held_back = 0;
  };
  std::map<std::tuple<LogId, NodeId, std::string_view>, Said> said_;
};

}  // namespace loglog::sequencer

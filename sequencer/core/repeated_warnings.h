// A brake for warnings about a log. A fault that lasts repeats its warning as fast as the network
// allows; without a brake these lines would fill the disk of the log files. The machine asks this
// object before it writes a warning (LogHost::warn).
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

/// Shortest pause between two lines of the same log, node and kind.
inline constexpr Duration warning_interval = 10s;

/// Entries are bounded by logs x replicas x kinds.
class RepeatedWarnings {
 public:
  /// The line to write now, with the number of lines that were held back since the last line.
  /// nullopt: this line is held back too. `kind` is a literal that names the place in the code;
  /// `text` holds offsets and so differs each time. `kind` must live as long as this object.
  std::optional<std::string> say(Time now, LogId log, NodeId node, std::string_view kind,
                                 std::string text);
  /// The log is deleted, so its entries go.
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

// The first warning of a kind is written at once. Later warnings are counted, and the next line
// that is written tells the count.
#include "sequencer/core/repeated_warnings.h"

#include <fmt/format.h>

namespace loglog::sequencer {

std::optional<std::string> RepeatedWarnings::say(Time now, LogId log, NodeId node,
                                                 std::string_view kind, std::string text) {
  const auto [found, first] = said_.try_emplace({log, node, kind}, Said{now});
  Said& said = found->second;
  if (first) return text;
  if (now < said.at + warning_interval) {
    ++said.held_back;
    return std::nullopt;
  }
  if (said.held_back > 0) text += fmt::format(" ({} more like it were held back)", said.held_back);
  said = {now};
  return text;
}

void RepeatedWarnings::forget(LogId log) {
  const auto begin = said_.lower_bound({log, NodeId{}, std::string_view{}});
  auto end = begin;
  while (end != said_.end() && std::get<LogId>(end->first) == log) ++end;
  said_.erase(begin, end);
}

}  // namespace loglog::sequencer

// The text of `loglog status`. Pure: a report in, text out; command_status.cpp prints it.
#pragma once
#include <loglog/client.h>

#include <map>
#include <string>
#include <string_view>

namespace loglog::cli {

/// "healthy", "degraded", "not serving".
std::string_view word_of(ClusterReport::Health h);
/// The same for programs, as in /status.json: "not_serving".
std::string_view id_of(ClusterReport::Health h);

struct StatusStyle {
  bool colours = false;
  /// Bytes per second committed to each log, by name; not owned. nullptr: no such column.
  const std::map<std::string, double>* rates = nullptr;
};
/// The whole report; ends with a newline. Lines have any length: Screen::show() cuts them.
std::string status_text(const ClusterReport& r, const StatusStyle& style);

}  // namespace loglog::cli

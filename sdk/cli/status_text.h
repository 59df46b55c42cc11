// What `loglog status` says of a cluster. Pure: a report in, text out.
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
  /// Bytes per second committed to each log; without it the column is left out.
  const std::map<std::string, double>* rates = nullptr;
};
/// Ends with a newline. Lines are as long as they come: who draws on a screen cuts them.
std::string status_text(const ClusterReport& r, const StatusStyle& style);

}  // namespace loglog::cli

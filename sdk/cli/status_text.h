// What `loglog status` says of a cluster. Pure: a report in, text out.
#pragma once
#include <loglog/client.h>

#include <map>
#include <string>

namespace loglog::cli {

enum class Health : std::uint8_t {
  healthy,     ///< all nodes and replicas are there
  degraded,    ///< appends and reads go on, with less to spare
  not_serving  ///< appends to some log, or to all, wait or are refused
};
struct HealthVerdict {
  Health health{};
  std::string sentence;  ///< what is wrong, what it means for appends and reads, what may still fail
};
HealthVerdict health_of(const ClusterReport& r);

struct StatusStyle {
  bool colours = false;
  /// Bytes per second committed to each log; without it the column is left out.
  const std::map<std::string, double>* rates = nullptr;
};
/// Ends with a newline. Lines are as long as they come: who draws on a screen cuts them.
std::string status_text(const ClusterReport& r, const StatusStyle& style);

}  // namespace loglog::cli

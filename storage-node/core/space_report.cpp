// A report looks at every log for damage and space, and names the sizes of some logs.
#include "storage-node/core/space_report.h"

#include <algorithm>

namespace loglog::storage {
namespace {
/// Interval of SpaceIs.
constexpr Duration report_every = 1s;
}  // namespace

SpaceIs SpaceReport::make(const LogTable& logs, std::vector<NodeId> unreachable,
                          std::vector<SequencerId> twice) {
  due_ = node_.now + report_every;
  const bool suspect =
      std::ranges::any_of(logs.all(), [](const auto& l) { return l.second->state.is_suspect(); });
  std::vector<LogId> full;
  for (const auto& [id, l] : logs.all())
    if (l->state.store.no_space() != Errc::ok && full.size() < full_logs_told_max)
      full.push_back(id);
  return {node_.staging.bytes(),  node_.options.staging.bytes_max,
          std::move(full),        suspect,
          disk_.free_bytes,       disk_.size_bytes,
          std::move(unreachable), next_log_bytes(logs),
          std::move(twice)};
}

/// The logs take turns, so that a report stays small however many logs there are.
std::vector<LogBytes> SpaceReport::next_log_bytes(const LogTable& logs) {
  std::vector<LogBytes> out;
  const LogTable::Logs& all = logs.all();
  auto l = all.upper_bound(log_bytes_told_);
  for (std::size_t n = 0; n < all.size() && out.size() < log_bytes_told_max; ++n, ++l) {
    if (l == all.end()) l = all.begin();
    if (!l->second->state.dropped) out.push_back({l->first, l->second->disk_bytes()});
    log_bytes_told_ = l->first;
  }
  return out;
}

}  // namespace loglog::storage

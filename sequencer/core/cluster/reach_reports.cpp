// A report counts for three intervals, so that a single lost message does not make a sequencer look
// cut off.
#include "sequencer/core/cluster/reach_reports.h"

#include <algorithm>
#include <utility>

namespace loglog::sequencer {

bool ReachReports::take_due(Time now) {
  if (now < due_) return false;
  due_ = now + options_.reach_every;
  return true;
}

void ReachReports::heard(Time now, SequencerId from, Reaches&& report, std::size_t nodes_max) {
  // A longer list names nodes twice, or nodes that nobody knows.
  if (report.storage.size() > nodes_max) report.storage.clear();
  reports_[from] = {std::move(report.storage), report.space_is_low, now};
}

void ReachReports::space_is_low(Time now, bool low) {
  space_is_low_ = low;
  due_ = now;
}

const std::vector<NodeId>* ReachReports::lately(Time now, SequencerId id) const {
  const auto r = reports_.find(id);
  return r == reports_.end() || !is_recent(now, r->second) ? nullptr : &r->second.storage;
}

std::vector<SequencerId> ReachReports::heard_lately(Time now) const {
  std::vector<SequencerId> out;
  for (const auto& [id, r] : reports_)
    if (is_recent(now, r)) out.push_back(id);
  return out;
}

bool ReachReports::metadata_may_grow(Time now) const {
  const auto full = std::ranges::count_if(
      reports_, [&](const auto& r) { return r.second.space_is_low && is_recent(now, r.second); });
  return !space_is_low_ && static_cast<std::size_t>(full) < (options_.sequencers.size() + 1) / 2;
}

}  // namespace loglog::sequencer

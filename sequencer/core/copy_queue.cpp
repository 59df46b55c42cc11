// `waiting` is served in order of arrival. A log that ends while it waits leaves the line as well.
#include "sequencer/core/copy_queue.h"

#include <algorithm>

#include "sequencer/core/rules.h"

namespace loglog::sequencer {

bool CopyQueue::begin(LogId log, NodeId node, bool urgent) {
  Line& line = lines_[node];
  if (line.active.contains(log)) return true;
  // An urgent copy may exceed the bound: its log takes no appends before (P4), and waiting would
  // cost more than a crowded link.
  if (rules::may_begin_copy(urgent, line.active.size(), max_)) {
    std::erase(line.waiting, log);
    line.active.insert(log);
    return true;
  }
  if (std::ranges::find(line.waiting, log) == line.waiting.end()) line.waiting.push_back(log);
  return false;
}

void CopyQueue::end(LogId log, NodeId node) {
  const auto line = lines_.find(node);
  if (line == lines_.end()) return;
  line->second.active.erase(log);
  std::erase(line->second.waiting, log);
}

void CopyQueue::forget(LogId log) {
  for (auto& [node, line] : lines_) {
    line.active.erase(log);
    std::erase(line.waiting, log);
  }
}

std::vector<std::pair<LogId, NodeId>> CopyQueue::take_ready() {
  std::vector<std::pair<LogId, NodeId>> out;
  for (auto& [node, line] : lines_)
    while (!line.waiting.empty() && line.active.size() < max_) {
      out.emplace_back(line.waiting.front(), node);
      line.active.insert(line.waiting.front());
      line.waiting.pop_front();
    }
  return out;
}

}  // namespace loglog::sequencer

// V1: a run that too few replicas have would hold up the log until somebody uploads it. A new term
// drops it by its recovery; that is safe because the run was never acknowledged.
#include "sequencer/core/log/missing_runs.h"

#include <fmt/format.h>

#include <algorithm>

#include "sequencer/core/rules.h"

namespace loglog::sequencer {

void MissingRuns::reported(NodeId from, Offset at, const Reference& run, ConnectionId producer) {
  Run& m = runs_[at];
  m.run = run;
  ++m.reports[from];
  ++host_.figures().missing_reports;
  if (cancelled_.contains(run.producer)) m.cancelled = true;
  if (host_.connected(producer))
    host_.to_client({producer, {}}, UploadAgain{info_.id, run.producer, run.first});
}

void MissingRuns::cancelled(const Cancel& c, bool known) {
  for (auto& [at, m] : runs_)
    if (m.run.producer == c.producer && m.run.first + (m.run.count - 1) >= c.first)
      m.cancelled = true;
  if (known) cancelled_.insert(c.producer);
}

bool MissingRuns::is_back(Offset at) {
  const auto m = runs_.find(at);
  if (m == runs_.end()) return false;
  m->second.gone_since = never;
  return true;
}

void MissingRuns::committed(Offset committed) {
  while (!runs_.empty() && runs_.begin()->first < committed) runs_.erase(runs_.begin());
}

/// The producer is asked first. A producer that is gone is waited for briefly, and then fewer than
/// W possible holders suffice to drop the run. A producer that is there but uploads the run to
/// nobody must not hold up all others. Its run is dropped when every replica has reported it twice.
bool MissingRuns::is_dropped(Offset at, const Run& m, bool gone, const ReplicaSet& replicas) const {
  const auto holders = [&](unsigned reports) {
    return replicas.may_have(at + m.run.length, [&](NodeId node) {
      const auto said = m.reports.find(node);
      return said != m.reports.end() && said->second >= reports;
    });
  };
  return gone ? holders(1) < info_.options.write_quorum
              : rules::drops_missing_run(holders(options_.missing_runs.reports_max));
}

std::optional<MissingRuns::Dropped> MissingRuns::check(Time now, const ReplicaSet& replicas,
                                                       const ProducerTable& producers) {
  for (auto& [at, m] : runs_) {
    const ConnectionId producer = producers.connection(m.run.producer);
    if (host_.connected(producer)) m.gone_since = never;
    else if (m.gone_since == never) m.gone_since = now;
    const bool gone =
        m.cancelled ||
        (m.gone_since != never && now - m.gone_since >= options_.missing_runs.producer_gone_after);
    if (!is_dropped(at, m, gone, replicas)) continue;
    host_.warn(
        info_.id, NodeId{}, "never uploaded",
        fmt::format(
            "log {}: a run at {} was never uploaded and its producer {}; a new term drops it",
            info_.id.value, at.value, gone ? "is gone" : "does not bring it"));
    return Dropped{at, producer};
  }
  return std::nullopt;
}

Time MissingRuns::wake() const {
  Time t = never;
  for (const auto& [at, m] : runs_)
    if (m.gone_since != never)
      t = std::min(t, m.gone_since + options_.missing_runs.producer_gone_after);
  return t;
}

}  // namespace loglog::sequencer

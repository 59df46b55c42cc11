// The Commits themselves: the values that bind a run to its term and to the producer's order.
#include "sdk/core/commit_order.h"

#include <algorithm>

namespace loglog::client {

Message CommitOrder::commit(LogId log, Term term, Sequence settled, Run& run) const {
  run.commit_sent(known_, term);
  const AppendConditions& c = run.conditions;
  if (c == AppendConditions{}) return Commit{log, term, settled, run.reference};
  return CommitIf{log, term, settled, run.reference, c.expected, c.fence};
}

Time CommitOrder::wake(Time now, const RunList& runs) const {
  const bool waits = commit_at_ > now && std::any_of(runs.begin(), runs.end(), [](const Run& r) {
                       return !r.awaits_answer();
                     });
  return waits ? commit_at_ : never;
}

}  // namespace loglog::client

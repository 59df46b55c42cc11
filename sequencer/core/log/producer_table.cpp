// The order of the checks in judge() is A1's table (spec/07). A verdict never depends on the
// connection that a commit came over, so a commit may be repeated over another connection.
#include "sequencer/core/log/producer_table.h"

#include <algorithm>
#include <utility>

#include "proto-spec/vocabulary/check.h"
#include "sequencer/core/rules.h"

namespace loglog::sequencer {

ProducerTable::Judgement ProducerTable::judge(const Commit& c, Offset committed) {
  if constexpr (mutations) {
    if (!rules::remembers_producers()) forget_if_committed(c.run.producer, committed);
  }
  const auto found = producers_.find(c.run.producer);
  if (found == producers_.end()) {
    // A1: the producer has no record in this term.
    const Sequence expected = c.settled + 1;
    if (!rules::may_begin_with(c.run.first, expected)) return {Verdict::wrong_sequence, expected};
    if (producers_.size() >= producers_max_ || runs_ >= runs_max_) return {Verdict::full};
    return {Verdict::accept, expected};
  }
  Producer& p = found->second;
  // The producer's word may free runs and move `expected` on, so it is taken before the judgement.
  settle(p, c.settled, committed);
  const Sequence expected = rules::expected_sequence(p.next, c.settled);
  if (!rules::leaves_gap(c.run.first, expected) && !rules::goes_back(c.run.first, expected))
    return runs_ >= runs_max_ ? Judgement{Verdict::full} : Judgement{Verdict::accept, expected};
  // Not the next run: it is either a repeat of a run that the table remembers, or out of sequence.
  Run* run = find(p, c.run.first);
  if (run == nullptr || run->reference.count != c.run.count)
    return {Verdict::wrong_sequence, expected};
  if (run->reference != c.run) return {Verdict::other_bytes, expected};
  return {Verdict::repeat, expected, run};
}

void ProducerTable::add(const Commit& c, Offset at, Client client) {
  use_up(c, client.connection, {c.run, at, {client}});
}

void ProducerTable::refuse(const Commit& c, Offset end, ConnectionId connection) {
  use_up(c, connection, {c.run, end, {}, true});
}

/// Uses up the run's numbers, whether it was ordered or refused for good.
void ProducerTable::use_up(const Commit& c, ConnectionId connection, Run run) {
  Producer& p = producers_[c.run.producer];
  p.next = c.run.first + c.run.count;
  p.connection = connection;
  p.runs.push_back(std::move(run));
  ++runs_;
}

ProducerTable::Run* ProducerTable::find(ProducerId producer, Sequence first) {
  const auto p = producers_.find(producer);
  return p == producers_.end() ? nullptr : find(p->second, first);
}

ProducerTable::Run* ProducerTable::find(Producer& p, Sequence first) {
  const auto r =
      std::lower_bound(p.runs.begin(), p.runs.end(), first,
                       [](const Run& run, Sequence s) { return run.reference.first < s; });
  return r == p.runs.end() || r->reference.first != first ? nullptr : &*r;
}

ConnectionId ProducerTable::connection(ProducerId producer) const {
  const auto p = producers_.find(producer);
  return p == producers_.end() ? ConnectionId{} : p->second.connection;
}

void ProducerTable::seen_on(ProducerId producer, ConnectionId connection) {
  if (const auto p = producers_.find(producer); p != producers_.end())
    p->second.connection = connection;
}

/// Drops runs that are settled. A run that is not committed here stays, whatever its producer says,
/// because its answer is still owed.
void ProducerTable::settle(Producer& p, Sequence through, Offset committed) {
  while (!p.runs.empty()) {
    const Run& r = p.runs.front();
    if (r.reference.first + (r.reference.count - 1) > through || r.end() > committed) break;
    p.runs.pop_front();
    --runs_;
  }
}

}  // namespace loglog::sequencer

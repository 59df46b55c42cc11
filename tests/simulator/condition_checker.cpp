// Both judgements read the whole log: first each entry against its own conditions, then each
// refusal against the entries.
#include "tests/simulator/condition_checker.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/simulator/checkers.h"

namespace loglog::simulator {
void ConditionChecker::mismatched(const std::string& payload, Offset ends) {
  const Asked& asked = asked_[payload];
  mismatches_.push_back({payload, asked.conditions.expected, ends, asked.known});
}

// Repeated answers for a token may name later ends; only the lowest is a promise.
void ConditionChecker::fence_set(FenceToken token, Offset end) {
  const auto [at, fresh] = fences_.try_emplace(token, end);
  at->second = std::min(at->second, end);
}

void ConditionChecker::judge(const std::vector<client::Entry>& entries, Offset first) {
  const client::Entry* before = nullptr;
  for (const client::Entry& e : entries) {
    const std::string payload{e.payload.text()};
    const auto asked = asked_.find(payload);
    if (asked != asked_.end()) {
      const client::AppendConditions& c = asked->second.conditions;
      if (c.expected != no_offset && before != nullptr && before->next > c.expected)
        violated(world_, promise::condition,
                 fmt::format(
                     "{} expected the end at {}, stands at {}, and an entry stands at {} before it",
                     short_form(payload), c.expected.value, e.offset.value, before->offset.value));
      for (const auto& [token, end] : fences_)
        if (c.fence != FenceToken{} && c.fence < token && e.offset >= end)
          violated(world_, promise::fence,
                   fmt::format("{} names token {} and stands at {}; token {} was set at {}",
                               short_form(payload), c.fence.value, e.offset.value, token.value,
                               end.value));
    }
    before = &e;
  }
  for (const Mismatch& m : mismatches_) {
    // Below `first` the entry in the way may be trimmed.
    if (m.expected >= first) judge(m, entries);
  }
}

// F1: a refusal is right if an entry stands at or above the expected offset, or if the log ended
// below it.
void ConditionChecker::judge(const Mismatch& m, const std::vector<client::Entry>& entries) const {
  // Beyond the end: the refusal needs no entry in the way.
  if (m.ends <= m.expected && m.expected > m.known.followed) {
    if (m.ends < m.known.acknowledged)
      violated(world_, promise::in_the_way,
               fmt::format("{} was refused as beyond the end at {}, and entries up to {} were "
                           "acknowledged before",
                           short_form(m.payload), m.ends.value, m.known.acknowledged.value));
    return;
  }
  // Finds the first entry that ends above the offset. An offset inside a frame, perhaps a frame of
  // the leader, is never the log's end, so a refusal there is right.
  const auto in_the_way =
      std::upper_bound(entries.begin(), entries.end(), m.expected,
                       [](Offset o, const client::Entry& e) { return o < e.next; });
  const bool may_be_end =
      m.expected == m.known.followed ||
      (in_the_way != entries.end() && in_the_way->offset == m.expected) ||
      (in_the_way != entries.begin() && std::prev(in_the_way)->next == m.expected);
  if (!may_be_end) return;
  if (in_the_way == entries.end() || in_the_way->offset >= m.ends)
    violated(world_, promise::in_the_way,
             fmt::format("{} expected the end at {} and was refused, the log is said to end at {}, "
                         "and no entry stands there",
                         short_form(m.payload), m.expected.value, m.ends.value));
}

}  // namespace loglog::simulator

#include "tests/simulator/condition_checker.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/simulator/checkers.h"

namespace loglog::simulator {
void ConditionChecker::mismatched(const std::string& payload, Offset ends) {
  mismatches_.push_back({payload, asked_[payload].expected, ends});
}

void ConditionChecker::fence_set(FenceToken token, Offset end) {
  const auto [at, fresh] = fences_.try_emplace(token, end);
  at->second = std::min(at->second, end);
}

void ConditionChecker::judge(const std::vector<client::Entry>& entries, Offset first) {
  Offset before = no_offset;  // where the entry before begins
  for (const client::Entry& e : entries) {
    const std::string payload{e.payload.text()};
    const auto asked = asked_.find(payload);
    if (asked != asked_.end()) {
      const client::AppendConditions& c = asked->second;
      if (c.expected != no_offset && before != no_offset && before >= c.expected)
        violated(world_, promise::condition,
                 fmt::format("{} expected the end at {}, stands at {}, and an entry stands at {} before it", short_form(payload),
                             c.expected.value, e.offset.value, before.value));
      for (const auto& [token, end] : fences_)
        if (c.fence != FenceToken{} && c.fence < token && e.offset >= end)
          violated(world_, promise::fence,
                   fmt::format("{} names token {} and stands at {}; token {} was set at {}", short_form(payload), c.fence.value,
                               e.offset.value, token.value, end.value));
    }
    before = e.offset;
  }
  for (const Mismatch& m : mismatches_) {
    if (m.expected < first) continue;  // what stood in the way may be trimmed
    const auto in_the_way =
        std::lower_bound(entries.begin(), entries.end(), m.expected, [](const client::Entry& e, Offset o) { return e.offset < o; });
    if (in_the_way == entries.end() || in_the_way->offset >= m.ends)
      violated(world_, promise::in_the_way,
               fmt::format("{} expected the end at {} and was refused, the log is said to end at {}, and no entry stands there",
                           short_form(m.payload), m.expected.value, m.ends.value));
  }
}

}  // namespace loglog::simulator

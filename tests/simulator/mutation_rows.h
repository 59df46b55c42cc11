// The rows of the mutation score: which rules are removed, in which plans their absence shows, or
// why it cannot show. mutation_score.cpp runs them.
#pragma once
#include <string_view>
#include <vector>

#include "proto-spec/vocabulary/rules.h"

namespace loglog::simulator {

/// A row is proved by a run that breaks a promise without the rules, unless `argued` excuses it.
struct MutationRow {
  std::string_view name;
  /// Removed together: if two layers keep a promise, both must go.
  std::vector<Rule> without;
  /// Names of plans that make the rule's history likely, separated by spaces; empty: all plans in
  /// turn.
  std::string_view where{};
  /// If not empty, the row is an exception, and this is the reason why no run can find it.
  std::string_view argued{};
};

/// Every rule of proto-spec/vocabulary/rules.h is in at least a single row.
const std::vector<MutationRow>& mutation_rows();

}  // namespace loglog::simulator

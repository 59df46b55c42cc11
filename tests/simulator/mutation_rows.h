// The rows of the mutation score: what is removed, and what is said of it where nothing can be
// found.
#pragma once
#include <string_view>
#include <vector>

#include "proto-spec/vocabulary/rules.h"

namespace loglog::simulator {

struct MutationRow {
  std::string_view name;
  std::vector<Rule>
      without;  ///< switches removed together: where two layers keep one promise, both must go
  std::string_view
      where{};  ///< plans that make its history likely, by spaces; none: all plans in turn
  std::string_view argued{};  ///< not empty: an exception, and why nothing can be found
};

/// Every switch is in some row.
const std::vector<MutationRow>& mutation_rows();

}  // namespace loglog::simulator

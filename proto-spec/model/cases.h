// The list of explorations that `loglog-model` runs. A setting is a model with its bounds: within
// them no promise breaks while all rules hold. Without any part that the setting lists, a bad run
// must be found. The bounds and the reason for each are in cases.cpp; main.cpp is the only caller.
#pragma once

#include <string_view>
#include <variant>
#include <vector>

#include "proto-spec/model/journal_model.h"
#include "proto-spec/model/recovery_model.h"
#include "proto-spec/model/retry_model.h"
#include "proto-spec/model/rules.h"
#include "proto-spec/model/staging_model.h"

namespace loglog::model {

using Bounds = std::variant<recovery::Bounds, retry::Bounds, staging::Bounds, journal::Bounds>;

// A model, told by the type of `bounds`, and the parts of rules that are removed within these
// bounds.
struct Setting {
  std::string_view name;
  Bounds bounds;
  std::vector<Part> parts;  // removed here, each in an exploration of its own
};

// The settings of the journal model, from journal_cases.cpp.
std::vector<Setting> journal_settings();

// All settings, in the order in which they are printed. Their addresses stay valid.
const std::vector<Setting>& settings();

// A single exploration: a setting with all rules, or without `rules.removed()`.
struct Case {
  const Setting* setting;
  Rules rules;
};

// Each setting with all rules, then each part removed in every setting that lists it. Aborts if no
// setting removes some part, because such a rule would go unproved.
std::vector<Case> all_cases();

// Runs the search to its end, in the caller's thread; the calls are independent of each other.
Exploration explore(const Case& what);
// Tells `found.bad_run` again with words. `what` must be the case that `found` came from.
std::vector<std::string> story_of(const Case& what, const Exploration& found);

}  // namespace loglog::model

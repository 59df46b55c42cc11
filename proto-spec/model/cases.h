// What is explored. A setting is a model and its bounds: within them nothing may be found while all
// rules hold, and a bad run for each part that is listed.
#pragma once

#include <string_view>
#include <variant>
#include <vector>

#include "proto-spec/model/recovery_model.h"
#include "proto-spec/model/retry_model.h"
#include "proto-spec/model/rules.h"
#include "proto-spec/model/staging_model.h"

namespace loglog::model {

using Bounds = std::variant<recovery::Bounds, retry::Bounds, staging::Bounds>;

struct Setting {
  std::string_view name;
  Bounds bounds;
  std::vector<Part> parts;  // that are removed here, one at a time
};

const std::vector<Setting>& settings();

struct Case {
  const Setting* setting;
  Rules rules;
};

// Every setting with all rules, and with each of its parts removed. A part that no setting removes
// is a mistake of this program.
std::vector<Case> all_cases();

Exploration explore(const Case& what);
std::vector<std::string> story_of(const Case& what, const Exploration& found);

}  // namespace loglog::model

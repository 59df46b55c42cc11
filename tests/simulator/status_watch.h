// Holds what the leader says of the cluster in the end of a run against what is: status, the page
// and the alarms take their sentence from the same verdict (sequencer/core/verdict.h).
#pragma once
#include <optional>
#include <string>

#include "sequencer/core/verdict.h"
#include "tests/simulator/world.h"

namespace loglog::simulator {

class StatusWatch {
 public:
  explicit StatusWatch(World& world) : world_(world) {}
  /// Looks from now on (for Bug::shows_old_status).
  void start() { look(); }
  /// In the end, when appends are acknowledged again: where the verdict differs from what is;
  /// empty: nowhere.
  std::string amiss();

 private:
  void look();
  std::optional<Overview> seen();
  bool all_are_there() const;

  World& world_;
  const Process* leader_ = nullptr;
  std::optional<Overview> once_;  // the first one of a healthy cluster (Bug::shows_old_status)
};

}  // namespace loglog::simulator

// Checks the promise `status`: the leader's verdict on the cluster must agree with the true state
// of the world at the end of a run. Status, status page and alarms share that verdict
// (sequencer/core/verdict.h).
#pragma once
#include <optional>
#include <string>

#include "sequencer/core/verdict.h"
#include "tests/simulator/world.h"

namespace loglog::simulator {

/// Belongs to a run; the world must outlive it.
class StatusWatch {
 public:
  explicit StatusWatch(World& world) : world_(world) {}
  /// Polls from now on; needed only for Bug::shows_old_status.
  void start() { look(); }
  /// Call it at the end, when appends are acknowledged again. Returns how the verdict differs from
  /// the world, or an empty text.
  std::string amiss();

 private:
  void look();
  std::optional<Overview> seen();
  bool all_are_there() const;

  World& world_;
  const Process* leader_ = nullptr;
  /// The first overview of a healthy cluster, for Bug::shows_old_status.
  std::optional<Overview> once_;
};

}  // namespace loglog::simulator

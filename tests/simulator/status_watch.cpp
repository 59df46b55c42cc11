// The verdict is computed from the leader's overview with the production function.
#include "tests/simulator/status_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/simulator/checkers.h"
#include "tests/simulator/fault_steps.h"

namespace loglog::simulator {
namespace {

constexpr Duration every = 100ms;
constexpr std::size_t logs_max = 64;

sequencer::Verdict verdict_on(Overview o) {
  return sequencer::verdict_of({.served_by = o.id,
                                .source = sequencer::ClusterPicture::Source::leads,
                                .overview = std::move(o),
                                .logs_age = {}});
}

}  // namespace

// With Bug::shows_old_status the first healthy overview is returned for ever.
std::optional<Overview> StatusWatch::seen() {
  SequencerProcess* leader = leader_of(world_);
  if (leader == nullptr || leader->machine()->role() != RaftRole::leader) return std::nullopt;
  leader_ = leader;
  Overview o = leader->machine()->overview(logs_max);
  if (!world_.has(Bug::shows_old_status)) return o;
  if (!once_ && !o.logs.empty() && verdict_on(o).health == Health::healthy) once_ = o;
  return once_ ? once_ : o;
}

void StatusWatch::look() {
  seen();
  world_.scheduler.after(every, [this] { look(); });
}

// The world's own judgement: every process lives, and none is parted or deaf.
bool StatusWatch::all_are_there() const {
  const auto is_there = [](const auto& p) { return p->alive(); };
  return world_.parted == nullptr && !world_.options.leave_deaf &&
         std::ranges::all_of(world_.storage, is_there) &&
         std::ranges::all_of(world_.sequencers, is_there);
}

std::string StatusWatch::amiss() {
  const std::optional<Overview> o = seen();
  if (!o) return "no sequencer leads";
  const sequencer::Verdict v = verdict_on(*o);
  const Health is = all_are_there() ? Health::healthy : Health::degraded;
  if (v.health == is) return {};
  return fmt::format("appends are acknowledged and {}, and {} says: {}",
                     is == Health::healthy ? "every process is there" : "a process is away",
                     leader_->name(), v.sentence);
}

}  // namespace loglog::simulator

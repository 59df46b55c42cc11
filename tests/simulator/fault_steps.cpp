// Small steps only. Everything is scheduled through `later`, which stops when the network is calm.
#include "tests/simulator/fault_steps.h"

#include <utility>

namespace loglog::simulator {

Duration between(Random& random, Duration low, Duration high) {
  return low + Duration(static_cast<std::int64_t>(
                   random.below(static_cast<std::uint64_t>((high - low).count()) + 1)));
}

SequencerProcess* leader_of(World& world) {
  SequencerProcess* leader = nullptr;
  for (auto& s : world.sequencers) {
    if (!s->alive() || s->machine()->leading_term() == Term{}) continue;
    if (leader == nullptr || s->machine()->leading_term() > leader->machine()->leading_term())
      leader = s.get();
  }
  return leader;
}

void later(World& world, Duration delay, std::function<void()> what) {
  world.scheduler.after(delay, [&world, what = std::move(what)] {
    if (!world.network.calm()) what();
  });
}

// Polls, because the cores give no signal when a sequencer begins to lead.
void when_succeeded(World& world, Term term, std::function<void(SequencerProcess&)> then,
                    int tries) {
  later(world, 5ms, [&world, term, then = std::move(then), tries] {
    SequencerProcess* leader = leader_of(world);
    if (leader != nullptr && leader->machine()->leading_term() > term) then(*leader);
    else if (tries > 0) when_succeeded(world, term, then, tries - 1);
  });
}

void cut(World& world, const Process& a, const Process& b) {
  world.network.block(a.address(), b.address());
  world.network.block(b.address(), a.address());
}

void heal_later(World& world, Duration after) {
  later(world, after, [&world] { world.network.heal(); });
}

void start_later(World& world, Process& p, Duration after) {
  later(world, after, [&p] { p.start(); });
}

// Each poll schedules the next, with the remaining time as an argument.
void when(World& world, Duration at_most, std::function<bool()> condition,
          std::function<void()> then, std::function<void()> otherwise) {
  static constexpr Duration step = 200us;
  if (condition()) return then();
  if (at_most <= 0us) return otherwise();
  later(world, step,
        [&world, at_most, condition = std::move(condition), then = std::move(then),
         otherwise = std::move(otherwise)] {
          when(world, at_most - step, condition, then, otherwise);
        });
}

void kill_for(World& world, Process& p, Duration down) {
  p.kill();
  start_later(world, p, down);
}

std::vector<StorageProcess*> shuffled(World& world, Random& random) {
  std::vector<StorageProcess*> nodes;
  for (auto& n : world.storage) nodes.push_back(n.get());
  for (std::size_t i = nodes.size(); i > 1; --i) std::swap(nodes[i - 1], nodes[random.below(i)]);
  return nodes;
}

void leave_out(World& world, const std::vector<StorageProcess*>& nodes) {
  world.network.heal();
  for (auto& s : world.sequencers)
    for (const StorageProcess* n : nodes) cut(world, *s, *n);
}

void heard_by_one(World& world, const Process& leader, const Process& node) {
  for (auto& n : world.storage)
    if (n.get() != &node) world.network.block(leader.address(), n->address());
}

}  // namespace loglog::simulator

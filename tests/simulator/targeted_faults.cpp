// Patterns of a few steps. They only cut, delay, kill and start; every cut is healed by a later
// step. Kinds of other files are dispatched at the end of `inject_targeted`.
#include "tests/simulator/targeted_faults.h"

#include "tests/simulator/fault_steps.h"
#include "tests/simulator/history_faults.h"
#include "tests/simulator/message_faults.h"
#include "tests/simulator/raft_faults.h"
#include "tests/simulator/reacting_faults.h"

namespace loglog::simulator {
namespace {

void isolate_leader(World& world, Random& random) {
  SequencerProcess* leader = leader_of(world);
  if (leader == nullptr) return;
  for (auto& s : world.sequencers)
    if (s.get() != leader) cut(world, *leader, *s);
  for (auto& n : world.storage)
    if (random.chance(1, 3)) cut(world, *leader, *n);
  for (auto& c : world.clients)
    if (random.chance(1, 3)) cut(world, *leader, *c);
  heal_later(world, between(random, 1500ms, 4s));
}

// S3, S4: the holder's longer log has the older term when it comes back.
void strand(World& world, Random& random) {
  SequencerProcess* leader = leader_of(world);
  if (leader == nullptr) return;
  const StorageProcess& holder = *world.storage[random.below(world.storage.size())];
  heard_by_one(world, *leader, holder);
  const bool dies = random.chance(1, 2);
  const Duration late = between(random, 0ms, 4s);
  later(world, between(random, 5ms, 150ms), [&world, &random, leader, &holder, dies, late] {
    for (auto& s : world.sequencers)
      if (s.get() != leader) cut(world, holder, *s);
    if (dies) kill_for(world, *leader, between(random, 10ms, 1500ms));
    else
      for (auto& s : world.sequencers)
        if (s.get() != leader) cut(world, *leader, *s);
    heal_later(world, late);
  });
}

void flap(World& world, Random& random) {
  Duration when{};
  for (int i = 0; i < 4; ++i) {
    later(world, when, [&world, &random] {
      SequencerProcess* leader = leader_of(world);
      if (leader != nullptr) kill_for(world, *leader, between(random, 5ms, 300ms));
    });
    when += between(random, 100ms, 900ms);
  }
}

// K1: a node that comes back must not report bytes that only the page cache held.
void kill_then_power(World& world, Random& random) {
  StorageProcess& node = *world.storage[random.below(world.storage.size())];
  node.kill();
  const Duration back = between(random, 1ms, 20ms);
  start_later(world, node, back);
  later(world, back + between(random, 0ms, 200ms), [&world, &random, &node] {
    if (!node.alive()) return;
    node.power_cut();
    start_later(world, node, between(random, 10ms, 1500ms));
  });
}

void lag_node(World& world, Random& random) {
  const Process& node = *world.storage[random.below(world.storage.size())];
  for (auto& s : world.sequencers) world.network.block(s->address(), node.address());
  if (random.chance(1, 2))
    for (auto& c : world.clients) world.network.block(c->address(), node.address());
  heal_later(world, between(random, 20ms, 800ms));
}

// P3: the node must be reconciled by a copy, because peers may have trimmed the runs that it lacks.
void starve_node(World& world, Random& random) {
  const Process& node = *world.storage[random.below(world.storage.size())];
  for (auto& other : world.storage)
    if (other.get() != &node) cut(world, node, *other);
  for (auto& c : world.clients) world.network.block(c->address(), node.address());
  heal_later(world, between(random, 300ms, 1500ms));
}

void unheard_node(World& world, Random& random) {
  StorageProcess& node = *world.storage[random.below(world.storage.size())];
  for (auto& s : world.sequencers) world.network.block(node.address(), s->address());
  later(world, between(random, 50ms, 1500ms), [&world, &node] {
    for (auto& s : world.sequencers) world.network.unblock(node, *s);
  });
}

/// The fate of the shared replica, beside a power cut.
enum class Befalls { nothing, forgets, rots };

/// `forgets`: the replica loses identity and promise. `rots`: the newest slot of its promise goes
/// bad.
void split(World& world, Random& random, Befalls what) {
  SequencerProcess* old = leader_of(world);
  if (old == nullptr) return;
  const auto nodes = shuffled(world, random);
  StorageProcess& both = *nodes[0];
  for (auto& s : world.sequencers) {
    if (s.get() == old) continue;
    cut(world, *old, *s);
    for (std::size_t i = 1; i < nodes.size(); i += 2) cut(world, *s, *nodes[i]);
  }
  for (std::size_t i = 2; i < nodes.size(); i += 2) cut(world, *old, *nodes[i]);
  const bool power = what != Befalls::nothing || random.chance(1, 2);
  when_succeeded(world, old->machine()->leading_term(),
                 [&world, &random, &both, old, power, what](SequencerProcess&) {
                   if (!power) return;
                   later(world, between(random, 1ms, 120ms), [&world, &random, &both, old, what] {
                     if (!both.alive() || both.disk_is_away()) return;
                     both.power_cut();
                     if (what == Befalls::rots) both.disk.rot_promise(random);
                     if (what == Befalls::forgets) {
                       both.lose_disk(Loss::files);
                       later(world, between(random, 3s, 4s), [&both] {
                         both.kill();
                         both.return_disk();
                         both.start();
                       });
                     }
                     start_later(world, both, between(random, 1ms, 10ms));
                     for (auto& s : world.sequencers)
                       if (s.get() != old) cut(world, *s, both);
                   });
                 });
  heal_later(world, between(random, 2s, 4s));
}

// R2: clients of the old leader must get no tail from it that misses the new leader's commits.
void two_leaders(World& world, Random& random) {
  SequencerProcess* old = leader_of(world);
  if (old == nullptr) return;
  const std::size_t kept = random.below(world.storage.size());
  const std::size_t side = random.below(2);
  for (auto& s : world.sequencers) {
    if (s.get() == old) continue;
    cut(world, *old, *s);
    cut(world, *s, *world.storage[kept]);
  }
  for (std::size_t i = 0; i < world.storage.size(); ++i)
    if (i != kept) cut(world, *old, *world.storage[i]);
  for (std::size_t i = 0; i < world.clients.size(); ++i)
    for (auto& s : world.sequencers)
      if ((s.get() == old) == (i % 2 == side)) cut(world, *world.clients[i], *s);
  heal_later(world, between(random, 2s, 4s));
}

/// From now on the client hears the old leader alone, which does not know yet that it is deposed.
void turn_back(World& world, Random& random, const Process& client, const SequencerProcess& old) {
  for (auto& s : world.sequencers) {
    if (s.get() == &old) continue;
    cut(world, client, *s);
    world.network.break_between(client, *s);
  }
  world.network.unblock(client, old);
  heal_later(world, between(random, 1s, 2s));
}

void stale_leader(World& world, Random& random) {
  SequencerProcess* old = leader_of(world);
  if (old == nullptr || world.network.partitioned()) return;
  for (auto& s : world.sequencers)
    if (s.get() != old) cut(world, *old, *s);
  for (std::size_t i = world.clients.size() - world.options.quiet_clients; i < world.clients.size();
       ++i) {
    cut(world, *old, *world.clients[i]);
    world.network.break_between(*old, *world.clients[i]);
  }
  when_succeeded(
      world, old->machine()->leading_term(), [&world, &random, old](SequencerProcess& second) {
        const Time limit = world.scheduler.now() + 3s;
        world.network.lay([&world, &random, old, &second, limit](SimulatedNetwork::Caught& c) {
          const auto* made = std::get_if<LogIs>(&c.message);
          if (made == nullptr || &c.from != &second || made->info.trim != Offset{})
            return world.scheduler.now() > limit;
          world.faults.count("a log that the old leader has not heard of");
          // The next step begins once the answer has arrived.
          later(world, 2 * world.options.network_delay_max,
                [&world, &random, old, client = world.find(c.to.address())] {
                  turn_back(world, random, *client, *old);
                });
          return true;
        });
      });
  heal_later(world, between(random, 4s, 6s));
}

void two_strands(World& world, Random& random) {
  SequencerProcess* first = leader_of(world);
  if (first == nullptr || world.storage.size() < 2) return;
  const std::size_t kept = random.below(world.storage.size());
  const std::size_t other =
      (kept + 1 + random.below(world.storage.size() - 1)) % world.storage.size();
  StorageProcess& holder = *world.storage[kept];
  heard_by_one(world, *first, holder);
  const Term term = first->machine()->leading_term();
  later(world, between(random, 5ms, 150ms), [&world, &random, first, &holder, other, term] {
    for (auto& s : world.sequencers)
      if (s.get() != first) cut(world, holder, *s);
    kill_for(world, *first, between(random, 500ms, 1500ms));
    when_succeeded(world, term, [&world, &random, &holder, other](SequencerProcess& second) {
      later(world, between(random, 0ms, 300ms), [&world, &random, &holder, &second, other] {
        world.network.heal();
        kill_for(world, second, between(random, 200ms, 1500ms));
        const Process& absent = *world.storage[other];
        if (&absent != &holder && random.chance(3, 4))
          for (auto& s : world.sequencers) cut(world, *s, absent);
        heal_later(world, between(random, 1s, 4s));
      });
    });
  });
}

// A4: no node has the staged runs any more, and their producer does not come back as itself.
void amnesia(World& world, Random& random) {
  const bool power = random.chance(1, 2);
  const bool leader_too = random.chance(1, 2);
  if (SequencerProcess* leader = leader_of(world); leader != nullptr && leader_too)
    kill_for(world, *leader, between(random, 10ms, 800ms));
  for (auto& n : world.storage) {
    if (power) n->power_cut();
    else n->kill();
    start_later(world, *n, between(random, 5ms, 200ms));
  }
  ClientProcess& client =
      *world.clients[random.below(world.clients.size() - world.options.quiet_clients)];
  kill_for(world, client, between(random, 1500ms, 3s));
}

}  // namespace

const std::set<std::string>& targeted_fault_kinds() {
  static const std::set<std::string> kinds = {
      "isolate_leader",  "strand",          "flap",           "kill_then_power",
      "lag_node",        "split",           "two_strands",    "amnesia",
      "two_leaders",     "lose_answers",    "delay_commit",   "cut_off_producer",
      "come_back",       "old_entry",       "torn_promise",   "lost_tail",
      "forgetful_split", "base_dies",       "lost_witness",   "figure_eight",
      "unheard_start",   "late_reconcile",  "late_cut_power", "mute_holder",
      "two_logs",        "forgotten_order", "detour",         "die_uploading",
      "stall_uploads",   "unheard_node",    "late_condition", "late_command",
      "found_loss",      "rotten_promise",  "stale_leader",   "late_observation",
      "starve_node"};
  return kinds;
}

bool inject_targeted(World& world, Random& random, const std::string& kind) {
  world.trace("WEATHER", kind);
  if (kind == "isolate_leader") isolate_leader(world, random);
  else if (kind == "strand") strand(world, random);
  else if (kind == "flap") flap(world, random);
  else if (kind == "kill_then_power") kill_then_power(world, random);
  else if (kind == "lag_node") lag_node(world, random);
  else if (kind == "starve_node") starve_node(world, random);
  else if (kind == "unheard_node") unheard_node(world, random);
  else if (kind == "split") split(world, random, Befalls::nothing);
  else if (kind == "forgetful_split") split(world, random, Befalls::forgets);
  else if (kind == "rotten_promise") split(world, random, Befalls::rots);
  else if (kind == "stale_leader") stale_leader(world, random);
  else if (kind == "two_strands") two_strands(world, random);
  else if (kind == "amnesia") amnesia(world, random);
  else if (kind == "two_leaders") two_leaders(world, random);
  else if (kind == "lose_answers") lose_answers(world, random);
  else if (kind == "delay_commit") delay_commit(world, random);
  else if (kind == "late_condition") late_condition(world, random);
  else if (kind == "cut_off_producer") cut_off_producer(world, random);
  else if (kind == "die_uploading") die_uploading(world, random);
  else if (kind == "stall_uploads") stall_uploads(world, random);
  else if (kind == "late_command") late_command(world, random);
  else
    return inject_in_raft(world, random, kind) || inject_reacting(world, random, kind) ||
           inject_history(world, random, kind);
  return true;
}

}  // namespace loglog::simulator

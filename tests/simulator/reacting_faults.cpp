// The faults poll the cores' state (`when`) or watch messages, and then strike. A fault that loses
// acknowledged bytes needs all nodes whole, because only a single loss is survivable.
#include "tests/simulator/reacting_faults.h"

#include <algorithm>

#include "proto-spec/disk/segment.h"
#include "tests/simulator/fault_steps.h"
#include "tests/simulator/replacement.h"

namespace loglog::simulator {
namespace {

// T3: both slots of a promise must survive a torn write of either.
bool torn_promise(World& world, Random& random) {
  SequencerProcess* leader = leader_of(world);
  if (leader == nullptr) return false;
  kill_for(world, *leader, between(random, 10ms, 500ms));
  const auto saving = [&world] {
    const auto s = std::find_if(world.storage.begin(), world.storage.end(),
                                [](const auto& n) { return n->saves_promise(); });
    return s == world.storage.end() ? nullptr : s->get();
  };
  when(
      world, 4s, [saving] { return saving() != nullptr; },
      [&world, &random, saving] {
        StorageProcess& node = *saving();
        node.power_cut_in_promise();
        start_later(world, node, between(random, 10ms, 1500ms));
      });
  return true;
}

// ---- lost_tail: an acknowledged tail is lost

const storage::LogCore* core_of(StorageProcess& p, LogId log) {
  return p.alive() ? p.machine()->log(log) : nullptr;
}

/// The end of the log on any node except `p`.
Offset held_elsewhere(World& world, const StorageProcess& p, LogId log) {
  Offset end{};
  for (auto& other : world.storage)
    if (const storage::LogCore* o = core_of(*other, log); o != nullptr && other.get() != &p)
      end = std::max({end, o->written.end, o->committed});
  return end;
}

/// The bytes above the marks, from `from` to `end`: their loss looks like a torn write (K3).
std::optional<Place> above_marks(const StorageProcess& p, LogId id, Offset from, Offset end) {
  const auto& segments = p.disk.content().at(id).segments;
  if (segments.empty()) return std::nullopt;
  const auto& [first, file] = *segments.rbegin();
  const auto marks = decode_marks(
      file.medium().first(std::min<std::size_t>(file.medium().size(), segment_header_size)));
  from = std::max({from, first, marks ? marks->durable : first});
  if (end <= from) return std::nullopt;
  return Place{id, first, segment_header_size + (from - first),
               segment_header_size + (end - first)};
}

struct LostTail {
  SequencerProcess* leader;
  StorageProcess* loser;  // acknowledges the tail and loses it
  StorageProcess* late;   // gets the tail later, and is late for the next leader's seal
  StorageProcess* third;
  LogId log;
};

/// The leader has heard that the tail is gone. From now on its orders reach only `late`.
void goes_on_elsewhere(World& world, Random& random, const LostTail& f) {
  world.network.unblock(*f.leader, *f.late);
  later(world, between(random, 50ms, 300ms), [&world, &random, f] {
    world.network.heal();
    for (auto& s : world.sequencers) cut(world, *s, *f.late);
    kill_for(world, *f.leader, between(random, 500ms, 1500ms));
    heal_later(world, between(random, 2s, 4s));
  });
}

// The loser's power is cut, and the tail that no other node holds becomes stale. Its StateIs then
// shows the loss to the leader.
void lose_tail(World& world, Random& random, const LostTail& f) {
  const Offset acknowledged = core_of(*f.loser, f.log)->durable.end;
  const Offset elsewhere = held_elsewhere(world, *f.loser, f.log);
  f.loser->power_cut();
  start_later(world, *f.loser, between(random, 1ms, 20ms));
  const auto place = above_marks(*f.loser, f.log, elsewhere, acknowledged);
  if (!place) return world.network.heal();
  world.tails_were_lost = true;
  f.loser->disk.damage(Damage::stale, *place, random);
  world.network.watch([&world, &random, f](const Process& from, const Process&, const Message& m) {
    const auto* s = std::get_if<StateIs>(&m);
    if (s == nullptr || &from != f.loser || s->log != f.log) return true;
    // The leader's answer must not reach the loser, because a reconcile would restore the tail.
    world.network.block(f.leader->address(), f.loser->address());
    later(world, world.options.network_delay_max,
          [&world, &random, f] { goes_on_elsewhere(world, random, f); });
    return false;
  });
}

bool lost_tail(World& world, Random& random) {
  SequencerProcess* leader = leader_of(world);
  if (leader == nullptr || world.storage.size() != 3 || world.network.partitioned()) return false;
  for (const auto& n : world.storage)
    if (!n->alive() || n->disk.content().empty()) return false;
  const std::size_t i = random.below(3);
  LostTail f{leader,
             world.storage[i].get(),
             world.storage[(i + 1) % 3].get(),
             world.storage[(i + 2) % 3].get(),
             {}};
  f.log = f.loser->disk.content().begin()->first;
  for (const StorageProcess* p : {f.late, f.third})
    world.network.block(leader->address(), p->address());
  // The last group stands above the marks until the marks are written again for want of another
  // group.
  const auto alone = [&world, f] {
    const storage::LogCore* core = core_of(*f.loser, f.log);
    return core != nullptr && core->is_matched() && !core->suspect &&
           above_marks(*f.loser, f.log, held_elsewhere(world, *f.loser, f.log), core->durable.end);
  };
  later(world, between(random, 20ms, 80ms), [&world, &random, f, alone] {
    when(
        world, 300ms, alone, [&world, &random, f] { lose_tail(world, random, f); },
        [&world] { world.network.heal(); });
  });
  return true;
}

// ---- found_loss: a loss that a leader has found

/// The leader has heard of the loss and dies. The next leader hears the loser, and the replica that
/// never had the bytes.
void leader_forgets(World& world, Random& random, const LostTail& f) {
  world.network.heal();
  for (auto& s : world.sequencers) cut(world, *s, *f.late);
  kill_for(world, *f.leader, between(random, 500ms, 1500ms));
  heal_later(world, between(random, 2s, 4s));
}

// As lose_tail, but two replicas held the bytes, so they may be committed.
void lose_committed(World& world, Random& random, const LostTail& f) {
  const Offset acknowledged = core_of(*f.loser, f.log)->durable.end;
  const Offset third = core_of(*f.third, f.log)->durable.end;
  f.loser->power_cut();
  start_later(world, *f.loser, between(random, 1ms, 20ms));
  const auto place = above_marks(*f.loser, f.log, third, acknowledged);
  if (!place) return world.network.heal();
  world.tails_were_lost = true;
  world.faults.count("committed bytes lost on one replica");
  f.loser->disk.damage(Damage::stale, *place, random);
  world.network.watch([&world, &random, f](const Process& from, const Process&, const Message& m) {
    const auto* s = std::get_if<StateIs>(&m);
    if (s == nullptr || &from != f.loser || s->log != f.log) return true;
    later(world, between(random, 100ms, 300ms),
          [&world, &random, f] { leader_forgets(world, random, f); });
    return false;
  });
}

bool found_loss(World& world, Random& random) {
  SequencerProcess* leader = leader_of(world);
  if (leader == nullptr || world.storage.size() != 3 || world.network.partitioned()) return false;
  for (const auto& n : world.storage)
    if (!n->alive() || n->disk_is_away() || n->machine()->data_loss() || n->disk.content().empty())
      return false;
  const std::size_t i = random.below(3);
  LostTail f{leader,
             world.storage[i].get(),
             world.storage[(i + 1) % 3].get(),
             world.storage[(i + 2) % 3].get(),
             {}};
  f.log = f.loser->disk.content().begin()->first;
  world.network.block(leader->address(), f.third->address());
  const auto held_by_two = [f] {
    const storage::LogCore* loser = core_of(*f.loser, f.log);
    const storage::LogCore* late = core_of(*f.late, f.log);
    const storage::LogCore* third = core_of(*f.third, f.log);
    if (loser == nullptr || late == nullptr || third == nullptr || !loser->is_matched() ||
        loser->suspect)
      return false;
    if (late->matched != loser->matched || late->durable.end < loser->durable.end) return false;
    return above_marks(*f.loser, f.log, third->written.end, loser->durable.end).has_value();
  };
  later(world, between(random, 20ms, 80ms), [&world, &random, f, held_by_two] {
    when(
        world, 300ms, held_by_two, [&world, &random, f] { lose_committed(world, random, f); },
        [&world] { world.network.heal(); });
  });
  return true;
}

// ---- lost_witness: a replica that has lost its logs

// The logs come back with the old disk; a new term then hears them.
void puts_back(World& world, StorageProcess& node) {
  node.kill();
  node.return_disk();
  node.start();
  if (SequencerProcess* leader = leader_of(world); leader != nullptr)
    kill_for(world, *leader, 10ms);
}

bool lost_witness(World& world, Random& random) {
  SequencerProcess* leader = leader_of(world);
  if (leader == nullptr || world.storage.size() != 3 || world.network.partitioned()) return false;
  for (const auto& n : world.storage)
    if (!n->alive() || n->disk_is_away() || n->disk.content().empty()) return false;
  const std::size_t i = random.below(3);
  StorageProcess& witness = *world.storage[i];
  StorageProcess& late = *world.storage[(i + 1) % 3];
  world.network.block(leader->address(), world.storage[(i + 2) % 3]->address());
  later(world, between(random, 50ms, 400ms), [&world, &random, leader, &witness, &late] {
    if (!witness.alive()) return world.network.heal();
    world.tails_were_lost = true;
    witness.kill();
    witness.lose_disk(Loss::logs);
    start_later(world, witness, between(random, 1ms, 20ms));
    kill_for(world, *leader, between(random, 500ms, 1500ms));
    world.network.heal();
    for (auto& s : world.sequencers) cut(world, *s, late);
    const Duration away = between(random, 1s, 3s);
    heal_later(world, away);
    later(world, away + 300ms, [&world, &witness] { puts_back(world, witness); });
  });
  return true;
}

// ---- base_dies: the base dies during recovery

// S8: waits for the Reconcile that names the base as a peer, and kills the base then.
bool base_dies(World& world, Random& random) {
  SequencerProcess* leader = leader_of(world);
  if (leader == nullptr || world.gone_for_good != nullptr || world.network.partitioned())
    return false;
  StorageProcess& base = *world.storage[random.below(world.storage.size())];
  heard_by_one(world, *leader, base);
  later(world, between(random, 20ms, 150ms), [&world, &random, leader, &base] {
    leader->kill();
    world.network.heal();
    start_later(world, *leader, between(random, 500ms, 1500ms));
    world.network.watch([&world, &random, &base](const Process&, const Process&, const Message& m) {
      const auto* r = std::get_if<Reconcile>(&m);
      if (r == nullptr) return true;
      if (std::find(r->peers.begin(), r->peers.end(), base.id()) == r->peers.end()) return true;
      if (world.options.leave_down) world.gone_for_good = &base;
      // The trap runs inside a send, so the process must not die there.
      later(world, 1us, [&world, &random, &base] {
        base.kill();
        if (world.gone_for_good != &base) start_later(world, base, between(random, 3s, 6s));
      });
      return false;
    });
  });
  return true;
}

}  // namespace

bool inject_reacting(World& world, Random& random, const std::string& kind) {
  if (kind == "torn_promise") return torn_promise(world, random);
  if (kind == "base_dies") return base_dies(world, random);
  // Bytes that two replicas lose at the same time are lost for good, so all nodes must be whole.
  if (std::ranges::any_of(world.storage, [&](const auto& n) {
        return n->alive() && !is_taken_in_whole(world, *n);
      }))
    return false;
  if (kind == "lost_tail") return lost_tail(world, random);
  if (kind == "found_loss") return found_loss(world, random);
  if (kind == "lost_witness") return lost_witness(world, random);
  return false;
}

}  // namespace loglog::simulator

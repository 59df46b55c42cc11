// Each history is a chain of callbacks: a step waits for a message or a state, acts, and lays the
// trap for the next step. A history gives up after `comes_within`, and every path ends in a heal.
#include "tests/simulator/history_faults.h"

#include <algorithm>
#include <memory>

#include "tests/simulator/fault_steps.h"

namespace loglog::simulator {
namespace {

using Caught = SimulatedNetwork::Caught;

/// A history gives up if its next step has not come by then.
constexpr Duration comes_within = 4s;
/// More bytes than a leader's own frames at the beginning of a term.
constexpr std::uint64_t some_entries = 1024;

SequencerProcess* sequencer(World& world, const Process& p) {
  for (auto& s : world.sequencers)
    if (s.get() == &p) return s.get();
  return nullptr;
}

/// Calls `then` with the sender of the first Order of a term above `term`, before that Order is on
/// its way.
void at_first_order(World& world, Term term, std::function<void(SequencerProcess&)> then) {
  const Time limit = world.scheduler.now() + comes_within;
  world.network.lay([&world, term, limit, then = std::move(then)](Caught& caught) {
    if (world.scheduler.now() > limit) return true;
    const auto* order = std::get_if<Order>(&caught.message);
    if (order == nullptr || order->term <= term || order->items.empty()) return false;
    if (SequencerProcess* leader = sequencer(world, caught.from)) then(*leader);
    return true;
  });
}

/// From now on the leader's orders reach `holder` alone. After a while the leader dies, `holder` is
/// cut off from the sequencers, and `then` goes on. Does nothing if no sequencer leads.
void strand_on(World& world, Random& random, StorageProcess& holder,
               std::function<void(Term)> then) {
  SequencerProcess* leader = leader_of(world);
  if (leader == nullptr) return;
  heard_by_one(world, *leader, holder);
  const Duration down = between(random, 300ms, 700ms);
  later(world, between(random, 5ms, 120ms),
        [&world, leader, &holder, down, then = std::move(then)] {
          if (!leader->alive()) return world.network.heal();
          const Term term = leader->machine()->leading_term();
          leave_out(world, {&holder});
          kill_for(world, *leader, down);
          then(term);
        });
}

/// The leader dies, and the next leader hears these two replicas alone.
void leave_to(World& world, Random& random, SequencerProcess& leader, const StorageProcess& a,
              const StorageProcess& b) {
  std::vector<StorageProcess*> others;
  for (auto& n : world.storage)
    if (n.get() != &a && n.get() != &b) others.push_back(n.get());
  leave_out(world, others);
  kill_for(world, leader, between(random, 300ms, 700ms));
}

// figure_eight, and unheard_start with `second_is_heard` false. See the header for the story.
void figure_eight(World& world, Random& random, bool second_is_heard) {
  const auto nodes = shuffled(world, random);
  StorageProcess& a = *nodes[0];
  StorageProcess& b = *nodes[1];
  strand_on(world, random, a, [&world, &random, &a, &b, second_is_heard](Term first) {
    heal_later(world, comes_within);
    at_first_order(
        world, first, [&world, &random, &a, &b, second_is_heard](SequencerProcess& second) {
          if (second_is_heard) heard_by_one(world, second, b);
          else
            for (auto& n : world.storage) world.network.block(second.address(), n->address());
          const Term term = second.machine()->leading_term();
          later(world, between(random, 40ms, 400ms),
                [&world, &random, &a, &b, &second, term, second_is_heard] {
                  leave_out(world, {&b});
                  kill_for(world, second, between(random, 300ms, 700ms));
                  heal_later(world, between(random, 1500ms, 4s));
                  if (!second_is_heard) return;
                  at_first_order(world, term, [&world, &random, &a](SequencerProcess& third) {
                    heard_by_one(world, third, a);
                    later(world, between(random, 40ms, 400ms), [&world, &random, &a, &third] {
                      leave_out(world, {&a});
                      kill_for(world, third, between(random, 300ms, 700ms));
                    });
                  });
                });
        });
  });
}

// Holds the Reconcile to `node` and releases it after the node's first acknowledgement in that term
// (S4).
void late_reconcile(World& world, Random& random) {
  const auto nodes = shuffled(world, random);
  StorageProcess& holder = *nodes[0];
  StorageProcess& node = *nodes[1];
  strand_on(world, random, holder, [&world, &random, &holder, &node](Term first) {
    heal_later(world, comes_within);
    const Time limit = world.scheduler.now() + comes_within;
    auto release = std::make_shared<std::function<void()>>();
    world.network.lay([&world, &random, &holder, &node, first, limit, release](Caught& caught) {
      const bool too_late = world.scheduler.now() > limit;
      if (const auto* r = std::get_if<Reconcile>(&caught.message);
          r && &caught.to == &node && r->term > first && !*release && !too_late) {
        *release = caught.hold();
        return false;
      }
      const auto* acknowledged = std::get_if<Durable>(&caught.message);
      const bool now = *release && &caught.from == &node && acknowledged != nullptr &&
                       acknowledged->term > first;
      if (!now && !too_late) return false;
      if (*release) (*release)();
      if (!now) return true;
      SequencerProcess* second = sequencer(world, caught.to);
      if (second == nullptr) return true;
      world.network.block(second->address(), node.address());
      later(world, between(random, 5ms, 120ms), [&world, &random, &holder, &node, second] {
        leave_to(world, random, *second, holder, node);
        heal_later(world, between(random, 1s, 3s));
      });
      return true;
    });
  });
}

// Waits for a cut of `holder`, lets it write on without `last`, then cuts its power (S4).
void late_cut_power(World& world, Random& random) {
  const auto nodes = shuffled(world, random);
  StorageProcess& holder = *nodes[0];
  StorageProcess& last = *nodes[1];
  strand_on(world, random, holder, [&world, &random, &holder, &last](Term first) {
    heal_later(world, comes_within);
    at_first_order(world, first, [&world, &random](SequencerProcess&) {
      heal_later(world, between(random, 0ms, 20ms));
    });
    const Time limit = world.scheduler.now() + comes_within;
    auto cut_at = std::make_shared<Offset>(no_offset);
    world.network.lay([&world, &random, &holder, &last, limit, cut_at, first](Caught& caught) {
      if (world.scheduler.now() > limit) return true;
      const auto* r = std::get_if<Reconcile>(&caught.message);
      if (r && &caught.to == &holder && r->term > first && !r->rebase &&
          r->cut < r->expected_tail) {
        *cut_at = r->cut;
        // Later orders are held by the other nodes alone.
        world.network.block(caught.from.address(), last.address());
      }
      const auto* acknowledged = std::get_if<Durable>(&caught.message);
      SequencerProcess* second = sequencer(world, caught.to);
      if (*cut_at == no_offset || &caught.from != &holder || second == nullptr ||
          acknowledged == nullptr)
        return false;
      if (acknowledged->term <= first || acknowledged->tail < *cut_at + some_entries) return false;
      later(world, between(random, 1ms, 10ms), [&world, &random, &holder, &last, second] {
        if (!holder.alive() || !second->alive()) return;
        holder.power_cut();
        start_later(world, holder, between(random, 5ms, 100ms));
        leave_to(world, random, *second, holder, last);
        heal_later(world, between(random, 1s, 2s));
      });
      return true;
    });
  });
}

// S8: the peers of `holder` cannot copy from it, so the leader must pass over it as the base.
void mute_holder(World& world, Random& random) {
  StorageProcess& holder = *shuffled(world, random)[0];
  strand_on(world, random, holder, [&world, &random, &holder](Term) {
    world.network.heal();
    for (auto& n : world.storage)
      if (n.get() != &holder) cut(world, *n, holder);
    heal_later(world, between(random, 3s, 5s));
  });
}

/// True if `quick` has told producers of bytes that `slow` is still writing.
bool is_told_by_one(StorageProcess& slow, StorageProcess& quick) {
  if (!slow.alive() || !quick.alive()) return false;
  for (const auto& [id, files] : slow.disk.content()) {
    const storage::LogCore* here = slow.machine()->log(id);
    const storage::LogCore* there = quick.machine()->log(id);
    if (here == nullptr || there == nullptr || !here->is_matched() ||
        here->matched != there->matched)
      continue;
    if (here->written.end > here->durable.end &&
        there->durable.end >= here->durable.end + some_entries)
      return true;
  }
  return false;
}

// V2: slows a disk down, waits until the other replica is ahead, then kills the leader and hides
// the fast replica.
void late_observation(World& world, Random& random) {
  SequencerProcess* leader = leader_of(world);
  if (leader == nullptr || world.storage.size() != 3 || world.network.partitioned()) return;
  const auto nodes = shuffled(world, random);
  StorageProcess& slow = *nodes[0];
  StorageProcess& quick = *nodes[1];
  world.network.block(leader->address(), nodes[2]->address());
  slow.log_disk_slower_by = between(random, 300ms, 600ms);
  const auto end = [&world, &slow] {
    slow.log_disk_slower_by = {};
    world.network.heal();
  };
  when(
      world, comes_within, [&slow, &quick] { return is_told_by_one(slow, quick); },
      [&world, &random, &quick, leader, end] {
        world.faults.count("one replica has told, another one is writing");
        kill_for(world, *leader, between(random, 500ms, 1500ms));
        for (auto& s : world.sequencers) cut(world, *s, quick);
        later(world, between(random, 1s, 2s), end);
      },
      end);
}

// S5: the second leader recovers without `holder` and `short_one`, and so orders other runs at the
// same offsets.
void two_logs(World& world, Random& random) {
  const auto nodes = shuffled(world, random);
  StorageProcess& holder = *nodes[0];
  StorageProcess& short_one = *nodes[1];
  strand_on(world, random, holder, [&world, &random, &holder, &short_one](Term first) {
    leave_out(world, {&holder, &short_one});
    heal_later(world, comes_within);
    when_succeeded(world, first, [&world, &random](SequencerProcess& second) {
      later(world, between(random, 100ms, 900ms), [&world, &random, &second] {
        world.network.heal();
        kill_for(world, second, between(random, 300ms, 700ms));
      });
    });
  });
}

// D1: once a busy client's run is ordered, all storage nodes restart, which empties their staging.
// The client dies for longer than the leader waits.
void forgotten_order(World& world, Random& random) {
  const Time limit = world.scheduler.now() + comes_within;
  auto client = std::make_shared<std::pair<const Process*, ProducerId>>();
  world.network.lay([&world, &random, limit, client](Caught& caught) {
    if (world.scheduler.now() > limit) return true;
    if (const auto* c = std::get_if<Commit>(&caught.message)) {
      const auto busy = world.clients.size() - world.options.quiet_clients;
      const bool is_busy = std::any_of(world.clients.begin(),
                                       world.clients.begin() + static_cast<std::ptrdiff_t>(busy),
                                       [&](const auto& p) { return p.get() == &caught.from; });
      if (is_busy && client->first == nullptr) *client = {&caught.from, c->run.producer};
      return false;
    }
    const auto* order = std::get_if<Order>(&caught.message);
    if (order == nullptr || client->first == nullptr) return false;
    if (std::none_of(order->items.begin(), order->items.end(),
                     [&](const OrderItem& i) { return i.run.producer == client->second; }))
      return false;
    later(world, 0us, [&world, &random, producer = client->first] {
      for (auto& n : world.storage) kill_for(world, *n, between(random, 5ms, 100ms));
      kill_for(world, *world.find(producer->address()), between(random, 2500ms, 4s));
    });
    return true;
  });
}

// D6: the client's uploads to the node wait; peers must give it the payloads.
void detour(World& world, Random& random) {
  const Process& client =
      *world.clients[random.below(world.clients.size() - world.options.quiet_clients)];
  const Process& node = *world.storage[random.below(world.storage.size())];
  world.network.block(client.address(), node.address());
  heal_later(world, between(random, 300ms, 2500ms));
}

}  // namespace

bool inject_history(World& world, Random& random, const std::string& kind) {
  if (kind == "figure_eight") figure_eight(world, random, true);
  else if (kind == "unheard_start") figure_eight(world, random, false);
  else if (kind == "late_reconcile") late_reconcile(world, random);
  else if (kind == "late_cut_power") late_cut_power(world, random);
  else if (kind == "mute_holder") mute_holder(world, random);
  else if (kind == "late_observation") late_observation(world, random);
  else if (kind == "two_logs") two_logs(world, random);
  else if (kind == "forgotten_order") forgotten_order(world, random);
  else if (kind == "detour") detour(world, random);
  else return false;
  return true;
}

}  // namespace loglog::simulator

// Each fault lays a trap for a message type. A trap runs inside a send, so a process must not die
// there: deaths are scheduled with `later` (0 us).
#include "tests/simulator/message_faults.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "tests/simulator/fault_steps.h"

namespace loglog::simulator {
namespace {

using Caught = SimulatedNetwork::Caught;

// A fault that has found no message by then gives up.
constexpr Duration patience = 3s;

/// Lays a trap for messages of type M. It stays until `trap` returns true or patience is over.
template <class M>
void wait_for(World& world, std::function<bool(Caught&, const M&)> trap) {
  world.network.lay(
      [&world, trap = std::move(trap), until = world.scheduler.now() + patience](Caught& c) {
        if (world.scheduler.now() > until) return true;
        const auto* m = std::get_if<M>(&c.message);
        return m != nullptr && trap(c, *m);
      });
}

/// Kills the process after the current event, because the trap runs inside a message that the
/// process sends.
void kill_soon(World& world, Random& random, const Process& p) {
  Process* process = world.find(p.address());
  later(world, 0us, [process] { process->kill(); });
  start_later(world, *process, between(random, 10ms, 1500ms));
}

/// From now on the client's messages to storage nodes wait.
void stall(World& world, const Process& client) {
  for (auto& n : world.storage) world.network.block(client.address(), n->address());
}
void let_through(World& world, const Process& client) {
  for (auto& n : world.storage) world.network.unblock(client, *n);
}

// True for the last clients, whose calls the final checks need.
bool is_quiet(const World& world, const Process& client) {
  const auto& all = world.clients_as_processes();
  return std::find(all.end() - static_cast<std::ptrdiff_t>(world.options.quiet_clients), all.end(),
                   &client) != all.end();
}

}  // namespace

// A3: the answer to the first Commit is lost with its connection, the answer to the repeat with its
// leader.
void lose_answers(World& world, Random& random) {
  wait_for<Committed>(world, [&world, &random](Caught& c, const Committed& first) {
    c.lose();
    wait_for<Committed>(world, [&world, &random, producer = first.producer, run = first.first](
                                   Caught& again, const Committed& second) {
      if (second.producer != producer || second.first != run) return false;
      again.lose();
      kill_soon(world, random, again.from);
      return true;
    });
    return true;
  });
}

// A1: the held Commit arrives once TermIs has announced a later term of the same leader.
void delay_commit(World& world, Random& random) {
  wait_for<Commit>(world, [&world, &random](Caught& c, const Commit& m) {
    if (m.run.first != m.settled + 1) return false;
    const auto let_go = c.hold();
    if (!world.network.partitioned()) {
      const Process& keeps_staged = *world.storage[random.below(world.storage.size())];
      for (auto& s : world.sequencers) world.network.block(s->address(), keeps_staged.address());
    }
    const std::string leader = c.to.address();
    wait_for<TermIs>(world, [&world, &random, let_go, leader, log = m.log, term = m.term](
                                Caught& news, const TermIs& t) {
      if (t.log != log || t.term <= term || news.from.address() != leader) return false;
      world.scheduler.after(0us, let_go);
      heal_later(world, between(random, 0ms, 20ms));
      return true;
    });
    world.scheduler.after(patience, [&world, let_go] {
      let_go();
      world.network.heal();
    });
    return true;
  });
}

// F1: the held CommitIf arrives when an Order brings the log's end to its expected offset.
void late_condition(World& world, Random&) {
  wait_for<CommitIf>(world, [&world](Caught& c, const CommitIf& m) {
    if (m.expected == no_offset) return false;
    const auto let_go = c.hold();
    wait_for<Order>(world,
                    [&world, let_go, log = m.log, expected = m.expected](Caught&, const Order& o) {
                      Offset end = o.previous_end;
                      for (const OrderItem& item : o.items) end += item.run.length;
                      if (o.log != log || end != expected) return false;
                      world.faults.count("its condition holds when it comes");
                      world.scheduler.after(0us, let_go);
                      return true;
                    });
    world.scheduler.after(patience, let_go);
    return true;
  });
}

// A5: the producer's entry is committed, and the producer hears nothing until trims may have
// removed it.
void cut_off_producer(World& world, Random& random) {
  wait_for<Committed>(world, [&world, &random](Caught& c, const Committed&) {
    c.lose();
    for (auto& s : world.sequencers) cut(world, c.to, *s);
    later(world, between(random, 1s, 2500ms), [&world, &random] {
      if (SequencerProcess* leader = leader_of(world)) kill_soon(world, random, *leader);
      world.network.heal();
    });
    return true;
  });
}

// V1: the uploads stall, the Commit passes, and the client dies within a network delay.
void die_uploading(World& world, Random& random) {
  wait_for<Upload>(world, [&world, &random](Caught& c, const Upload& m) {
    if (is_quiet(world, c.from)) return false;
    Process* client = world.find(c.from.address());
    world.hindered.insert(client);
    stall(world, *client);
    wait_for<Commit>(world, [&world, &random, client, run = m.run](Caught&, const Commit& commit) {
      if (commit.run != run) return false;
      world.faults.count("committed, never uploaded");
      later(world, world.options.network_delay_max, [&world, &random, client] {
        kill_soon(world, random, *client);
        world.hindered.erase(client);  // its next life is not hindered
        later(world, 1ms, [&world, client] { let_through(world, *client); });
      });
      return true;
    });
    later(world, patience, [&world, client] { let_through(world, *client); });
    return true;
  });
}

// V1: at most half of the busy clients are stalled, so that the others' appends can be judged.
void stall_uploads(World& world, Random& random) {
  wait_for<Upload>(world, [&world, &random](Caught& c, const Upload&) {
    const std::size_t some = (world.clients.size() - world.options.quiet_clients) / 2;
    if (is_quiet(world, c.from) ||
        (world.hindered.size() >= some && !world.hindered.contains(&c.from)))
      return false;
    Process* client = world.find(c.from.address());
    world.hindered.insert(client);
    stall(world, *client);
    later(world, between(random, 3s, 8s), [&world, client] { let_through(world, *client); });
    return true;
  });
}

// T6: any request that changes the metadata of a log may be held.
void late_command(World& world, Random& random) {
  world.network.lay([&world, &random, until = world.scheduler.now() + patience](Caught& c) {
    if (world.scheduler.now() > until) return true;
    const bool is_command = std::holds_alternative<CreateLog>(c.message) ||
                            std::holds_alternative<SetRetention>(c.message) ||
                            std::holds_alternative<SetFence>(c.message) ||
                            std::holds_alternative<DeleteLog>(c.message) ||
                            std::holds_alternative<TrimLog>(c.message);
    if (!is_command) return false;
    world.scheduler.after(between(random, 100ms, 5s), c.hold());
    return true;
  });
}

}  // namespace loglog::simulator

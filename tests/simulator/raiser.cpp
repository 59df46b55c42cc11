// A step is a change of a program or a request. A refusal with invalid_argument is definite; after
// any other end the request may have been taken.
#include "tests/simulator/raiser.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "tests/simulator/checkers.h"
#include "tests/simulator/fault_steps.h"

namespace loglog::simulator {
namespace {

constexpr Duration answer_max = 2s;
/// After a change to an older program the operator waits this long before it asks. Before that the
/// leader may not have heard that the newer program's connection is gone.
constexpr Duration careful = 500ms;

Duration up_to(World& world, Duration d) { return between(world.random, Duration{0}, d); }

}  // namespace

Raiser::Raiser(World& world, Duration pause) : Process(world, "raiser", "raiser"), pause_(pause) {}

void Raiser::begin() {
  start();
  world_.on_raised = [this] { raised(); };
  step();
}

void Raiser::step() {
  world_.scheduler.after(up_to(world_, 2 * pause_), [this] {
    if (world_.is_raised()) try_older_program();
    else if (asking_ == ConnectionId{} && world_.random.chance(2, 5) &&
             world_.scheduler.now() >= went_back_ + careful)
      ask();
    else change_program();
    step();
  });
}

Process& Raiser::any_server() {
  const auto& s = world_.sequencers_as_processes();
  const auto& n = world_.storage_as_processes();
  const std::size_t i = world_.random.below(s.size() + n.size());
  return i < s.size() ? *s[i] : *n[i - s.size()];
}

/// Starts the process with another program. A process that the weather has stopped is started by
/// the weather.
void Raiser::run_with(Process& p, bool newer) {
  if (p.reads_next == newer) return;
  world_.faults.count(newer ? "a newer program" : "an older program");
  const bool was_alive = p.alive();
  if (was_alive) p.kill();
  p.reads_next = newer;
  if (was_alive) world_.scheduler.after(20ms + up_to(world_, 80ms), [&p] { p.start(); });
}

void Raiser::change_program() {
  const bool newer =
      is_calm() || may_be_taken_ || asking_ != ConnectionId{} || world_.random.chance(3, 4);
  if (!newer) {
    went_back_ = world_.scheduler.now();
    return run_with(any_server(), false);
  }
  std::vector<Process*> older;
  for (const auto* group : {&world_.sequencers_as_processes(), &world_.storage_as_processes()})
    std::ranges::copy_if(*group, std::back_inserter(older),
                         [](const Process* p) { return !p->reads_next; });
  if (!older.empty()) run_with(*older[world_.random.below(older.size())], true);
}

/// T7: an older program is refused on a directory that names the version. A directory that does not
/// name it yet belongs to a process that lags; the operator waits with that.
void Raiser::try_older_program() {
  if (is_calm() || !world_.random.chance(1, 4)) return;
  Process& p = any_server();
  if (p.alive() && p.named_version() > record_version_first) run_with(p, false);
}

/// The first metadata of the version exist. A sequencer that has not applied the raise yet dies, so
/// that it later gets the raise and the records behind it at once.
void Raiser::raised() {
  for (const auto* group : {&world_.sequencers_as_processes(), &world_.storage_as_processes()})
    for (const Process* p : *group)
      if (!p->reads_next)
        return violated(world_, promise::raised,
                        p->name() + " runs an older program, and the cluster was raised");
  world_.faults.count("raised");
  for (const auto& s : world_.sequencers)
    if (s->alive() && s->machine()->metadata().record_version == 0 && world_.random.chance(1, 2))
      return world_.scheduler.after(Duration{0}, [this, &p = *s] {
        p.kill();
        world_.scheduler.after(200ms + up_to(world_, 600ms), [&p] { p.start(); });
      });
}

// ---- The request

Hello Raiser::hello() const {
  Hello h;
  h.magic = hello_magic;
  h.lowest_version = protocol_lowest;
  h.highest_version = RaiseClusterVersion::since_version;
  h.role = Role::client;
  return h;
}

void Raiser::ask() {
  const SequencerProcess* leader = leader_of(world_);
  if (leader == nullptr || !leader->reads_next)
    return;  // an older leader does not know the request
  asking_ = next_connection();
  sent_ = false;
  world_.network.dial(*this, leader->address(), asking_, 0);
  world_.scheduler.after(answer_max, [this, asked = asking_] {
    if (asking_ != asked) return;
    world_.network.close(*this, asked);
    ended(false);
  });
}

/// A request that was sent and got no definite answer may be taken later.
void Raiser::ended(bool definitely_refused) {
  may_be_taken_ = may_be_taken_ || (sent_ && !definitely_refused);
  asking_ = {};
}

void Raiser::on_connected(ConnectionId id, const Hello& peer, std::uint64_t) {
  if (id != asking_) return;
  if (peer.highest_version < RaiseClusterVersion::since_version) {
    world_.network.close(*this, id);
    return ended(true);
  }
  sent_ = true;
  world_.network.send(*this, id, RequestId{1}, RaiseClusterVersion{2});
}

void Raiser::on_connect_failed(std::uint64_t, ConnectionId id) {
  if (id == asking_) ended(false);
}

void Raiser::on_disconnected(ConnectionId id) {
  if (id == asking_) ended(false);
}

void Raiser::on_arrived(ConnectionId id, RequestId request, Message&& m) {
  if (id != asking_ || request != RequestId{1}) return;
  const auto* failed = std::get_if<Failed>(&m);
  const bool refused = failed != nullptr && failed->error == Errc::invalid_argument;
  if (std::holds_alternative<Done>(m) && !world_.is_raised())
    return violated(world_, promise::raised,
                    "a raise is answered as done that no sequencer applied");
  if (failed != nullptr) last_ = failed->detail;
  if (refused) world_.faults.count("a raise is refused");
  world_.network.close(*this, id);
  ended(refused);
}

bool Raiser::at_rest() const {
  if (!resting_ || !world_.is_raised()) return false;
  for (const auto* group : {&world_.sequencers_as_processes(), &world_.storage_as_processes()})
    for (const Process* p : *group)
      if (p->alive() && p->named_version() == record_version_first) return false;
  return true;
}

std::string Raiser::standing() const {
  std::string out = world_.is_raised() ? "the cluster is raised" : "the cluster is not raised";
  for (const auto* group : {&world_.sequencers_as_processes(), &world_.storage_as_processes()})
    for (const Process* p : *group)
      out += fmt::format("; {}: a program of version {}, a directory of version {}", p->name(),
                         p->reads_next ? 2 : 1, p->named_version());
  return out + (last_.empty() ? "" : "; the last refusal: " + last_);
}

}  // namespace loglog::simulator

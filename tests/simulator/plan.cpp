#include "tests/simulator/plan.h"

#include <fmt/format.h>

#include <fstream>
#include <set>
#include <sstream>

namespace loglog::simulator {
namespace {

const std::set<std::string> fault_kinds = {"kill_storage", "power_storage", "kill_leader",      "kill_sequencer", "power_all",
                                           "pause",        "partition",     "break_connection", "one_way",        "full_disk"};

}  // namespace

Result<Plan> read_plan(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) return fail(Errc::invalid_argument, "cannot read the plan " + file.string());
  Plan p;
  p.name = file.stem().string();
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string key;
    std::uint64_t value = 0;
    if (!(words >> key)) continue;
    if (!(words >> value)) return fail(Errc::invalid_argument, file.string() + ": no number after " + key);
    const Duration ms(static_cast<std::int64_t>(value) * 1000);
    if (key == "clients") p.clients = static_cast<int>(value);
    else if (key == "entries") p.workload.entries_per_client = static_cast<int>(value);
    else if (key == "logs") p.workload.logs = static_cast<int>(value);
    else if (key == "in_flight") p.workload.in_flight = static_cast<int>(value);
    else if (key == "payload_max") p.workload.payload_max = static_cast<std::uint32_t>(value);
    else if (key == "think_max_ms") p.workload.think_max = ms;
    else if (key == "faults_for_ms") p.faults_for = ms;
    else if (key == "network_delay_max_us") p.network_delay_max = Duration(static_cast<std::int64_t>(value));
    else if (key == "disk_delay_max_us") p.disk_delay_max = Duration(static_cast<std::int64_t>(value));
    else if (fault_kinds.contains(key)) p.faults[key] = ms;
    else return fail(Errc::invalid_argument, file.string() + ": unknown word " + key);
  }
  return p;
}

namespace {

// Injects faults until a time, then heals everything.
class Weather {
 public:
  Weather(World& world, const Plan& plan) : world_(world), random_(world.random.next()), until_(world.scheduler.now() + plan.faults_for) {
    for (const auto& [kind, mean] : plan.faults) next(kind, mean);
    world_.scheduler.at(until_, [this] { heal(); });
  }

 private:
  void next(const std::string& kind, Duration mean) {
    const Duration wait(static_cast<std::int64_t>(random_.below(2 * static_cast<std::uint64_t>(mean.count()))));
    if (world_.scheduler.now() + wait >= until_) return;
    world_.scheduler.after(wait, [this, kind, mean] {
      inject(kind);
      next(kind, mean);
    });
  }

  Process& any_storage() { return *world_.storage[random_.below(world_.storage.size())]; }
  Process& any_server() {
    const std::size_t i = random_.below(world_.storage.size() + world_.sequencers.size());
    if (i < world_.storage.size()) return *world_.storage[i];
    return *world_.sequencers[i - world_.storage.size()];
  }
  void restart_later(Process& p) {
    world_.scheduler.after(Duration(static_cast<std::int64_t>(10'000 + random_.below(1'500'000))), [&p] { p.start(); });
  }

  void inject(const std::string& kind) {
    world_.faults.count(kind);
    if (kind == "kill_storage") {
      Process& p = any_storage();
      p.kill();
      restart_later(p);
    } else if (kind == "power_storage") {
      auto& p = *world_.storage[random_.below(world_.storage.size())];
      p.power_cut();
      restart_later(p);
    } else if (kind == "kill_leader" || kind == "kill_sequencer") {
      Process* p = world_.sequencers[random_.below(world_.sequencers.size())].get();
      if (kind == "kill_leader")
        for (auto& s : world_.sequencers)
          if (s->alive() && s->machine()->role() == RaftRole::leader) p = s.get();
      p->kill();
      restart_later(*p);
    } else if (kind == "power_all") {
      for (auto& p : world_.storage) {
        p->power_cut();
        restart_later(*p);
      }
      for (auto& p : world_.sequencers) {
        p->kill();
        restart_later(*p);
      }
    } else if (kind == "pause") {
      any_server().pause(Duration(static_cast<std::int64_t>(random_.below(2'000'000))));
    } else if (kind == "full_disk") {
      auto& p = *world_.storage[random_.below(world_.storage.size())];
      p.disk.full = true;
      world_.scheduler.after(Duration(static_cast<std::int64_t>(random_.below(4'000'000))), [&p] { p.disk.full = false; });
    } else if (kind == "break_connection") {
      world_.network.break_one(random_);
    } else {  // partition, one_way: one server from some of the others
      Process& p = any_server();
      for (auto* group : {&world_.sequencers_as_processes(), &world_.storage_as_processes(), &world_.clients_as_processes()})
        for (Process* o : *group) {
          if (o == &p || random_.chance(1, 4)) continue;
          world_.network.block(p.address(), o->address());
          if (kind == "partition") world_.network.block(o->address(), p.address());
        }
      world_.scheduler.after(Duration(static_cast<std::int64_t>(random_.below(2'000'000))), [this] { world_.network.heal(); });
    }
  }

  void heal() {
    world_.trace("WEATHER", "heals");
    world_.network.heal();
    for (auto& p : world_.storage) p->disk.full = false;
    for (auto& p : world_.storage) p->start();
    for (auto& p : world_.sequencers) p->start();
  }

  World& world_;
  Random random_;
  Time until_;
};

std::string log_name(int i) { return fmt::format("log{}", i); }

// After healing: everything the clients began ends, every log reads in full, and then the replicas agree.
void finish(World& world, Checkers& checkers, const std::vector<std::unique_ptr<ClientWorkload>>& work, int logs, ClientProcess& reader) {
  const auto stop = [&] { return world.violated(); };
  const auto all_done = [&] {
    for (const auto& w : work)
      if (!w->appends_done()) return false;
    return true;
  };
  const Time bound = world.scheduler.now() + 90s;
  while (!all_done() && world.scheduler.now() < bound && !world.violated()) world.scheduler.run_until(world.scheduler.now() + 100ms, stop);
  if (!all_done()) return world.stop_at_violation("progress: appends do not end within 90 s after healing");
  world.scheduler.run_until(world.scheduler.now() + 4s, stop);
  for (int i = 1; i <= logs && !world.violated(); ++i) {
    FullRead read(world, reader, log_name(i));
    read.start();
    const Time limit = world.scheduler.now() + 30s;
    while (!read.done() && world.scheduler.now() < limit && !world.violated())
      world.scheduler.run_until(world.scheduler.now() + 20ms, stop);
    if (!read.done()) return world.stop_at_violation("progress: a full read does not end within 30 s; last answer: " + read.last_error());
    for (const auto& e : read.entries()) checkers.entry_read(read.log(), e);
    checkers.log_fully_read(read.log(), read.entries(), read.first());
    checkers.compare_replicas(read.log(), read.committed());
    // The leader's own frames may stand behind the last entry: followers are not told of them.
    const Offset last = read.entries().empty() ? Offset{} : read.entries().back().next;
    for (const auto& w : work)
      if (w->log() == read.log() && w->followed_to() < last && !world.violated())
        world.stop_at_violation(
            fmt::format("progress: a follower stands at {}, the last entry ends at {}", w->followed_to().value, last.value));
    reader.on_completed = nullptr;
  }
}

}  // namespace

RunResult run(const Plan& plan, std::uint64_t seed, bool trace) {
  WorldOptions o;
  o.seed = seed;
  o.clients = plan.clients + 1;  // the last one reads at the end
  o.network_delay_max = plan.network_delay_max;
  o.disk_delay_max = plan.disk_delay_max;
  o.trace = trace;
  World world(o);
  Checkers checkers(world);
  std::vector<std::unique_ptr<ClientWorkload>> work;
  world.start_all();
  for (int i = 0; i < plan.clients; ++i)
    work.push_back(std::make_unique<ClientWorkload>(world, checkers, *world.clients[static_cast<std::size_t>(i)],
                                                    log_name(i % plan.workload.logs + 1), plan.workload, i < plan.workload.logs));
  for (auto& w : work) w->start();
  const auto stop = [&] { return world.violated(); };
  world.scheduler.run_until(world.scheduler.now() + 1500ms, stop);  // the cluster forms
  Weather weather(world, plan);
  world.scheduler.run_until(world.scheduler.now() + plan.faults_for, stop);
  if (!world.violated()) finish(world, checkers, work, plan.workload.logs, *world.clients.back());

  RunResult r;
  r.seed = seed;
  r.violation = world.violation().value_or("");
  r.acknowledged = checkers.acknowledged();
  r.failed = checkers.failed();
  r.unknown = checkers.unknown();
  r.read = checkers.read();
  for (const auto& w : work) r.tails += w->tails();
  r.messages = world.network.messages();
  r.simulated = world.scheduler.now().time_since_epoch();
  r.faults = world.faults;
  if (r.violation.empty() && r.acknowledged == 0) r.violation = "progress: nothing was acknowledged in the whole run";
  return r;
}

}  // namespace loglog::simulator

#include "tests/simulator/world.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/vocabulary/check.h"
#include "tests/simulator/simulated_raft_disk.h"

namespace loglog::simulator {

void Process::start() {
  if (alive_) return;
  alive_ = true;
  ++life_;
  paused_until_ = {};
  wake_ = never;
  world_.trace(name_, "starts");
  on_start();
}

void Process::kill() {
  if (!alive_) return;
  world_.trace(name_, "dies");
  alive_ = false;
  world_.network.process_died(*this);
  on_kill();
}

void Process::pause(Duration how_long) {
  world_.trace(name_, "is paused");
  paused_until_ = std::max(paused_until_, world_.scheduler.now() + how_long);
}

void Process::deliver(std::uint64_t life, std::function<void()> what) {
  if (!alive_ || life != life_) return;
  if (paused_until_ > world_.scheduler.now()) {
    world_.scheduler.at(paused_until_, [this, life, what = std::move(what)]() mutable { deliver(life, std::move(what)); });
    return;
  }
  what();
}

void Process::wake_at(Time t, std::function<void()> tick) {
  if (t == never || t >= wake_) return;
  wake_ = std::max(t, world_.scheduler.now());
  world_.scheduler.at(wake_, [this, t = wake_, life = life_, tick = std::move(tick)]() mutable {
    if (wake_ != t || life != life_) return;  // an earlier wake took its place
    wake_ = never;
    deliver(life, std::move(tick));
  });
}

// ---- storage node

StorageProcess::StorageProcess(World& world, NodeId id, std::string address)
    : Process(world, std::move(address), fmt::format("node{}", id.value)), id_(id) {}

void StorageProcess::on_start() {
  disk.sync_all();
  storage::Options o;
  o.id = id_;
  o.cluster_name = "simulated";
  machine_ = std::make_unique<storage::StorageMachine>(o, world_.random.next());
  const auto started = machine_->start(world_.scheduler.now(), disk);
  if (!started) {
    world_.stop_at_violation(name() + " does not start: " + started.error().message());
    return;
  }
  perform();
}

void StorageProcess::on_kill() {
  for (auto& [log, queue] : strands_)
    if (!queue.empty()) disk.interrupted(queue.front().operation, world_.random);
  strands_.clear();
  machine_.reset();
}

void StorageProcess::power_cut() {
  kill();
  world_.faults.count("lost or torn sectors", disk.power_cut(world_.random));
}

void StorageProcess::next_on_strand(LogId log) {
  auto& queue = strands_[log];
  disk.begin(queue.front().operation);
  world_.scheduler.after(world_.disk_delay(), [this, log, life = life()] {
    deliver(life, [this, log] {
      auto& q = strands_[log];
      storage::DiskDone done = disk.finish(q.front());
      q.erase(q.begin());
      if (!q.empty()) next_on_strand(log);
      machine_->disk_done(world_.scheduler.now(), std::move(done));
      perform();
    });
  });
}

void StorageProcess::perform() {
  storage::Output& o = machine_->output();
  for (auto& e : o.events) world_.trace(name(), e.text);
  for (auto& d : o.disk) {
    if (storage::beside_strand(d.operation)) {
      world_.scheduler.after(world_.disk_delay(), [this, d, life = life()] {
        deliver(life, [this, d] {
          machine_->disk_done(world_.scheduler.now(), disk.finish(d));
          perform();
        });
      });
      continue;
    }
    const LogId log = strand_of(d.operation);
    auto& queue = strands_[log];
    queue.push_back(std::move(d));
    if (queue.size() == 1) next_on_strand(log);
  }
  for (auto& s : o.sends) world_.network.send(*this, s.to, s.request, s.message);
  for (auto& c : o.connects) world_.network.dial(*this, c.address, next_connection(), c.node.value);
  for (auto& c : o.closes) world_.network.close(*this, c.connection);
  const Time wake = o.wake;
  o.clear();
  wake_at(wake, [this] {
    machine_->tick(world_.scheduler.now());
    perform();
  });
}

void StorageProcess::on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) {
  machine_->connected(world_.scheduler.now(), {id, peer, NodeId{static_cast<std::uint32_t>(dial_key)}});
  perform();
}
void StorageProcess::on_connect_failed(std::uint64_t dial_key, ConnectionId) {
  machine_->connect_failed(world_.scheduler.now(), {NodeId{static_cast<std::uint32_t>(dial_key)}});
  perform();
}
void StorageProcess::on_disconnected(ConnectionId id) {
  machine_->disconnected(world_.scheduler.now(), {id});
  perform();
}
void StorageProcess::on_arrived(ConnectionId id, RequestId request, Message&& m) {
  machine_->arrived(world_.scheduler.now(), {id, request, std::move(m)});
  perform();
}

// ---- sequencer

SequencerProcess::SequencerProcess(World& world, sequencer::Options options, std::string address)
    : Process(world, std::move(address), fmt::format("seq{}", options.id.value)), options_(std::move(options)) {}

std::uint64_t SequencerProcess::wall_ms() const {
  return 1'700'000'000'000ULL + static_cast<std::uint64_t>(world_.scheduler.now().time_since_epoch().count()) / 1000;
}

void SequencerProcess::on_start() {
  dialled_.clear();
  machine_ = std::make_unique<sequencer::SequencerMachine>(options_, disk_, world_.random.next());
  machine_->start(world_.scheduler.now(), wall_ms());
  perform();
  for (const auto& s : options_.sequencers)
    if (s.id > options_.id) dial(s.address);
  for (const auto& s : options_.storage) dial(s.address);
}

void SequencerProcess::on_kill() {
  if (!saves_.empty() && world_.random.chance(1, 2)) apply(disk_, saves_.front());
  saves_.clear();
  machine_.reset();
}

void SequencerProcess::dial(const std::string& address) {
  const ConnectionId id = next_connection();
  dialled_[id.value] = address;
  world_.network.dial(*this, address, id, 0);
}

void SequencerProcess::redial(const std::string& address, Duration delay) {
  world_.scheduler.after(delay, [this, address, life = life()] { deliver(life, [this, address] { dial(address); }); });
}

void SequencerProcess::save_next() {
  world_.scheduler.after(world_.disk_delay(), [this, life = life()] {
    deliver(life, [this] {
      const std::uint64_t ticket = saves_.front().ticket;
      apply(disk_, saves_.front());
      saves_.erase(saves_.begin());
      if (!saves_.empty()) save_next();
      machine_->save_done(world_.scheduler.now(), {ticket});
      perform();
    });
  });
}

void SequencerProcess::perform() {
  sequencer::Output& o = machine_->output();
  for (auto& e : o.events) world_.trace(name(), e.text);
  for (auto& s : o.saves) {
    saves_.push_back(std::move(s));
    if (saves_.size() == 1) save_next();
  }
  for (auto& s : o.sends) world_.network.send(*this, s.to, s.request, s.message);
  for (auto& c : o.closes) {
    world_.network.close(*this, c.connection);
    if (const auto d = dialled_.find(c.connection.value); d != dialled_.end()) {
      redial(d->second, 500ms);
      dialled_.erase(d);
    }
  }
  const Time wake = o.wake;
  o.clear();
  wake_at(wake, [this] {
    machine_->tick(world_.scheduler.now(), wall_ms());
    perform();
  });
}

void SequencerProcess::on_connected(ConnectionId id, const Hello& peer, std::uint64_t) {
  machine_->connected(world_.scheduler.now(), {id, peer});
  perform();
}
void SequencerProcess::on_connect_failed(std::uint64_t, ConnectionId id) {
  const auto d = dialled_.find(id.value);
  if (d == dialled_.end()) return;
  redial(d->second, 20ms + Duration(world_.random.below(80'000)));
  dialled_.erase(d);
}
void SequencerProcess::on_disconnected(ConnectionId id) {
  on_connect_failed(0, id);
  machine_->disconnected(world_.scheduler.now(), {id});
  perform();
}
void SequencerProcess::on_arrived(ConnectionId id, RequestId request, Message&& m) {
  machine_->arrived(world_.scheduler.now(), {id, request, std::move(m)});
  perform();
}

// ---- client

ClientProcess::ClientProcess(World& world, client::Options options, std::string name)
    : Process(world, name, name), options_(std::move(options)) {}

void ClientProcess::on_start() { machine_ = std::make_unique<client::ClientMachine>(options_, world_.random.next()); }

void ClientProcess::call(const std::function<void(client::ClientMachine&)>& what) {
  if (!alive()) return;
  what(*machine_);
  perform();
}

void ClientProcess::perform() {
  if (performing_) return;  // a completion made another call: the loop below takes what it asked for
  performing_ = true;
  Time wake = never;
  for (;;) {
    client::Output& o = machine_->output();
    wake = o.wake;
    auto completed = std::move(o.completed);
    auto connects = std::move(o.connects);
    auto sends = std::move(o.sends);
    auto closes = std::move(o.closes);
    o.clear();
    for (auto& c : connects) world_.network.dial(*this, c.address, c.connection, 0);
    for (auto& s : sends) world_.network.send(*this, s.to, s.request, s.message);
    for (auto& c : closes) world_.network.close(*this, c.connection);
    for (auto& c : completed)
      if (on_completed) on_completed(c);
    if (completed.empty()) break;
  }
  performing_ = false;
  wake_at(wake, [this] {
    machine_->tick(world_.scheduler.now());
    perform();
  });
}

void ClientProcess::on_connected(ConnectionId id, const Hello& peer, std::uint64_t) {
  machine_->connected(world_.scheduler.now(), {id, peer});
  perform();
}
void ClientProcess::on_connect_failed(std::uint64_t, ConnectionId id) {
  machine_->disconnected(world_.scheduler.now(), {id, Error{Errc::connection_lost, "refused"}});
  perform();
}
void ClientProcess::on_disconnected(ConnectionId id) {
  machine_->disconnected(world_.scheduler.now(), {id, Error{Errc::connection_lost, "closed"}});
  perform();
}
void ClientProcess::on_arrived(ConnectionId id, RequestId request, Message&& m) {
  machine_->arrived(world_.scheduler.now(), {id, request, std::move(m)});
  perform();
}

// ---- world

World::World(const WorldOptions& o) : options(o), random(o.seed), network(*this) {
  sequencer::Options so;
  so.cluster_name = "simulated";
  client::Options co;
  for (int i = 1; i <= o.sequencers; ++i) so.sequencers.push_back({SequencerId{static_cast<std::uint32_t>(i)}, fmt::format("seq{}:1", i)});
  for (int i = 1; i <= o.storage; ++i) so.storage.push_back({NodeId{static_cast<std::uint32_t>(i)}, DiskId{}, fmt::format("node{}:1", i)});
  for (const auto& s : so.sequencers) {
    so.id = s.id;
    sequencers.push_back(std::make_unique<SequencerProcess>(*this, so, s.address));
    co.addresses.push_back(s.address);
  }
  for (const auto& s : so.storage) storage.push_back(std::make_unique<StorageProcess>(*this, s.id, s.address));
  for (int i = 1; i <= o.clients; ++i) clients.push_back(std::make_unique<ClientProcess>(*this, co, fmt::format("client{}", i)));
  for (auto& p : storage) storage_processes_.push_back(p.get());
  for (auto& p : sequencers) sequencer_processes_.push_back(p.get());
  for (auto& p : clients) client_processes_.push_back(p.get());
}

void World::start_all() {
  for (auto& p : storage) p->start();
  for (auto& p : sequencers) p->start();
  for (auto& p : clients) p->start();
}

void World::stop_at_violation(const std::string& what) {
  if (!violation_) violation_ = what;
  trace("VIOLATION", what);
}

void World::trace(const std::string& who, const std::string& what) {
  if (!options.trace) return;
  const auto us = scheduler.now().time_since_epoch().count();
  fmt::print("{:>5}.{:06} {:<8} {}\n", us / 1'000'000, us % 1'000'000, who, what);
}

Duration World::network_delay() {
  return options.network_delay_min + Duration(static_cast<std::int64_t>(random.below(
                                         static_cast<std::uint64_t>((options.network_delay_max - options.network_delay_min).count()) + 1)));
}
Duration World::disk_delay() {
  return options.disk_delay_min + Duration(static_cast<std::int64_t>(random.below(
                                      static_cast<std::uint64_t>((options.disk_delay_max - options.disk_delay_min).count()) + 1)));
}

Process* World::find(const std::string& address) {
  for (auto& p : storage)
    if (p->address() == address) return p.get();
  for (auto& p : sequencers)
    if (p->address() == address) return p.get();
  for (auto& p : clients)
    if (p->address() == address) return p.get();
  return nullptr;
}

}  // namespace loglog::simulator

// The drivers of the three cores, the processes' clocks and lives, and the world that owns them.
// Each `perform` executes an Output in the order that the core's output.h states.
#include "tests/simulator/world.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/vocabulary/check.h"
#include "proto-spec/vocabulary/rules.h"
#include "proto-spec/wire/field_codec.h"
#include "sequencer/core/rules.h"
#include "tests/simulator/memory_watch.h"
#include "tests/simulator/replacement.h"
#include "tests/simulator/simulated_raft_disk.h"

namespace loglog::simulator {

void Process::start() {
  if (alive_) return;
  alive_ = true;
  ++life_;
  paused_until_ = slow_until_ = busy_until_ = {};
  wake_ = never;
  born_ = world_.scheduler.now();
  clock_at_birth_ = born_;
  drift_ppm_ = 0;
  if (const auto max = static_cast<std::uint64_t>(world_.options.clock_drift_ppm_max); max > 0) {
    clock_at_birth_ =
        Time{} + Duration(static_cast<std::int64_t>(world_.random.below(3'600'000'000)));
    drift_ppm_ = static_cast<std::int64_t>(world_.random.below(2 * max + 1)) -
                 static_cast<std::int64_t>(max);
  }
  world_.trace(name_, "starts");
  on_start();
}

void Process::kill() {
  if (!alive_) return;
  world_.trace(name_, "dies");
  alive_ = false;
  when_stopped_ = nullptr;
  world_.network.process_died(*this);
  on_kill();
}

void Process::stop(std::function<void()> then) {
  if (!alive_) return then();
  if (stopping()) return;
  world_.trace(name_, "is asked to stop");
  when_stopped_ = std::move(then);
  deliver(life_, [this] { on_stop(); });
}

// Called from inside the core's Output, whose caller still needs the machine, so the process dies
// in the next event.
void Process::stopped() {
  if (!stopping()) return;
  world_.scheduler.after(Duration{0}, [this, life = life_] {
    if (!alive_ || life != life_ || !stopping()) return;
    const auto then = std::move(when_stopped_);
    kill();
    then();
  });
}

void Process::pause(Duration how_long) {
  world_.trace(name_, "is paused");
  paused_until_ = std::max(paused_until_, world_.scheduler.now() + how_long);
}

bool Process::paused() const { return paused_until_ > world_.scheduler.now(); }

void Process::slow_down(Duration how_long, Duration cost) {
  world_.trace(name_, "becomes slow");
  slow_until_ = world_.scheduler.now() + how_long;
  slow_cost_ = cost;
}

void Process::refuse_records() {
  world_.faults.count("an older program is refused");
  world_.trace(name_, "is an older program, and the directory's records are newer");
  kill();
  reads_next = true;
  world_.scheduler.after(50ms, [this] { start(); });
}

// The process's clock runs at its own rate since its birth.
Time Process::now() const {
  return clock_at_birth_ + (world_.scheduler.now() - born_) * (1'000'000 + drift_ppm_) / 1'000'000;
}

std::uint64_t wall_ms_at(Time t) {
  return 1'700'000'000'000ULL + static_cast<std::uint64_t>(t.time_since_epoch().count() / 1000);
}

std::uint64_t Process::wall_ms() const {
  return wall_ms_at(now()) + static_cast<std::uint64_t>(wall_offset_ms_);
}

// A slow process takes its events in sequence, each at `slow_cost_`; a paused process takes them
// when it goes on.
void Process::deliver(std::uint64_t life, std::function<void()> what) {
  if (!alive_ || life != life_) return;
  const Time t = world_.scheduler.now();
  if (paused_until_ > t) {
    world_.scheduler.at(paused_until_, [this, life, what = std::move(what)]() mutable {
      deliver(life, std::move(what));
    });
    return;
  }
  if (slow_until_ > t || busy_until_ > t) {
    busy_until_ = std::max(busy_until_, t) + (slow_until_ > t ? slow_cost_ : Duration{0});
    world_.scheduler.at(busy_until_, [this, life, what = std::move(what)] {
      if (alive_ && life == life_) what();
    });
    return;
  }
  what();
}

void Process::wake_at(Time local, std::function<void()> tick) {
  if (local == never) return;
  Time t = born_ + (local - clock_at_birth_) * 1'000'000 / (1'000'000 + drift_ppm_);
  if (drift_ppm_ != 0) t += 1us;  // never before the process's own clock says so
  if (t >= wake_) return;
  wake_ = std::max(t, world_.scheduler.now());
  world_.scheduler.at(wake_, [this, t = wake_, life = life_, tick = std::move(tick)]() mutable {
    if (wake_ != t || life != life_) return;  // an earlier wake has replaced this wake
    wake_ = never;
    deliver(life, std::move(tick));
  });
}

// ---- storage node

StorageProcess::StorageProcess(World& world, NodeId id, std::string address)
    : Process(world, std::move(address), fmt::format("node{}", id.value)), id_(id) {}

void StorageProcess::on_start() {
  if (!removed(Rule::K1)) disk.reopen(!world_.has(Bug::trusts_page_cache));
  disk.skips_sync = world_.has(Bug::skips_sync);
  disk.lies_about_space = world_.has(Bug::promises_space);
  storage::Options o;
  o.id = id_;
  o.cluster_name = "simulated";
  o.staging.bytes_max = world_.options.staging_bytes_max;
  o.idle_file_bytes = world_.options.idle_file_bytes;
  if (world_.options.peer_bytes_per_second > 0) set_reachable_limits(o, world_.options.greedy);
  if (world_.options.stalled_readers) o.pages_in_flight_max = reachable_pages_in_flight;
  o.staging.bytes_per_producer_max = std::max<std::uint64_t>(o.staging.bytes_max / 2, run_size_max);
  disk.hides_start_errors = world_.has(Bug::hides_start_errors);
  o.record_version_highest = record_version();
  machine_ = std::make_unique<storage::StorageMachine>(o, world_.random.next());
  const auto started = machine_->start(now(), disk);
  disk.start_error_at = 0;
  if (!started && started.error().code == Errc::directory_unreadable) return start_failed();
  if (!started && started.error().code == Errc::newer_format && !reads_next)
    return refuse_records();
  if (!started) {
    world_.stop_at_violation(name() + " does not start: " + started.error().message());
    return;
  }
  if (named_version() > record_version())
    return world_.stop_at_violation("an older program is refused: " + name() + " runs on");
  perform();
}

/// T7: power may go at any moment, so this holds after each write.
void StorageProcess::check_records() {
  if (world_.options.raises && disk.highest_record() > disk.named_version())
    world_.stop_at_violation("a directory says what it holds: " + name() +
                             " has a record of a version that its identity does not name");
}

/// K7: the process ends and is started again by the weather.
void StorageProcess::start_failed() {
  world_.faults.count("start refused");
  kill();
  if (world_.on_disk_failure) world_.on_disk_failure(*this);
}

// The operation at the front of each strand was under way, so it may or may not have happened.
void StorageProcess::on_kill() {
  for (auto& [log, queue] : strands_)
    if (!queue.empty()) disk.interrupted(queue.front().operation, world_.random);
  strands_.clear();
  machine_.reset();
}

void StorageProcess::on_stop() {
  machine_->begin_stop(now());
  perform();
}

void StorageProcess::power_cut() {
  kill();
  world_.faults.count("lost or torn sectors", disk.power_cut(world_.random));
}

bool StorageProcess::saves_promise() const {
  const auto strand = strands_.find(LogId{});
  return alive() && strand != strands_.end() && !strand->second.empty() &&
         std::holds_alternative<storage::SavePromise>(strand->second.front().operation);
}

void StorageProcess::power_cut_in_promise() {
  kill();
  disk.tear_promise(world_.random);
  world_.faults.count("lost or torn sectors", 1 + disk.power_cut(world_.random));
}

void StorageProcess::lose_disk(Loss what) {
  away_ = disk;
  lost_ = what;
  disk.lose(what);
}

void StorageProcess::return_disk() {
  if (!away_) return;
  // C1: the operator may have had the empty disk registered meanwhile. Then the old disk does not
  // come back.
  if (was_replaced(world_, id(), *away_)) return away_.reset();
  if (lost_ == Loss::files) disk.put_back_files(*away_);
  else disk = *away_;
  away_.reset();
}

Duration StorageProcess::disk_delay() { return world_.disk_delay() * disk_slowness; }

// A strand runs its operations in sequence: `begin` now, `finish` after the disk's delay.
void StorageProcess::next_on_strand(LogId log) {
  auto& queue = strands_[log];
  if (world_.has(Bug::completes_too_early) &&
      std::holds_alternative<storage::WriteGroup>(queue.front().operation)) {
    const auto later = queue.front().operation;
    world_.scheduler.after(
        5ms, [this, later, life = life()] { deliver(life, [this, later] { disk.begin(later); }); });
    world_.scheduler.after(disk_delay(), [this, log, life = life()] {
      deliver(life, [this, log] { finished(log); });
    });
    return;
  }
  if (disk.full && disk.needs_space(queue.front().operation))
    world_.stop_at_violation("a full disk stops nobody: " + name() +
                             " writes where it has reserved nothing (K5)");
  disk.begin(queue.front().operation);
  world_.scheduler.after(disk_delay() + (log == LogId{} ? Duration{} : log_disk_slower_by),
                         [this, log, life = life()] {
                           deliver(life, [this, log] {
                             if (disk.fails_next != SimulatedDisk::Failing::nothing &&
                                 !storage::may_fail(strands_[log].front().operation))
                               disk_failed(log);
                             else finished(log);
                           });
                         });
}

void StorageProcess::finished(LogId log) {
  auto& q = strands_[log];
  storage::DiskDone done = disk.finish(q.front());
  check_records();
  q.erase(q.begin());
  if (!q.empty()) next_on_strand(log);
  machine_->disk_done(now(), std::move(done));
  perform();
}

// K2: the process ends. Its last write may be on the medium or not, and the page cache does not
// tell.
void StorageProcess::disk_failed(LogId log) {
  const bool write = std::exchange(disk.fails_next, SimulatedDisk::Failing::nothing) ==
                     SimulatedDisk::Failing::write;
  world_.faults.count(write ? "failed write" : "failed fdatasync");
  world_.trace(name(), write ? "cannot write its disk" : "cannot sync its disk");
  const storage::DiskOperation& operation = strands_[log].front().operation;
  disk.fail(operation, world_.random);
  const bool carries_on =
      removed(Rule::K2) && std::holds_alternative<storage::WriteGroup>(operation);
  if (world_.has(Bug::retries_after_failure) || carries_on) return finished(log);
  strands_[log].clear();
  kill();
  if (world_.on_disk_failure) world_.on_disk_failure(*this);
}

// Disk requests beside the strands run at once; all others queue on their log's strand.
void StorageProcess::perform() {
  storage::Output& o = machine_->output();
  for (auto& e : o.events) world_.trace(name(), e.text);
  for (auto& d : o.disk) {
    if (storage::beside_strand(d.operation)) {
      world_.scheduler.after(disk_delay(), [this, d, life = life()] {
        deliver(life, [this, d] {
          machine_->disk_done(now(), disk.finish(d));
          perform();
        });
      });
      continue;
    }
    const LogId log = storage::strand_of(d.operation);
    auto& queue = strands_[log];
    queue.push_back(std::move(d));
    if (queue.size() == 1) next_on_strand(log);
  }
  std::vector<storage::Written> written;
  for (auto& s : o.sends) {
    const auto* page = std::get_if<Page>(&s.message);
    if (page != nullptr &&
        (world_.has(Bug::says_written) || !world_.network.ends_at_a_stalled_one(*this, s.to)))
      written.push_back({s.to, page->frames.size()});
    world_.network.send(*this, s.to, s.request, s.message);
  }
  for (auto& c : o.connects) world_.network.dial(*this, c.address, next_connection(), c.node.value);
  for (auto& c : o.closes) world_.network.close(*this, c.connection);
  const Time wake = o.wake;
  o.clear();
  if (!written.empty()) {  // the network takes a page at once if its receiver takes anything
    for (const storage::Written& w : written) machine_->written(now(), w);
    return perform();
  }
  if (machine_->may_stop()) stopped();
  wake_at(wake, [this] {
    machine_->tick(now());
    perform();
  });
}

void StorageProcess::on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) {
  machine_->connected(now(), {id, peer, NodeId{static_cast<std::uint32_t>(dial_key)}});
  perform();
}
void StorageProcess::on_connect_failed(std::uint64_t dial_key, ConnectionId) {
  machine_->connect_failed(now(), {NodeId{static_cast<std::uint32_t>(dial_key)}});
  perform();
}
void StorageProcess::on_disconnected(ConnectionId id) {
  machine_->disconnected(now(), {id});
  perform();
}
void StorageProcess::on_arrived(ConnectionId id, RequestId request, Message&& m) {
  machine_->arrived(now(), {id, request, std::move(m)});
  perform();
}

// ---- sequencer

SequencerProcess::SequencerProcess(World& world, sequencer::Options options, std::string address)
    : Process(world, std::move(address), fmt::format("seq{}", options.id.value)),
      options_(std::move(options)) {
  // Marks the cluster as begun, so an empty disk later is a lost disk (C3).
  disk_.hard_state.vote = older_disk_.hard_state.vote = options_.id;
}

void SequencerProcess::on_start() {
  if (std::exchange(unreadable_, false)) {
    if (!world_.has(Bug::shortens_raft_logs)) {  // K7: the process ends and is started again
      world_.faults.count("start refused");
      kill();
      if (world_.on_disk_failure) world_.on_disk_failure(*this);
      return;
    }
    disk_ = older_disk_;
  }
  if (world_.has(Bug::shortens_raft_logs)) disk_.lost_records = false;
  if (!sequencer::rules::may_start(disk_.record_version, record_version())) return refuse_records();
  if (disk_.record_version > record_version())
    return world_.stop_at_violation("an older program is refused: " + name() + " runs on");
  options_.record_version_highest = record_version();
  machine_ = std::make_unique<sequencer::SequencerMachine>(options_, disk_, world_.random.next());
  machine_->start(now(), wall_ms());
  perform();
}

// C3: the log reads as it was up to a second ago, with its mark telling that records are lost.
bool SequencerProcess::damage_log() {
  if (disk_.lost_records || (older_disk_.hard_state == disk_.hard_state &&
                             older_disk_.entries.size() == disk_.entries.size()))
    return false;
  const std::uint8_t named = disk_.record_version;  // in the identity, which is another file
  disk_ = older_disk_;
  disk_.record_version = named;
  disk_.lost_records = true;
  return true;
}

// A save that was under way may have reached the disk.
void SequencerProcess::on_kill() {
  if (world_.has(Bug::forgets_raft_saves)) disk_ = older_disk_;
  else if (!saves_.empty() && !removed(Rule::C3_saved) && world_.random.chance(1, 2))
    apply(disk_, saves_.front());
  else if (!saves_.empty() && saves_.front().record_version > disk_.record_version &&
           world_.random.chance(1, 2))
    disk_.record_version = saves_.front().record_version;  // the identity was written, and no more
  check_records();
  saves_.clear();
  machine_.reset();
}

void SequencerProcess::on_stop() {
  machine_->resign(now());
  perform();
}

// The older state is kept only in runs that need it.
void SequencerProcess::saved(const sequencer::SaveRaft& save) {
  if ((world_.has(Bug::forgets_raft_saves) || world_.options.damages_raft_logs) &&
      world_.scheduler.now() - older_at_ > 1s) {
    older_disk_ = disk_;
    older_at_ = world_.scheduler.now();
  }
  apply(disk_, save);
  check_records();
}

/// T7: power may go at any moment, so this holds after each save.
void SequencerProcess::check_records() {
  if (!world_.options.raises) return;
  std::uint8_t highest = version_of_record(disk_.snapshot.span());
  for (const RaftEntry& e : disk_.entries)
    highest = std::max(highest, version_of_record(e.command.span()));
  if (highest > disk_.record_version)
    world_.stop_at_violation("a directory says what it holds: " + name() +
                             " has a record of a version that its identity does not name");
}

// Saves run in sequence. A save that finds no space waits and is tried again (spec/02 R3).
void SequencerProcess::save_next() {
  if (removed(Rule::C3_saved)) return save_late();
  world_.scheduler.after(world_.disk_delay() + saves_slower_by, [this, life = life()] {
    deliver(life, [this] {
      if (std::exchange(fail_next_save, false)) {
        world_.faults.count("failed save of a sequencer");
        world_.trace(name(), "cannot write its disk");
        kill();
        if (world_.on_disk_failure) world_.on_disk_failure(*this);
        return;
      }
      const bool fits = has_space();
      if (!fits && !world_.has(Bug::promises_space)) {
        world_.faults.count("save of a sequencer waits for space");
        world_.scheduler.after(
            200ms, [this, life = this->life()] { deliver(life, [this] { save_next(); }); });
        return;
      }
      const std::uint64_t ticket = saves_.front().ticket;
      if (fits) saved(saves_.front());
      saves_.erase(saves_.begin());
      if (!saves_.empty()) save_next();
      machine_->save_done(now(), {ticket});
      perform();
    });
  });
}

/// Tells the core when half of the reserve is used, and when it is back.
bool SequencerProcess::has_space() {
  const bool had_half = reserve_ > reserve_saves / 2;
  const bool fits = !disk_is_full || reserve_ > 0;
  if (!disk_is_full) reserve_ = reserve_saves;
  else if (reserve_ > 0) --reserve_;
  const bool has_half = reserve_ > reserve_saves / 2;
  if (has_half != had_half) machine_->space_is_low(now(), !has_half);
  return fits;
}

void SequencerProcess::empty_disk() {
  disk_is_full = false;
  world_.scheduler.after(space_asked_every, [this, life = life()] {
    deliver(life, [this] {
      has_space();
      perform();
    });
  });
}

/// Forbidden by C3: answers that a save is durable before it is.
void SequencerProcess::save_late() {
  world_.scheduler.after(Duration{0}, [this, life = life()] {
    deliver(life, [this, life] {
      const sequencer::SaveRaft save = saves_.front();
      saves_.erase(saves_.begin());
      world_.scheduler.after(40ms,
                             [this, life, save] { deliver(life, [this, save] { saved(save); }); });
      if (!saves_.empty()) save_late();
      machine_->save_done(now(), {save.ticket});
      perform();
    });
  });
}

// Messages leave at once: the core holds back those that depend on a save until `save_done`.
void SequencerProcess::perform() {
  sequencer::Output& o = machine_->output();
  if (const auto& m = machine_->metadata();
      !world_.newest_metadata || m.version > world_.newest_metadata->version)
    world_.learn(m);
  for (auto& e : o.events) world_.trace(name(), e.text);
  if (o.fatal) return world_.stop_at_violation(name() + " ends itself: " + o.fatal->message());
  for (auto& s : o.saves) {
    saves_.push_back(std::move(s));
    if (saves_.size() == 1) save_next();
  }
  for (auto& s : o.sends) world_.network.send(*this, s.to, s.request, s.message);
  for (auto& d : o.dials) world_.network.dial(*this, d.address, next_connection(), d.number);
  for (auto& c : o.closes) world_.network.close(*this, c.connection);
  const Time wake = o.wake;
  o.clear();
  if (machine_->may_stop()) stopped();
  wake_at(wake, [this] {
    machine_->tick(now(), wall_ms());
    perform();
  });
}

void SequencerProcess::on_connected(ConnectionId id, const Hello& peer, std::uint64_t dial_key) {
  machine_->connected(now(), {id, peer, static_cast<std::uint32_t>(dial_key)});
  perform();
}
void SequencerProcess::on_connect_failed(std::uint64_t dial_key, ConnectionId) {
  machine_->dial_failed(
      now(), {static_cast<std::uint32_t>(dial_key), Error{Errc::connection_lost, "refused"}});
  perform();
}
void SequencerProcess::on_disconnected(ConnectionId id) {
  machine_->disconnected(now(), {id});
  perform();
}
void SequencerProcess::on_arrived(ConnectionId id, RequestId request, Message&& m) {
  machine_->arrived(now(), {id, request, std::move(m)});
  perform();
}

// ---- client

ClientProcess::ClientProcess(World& world, client::Options options, std::string name)
    : Process(world, name, name), options_(std::move(options)) {}

void ClientProcess::on_start() {
  machine_ = std::make_unique<client::ClientMachine>(options_, world_.random.next());
  if (on_restarted) on_restarted();
}

void ClientProcess::call(const std::function<void(client::ClientMachine&)>& what) {
  if (!alive()) return;
  what(*machine_);
  perform();
}

// Loops, because a completion may make further calls.
void ClientProcess::perform() {
  // A completion has made another call, and the loop below performs its requests.
  if (performing_) return;
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
    machine_->tick(now());
    perform();
  });
}

void ClientProcess::on_connected(ConnectionId id, const Hello& peer, std::uint64_t) {
  machine_->connected(now(), {id, peer});
  perform();
}
void ClientProcess::on_connect_failed(std::uint64_t, ConnectionId id) {
  machine_->disconnected(now(), {id, Error{Errc::connection_lost, "refused"}});
  perform();
}
void ClientProcess::on_disconnected(ConnectionId id) {
  machine_->disconnected(now(), {id, Error{Errc::connection_lost, "closed"}});
  perform();
}
void ClientProcess::on_arrived(ConnectionId id, RequestId request, Message&& m) {
  machine_->arrived(now(), {id, request, std::move(m)});
  perform();
}

// ---- world

// All servers know each other's addresses from the start, as on a production command line.
World::World(const WorldOptions& o) : options(o), random(o.seed), network(*this) {
  sequencer::Options so;
  so.cluster_name = "simulated";
  so.producers_max = o.producers_max;
  so.reference_window = o.reference_window;
  so.snapshot_every = o.snapshot_every;
  so.rest_idle_logs = o.rest;
  so.unwritten_runs_per_connection_max = o.unwritten_per_producer;
  so.trust_empty = o.bugs.contains(Bug::trusts_empty_disks);
  client::Options co;
  co.eager_commit = o.eager;
  co.observed_commit = o.observed;
  for (int i = 1; i <= o.sequencers; ++i)
    so.sequencers.push_back(
        {SequencerId{static_cast<std::uint32_t>(i)}, fmt::format("seq{}:1", i)});
  for (int i = 1; i <= o.storage; ++i)
    so.storage.push_back(
        {NodeId{static_cast<std::uint32_t>(i)}, DiskId{}, fmt::format("node{}:1", i)});
  for (const auto& s : so.sequencers) {
    so.id = s.id;
    sequencers.push_back(std::make_unique<SequencerProcess>(*this, so, s.address));
    co.addresses.push_back(s.address);
  }
  for (const auto& s : so.storage)
    storage.push_back(std::make_unique<StorageProcess>(*this, s.id, s.address));
  co.name = "simulated";
  for (int i = 1; i <= o.clients; ++i)
    clients.push_back(std::make_unique<ClientProcess>(*this, co, fmt::format("client{}", i)));
  for (auto& p : storage) storage_processes_.push_back(p.get());
  for (auto& p : sequencers) sequencer_processes_.push_back(p.get());
  for (auto& p : clients) client_processes_.push_back(p.get());
}

void World::start_all() {
  for (auto& p : storage) p->start();
  for (auto& p : sequencers) p->start();
  for (auto& p : clients) p->start();
}

Offset World::trimmed_to(LogId log) const {
  if (newest_metadata)
    for (const LogInfo& l : newest_metadata->logs)
      if (l.id == log) return l.trim;
  return {};
}

// The first violation counts; later violations may be its consequences.
void World::learn(const ClusterMetadata& m) {
  const bool before = is_raised();
  newest_metadata = m;
  if (before && !is_raised())
    stop_at_violation("a raise waits for all programs: the cluster's version has fallen");
  if (!before && is_raised() && on_raised) on_raised();
  const auto lost = std::ranges::find(m.storage, true, &StorageInfo::lost);
  if (lost != m.storage.end() && !tails_were_lost)
    stop_at_violation("a loss has a cause: node" + std::to_string(lost->id.value) +
                      " is marked as lost (T4), and no fault took acknowledged bytes");
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
  return options.network_delay_min +
         Duration(static_cast<std::int64_t>(
             random.below(static_cast<std::uint64_t>(
                              (options.network_delay_max - options.network_delay_min).count()) +
                          1)));
}
Duration World::disk_delay() {
  return options.disk_delay_min +
         Duration(static_cast<std::int64_t>(random.below(
             static_cast<std::uint64_t>((options.disk_delay_max - options.disk_delay_min).count()) +
             1)));
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

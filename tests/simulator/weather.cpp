// First the table of fault kinds, then the damage budget, then the injectors by target (processes,
// network, disks), and last `heal`. Every injector undoes its fault by itself or leaves it to
// `heal`.
#include "tests/simulator/weather.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include "proto-spec/disk/segment.h"
#include "tests/simulator/checkers.h"
#include "tests/simulator/fault_steps.h"
#include "tests/simulator/targeted_faults.h"

namespace loglog::simulator {
namespace {

constexpr std::array kinds = {
    FaultKind{"kill_storage",
              "a storage node is killed and comes back; what the page cache holds survives"},
    FaultKind{"kill_sequencer", "a sequencer is killed and comes back"},
    FaultKind{"kill_leader", "the leader is killed and comes back"},
    FaultKind{"graceful_stop",
              "a server is asked to stop, stops by itself and comes back; every third time it is "
              "the leader"},
    FaultKind{
        "kill_client",
        "a client dies in the middle of whatever it does and begins anew as another producer"},
    FaultKind{"power_storage", "a storage node loses power: unsynced sectors are lost or torn"},
    FaultKind{"power_all", "all nodes lose power at once"},
    FaultKind{"pause", "a server stands still and goes on"},
    FaultKind{"slow_node", "all that a server does takes long"},
    FaultKind{"slow_disk", "a storage node's disk takes up to 100 times as long"},
    FaultKind{"clock_jump", "the wall clocks of a server and a client jump"},
    FaultKind{
        "clock_astray",
        "a sequencer's wall clock is a day off for a while, and right again; one at a time (R5)"},
    FaultKind{"rolling_upgrade",
              "one server after the other is stopped or killed, and then speaks another protocol "
              "version too"},
    FaultKind{"lose_sequencer",
              "a sequencer's state is lost: it stays down until its state is put back"},
    FaultKind{
        "sequencer_disk_lost",
        "a sequencer comes back with an empty disk; one at a time, until it votes again (C3)"},
    FaultKind{"raft_log_damaged",
              "records at the end of a sequencer's raft.log are bad below its mark; one sequencer "
              "at a time, until it votes again (C3)"},
    FaultKind{"raft_log_unreadable",
              "a sequencer's start cannot read its raft.log, and is tried again (K7)"},
    FaultKind{"old_directories",
              "all sequencers begin anew on directories of seconds ago; then the newest ones are "
              "put back (T2)"},
    FaultKind{"stalled_reader",
              "a client asks a storage node for all logs and takes nothing for a while"},
    FaultKind{"break_connection",
              "a connection breaks in mid-stream; a prefix of what was under way is delivered"},
    FaultKind{"late_connection",
              "a connection breaks for one end; the other end gets the rest of it while a new one "
              "exists"},
    FaultKind{"corrupt_message", "a bit of a message turns on the wire"},
    FaultKind{"partition", "a server and some of the others do not hear each other"},
    FaultKind{"one_way", "some of the others do not hear a server"},
    FaultKind{"second_process", "another process says for a while that it is a sequencer"},
    FaultKind{"full_disk", "a disk is full for a while"},
    FaultKind{"full_sequencer_disk",
              "a sequencer's disk is full for a while: its saves use the reserve up, and wait"},
    FaultKind{"eio_write", "a write fails: the process ends (K2)"},
    FaultKind{
        "eio_sync",
        "an fdatasync fails, the page cache shows what the medium lacks: the process ends (K2)"},
    FaultKind{
        "start_error",
        "a node's start meets an error of the system while it lists, opens or reads a file (K7)"},
    FaultKind{"eio_read", "a range of a file cannot be read until it is written again"},
    FaultKind{"rot_below", "a bit rots below the marks"},
    FaultKind{"rot_above", "a bit rots above the marks"},
    FaultKind{"misdirected", "a write went elsewhere in the same file"},
    FaultKind{"stale_blocks",
              "after a power cut, sectors hold what they held before their last write"},
    FaultKind{"truncated_file", "after a power cut, a file ends early"},
    FaultKind{"first_files_gone", "a node comes back without the first segment files of a log"},
    FaultKind{"older_copy",
              "a node is started on a copy of its directory that was made seconds ago, and the "
              "leader changes (T4)"},
    FaultKind{
        "newest_files_gone",
        "a node comes back without the newest segment files of a log, which nobody else lacks"},
    FaultKind{"identity_lost",
              "a node comes back without its identity; later the old disk is put back (T4)"},
    FaultKind{"promise_lost",
              "a node comes back with an unreadable promise; later the old disk is put back (T4)"},
    FaultKind{"files_lost",
              "a node comes back with its logs alone: no identity, no promise; later these are put "
              "back (T4)"},
    FaultKind{"logs_lost",
              "a node comes back as itself without its logs; later the old disk is put back (T5)"},
    FaultKind{"disk_lost",
              "a node comes back with an empty disk under its id; later the old disk is put back"},
    FaultKind{"disk_replaced",
              "a node comes back with an empty disk, and an operator has the cluster take it for "
              "the old one (C1)"},
    FaultKind{"late_replacement",
              "the same, and a copy of the operator's request comes when the new disk is away for "
              "a while in its turn (T6)"},
};

}  // namespace

std::span<const FaultKind> fault_kinds() { return kinds; }

// ---- The damage budget

// A node is whole if it is matched in every log, neither suspect nor marked lost, and its files
// hold everything that it has acknowledged.
bool DamageBudget::whole(const StorageProcess& p) const {
  auto& node = const_cast<StorageProcess&>(p);
  if (!p.alive() || node.disk_is_away() || node.machine()->data_loss() ||
      is_marked_lost(world_, p.id()))
    return false;
  if (replaced_ && &p == damaged_ && !is_taken_in_whole(world_, p)) return false;
  for (const auto& [id, log] : p.disk.content()) {
    const storage::LogCore* core = node.machine()->log(id);
    if (core == nullptr || core->dropped) continue;
    if (!core->is_matched() || core->is_suspect() || core->misses_front() || core->data_loss)
      return false;
    const bool readable = std::all_of(log.segments.begin(), log.segments.end(),
                                      [](const auto& s) { return s.second.readable(0, ~0ULL); });
    const auto bytes = bytes_of(log, id);
    if (!readable || (core->durable.end > Offset{} && (!bytes || bytes->end() < core->durable.end)))
      return false;
  }
  return true;
}

bool DamageBudget::allows(const StorageProcess& p) {
  if (world_.has(Bug::shares_one_disk)) return true;
  if (damaged_ != nullptr && damaged_ != &p) {
    if (!whole(*damaged_)) return false;
    damaged_ = nullptr;
  }
  return true;
}

namespace {

struct Extent {  // of a segment file, as offsets
  LogId log;
  Offset file;
  Offset mark;
  Offset end;
};

// The files in which damage is possible: of matched logs without a hole.
std::vector<Extent> extents(StorageProcess& p) {
  std::vector<Extent> out;
  if (!p.alive()) return out;
  for (const auto& [id, log] : p.disk.content()) {
    const storage::LogCore* core = p.machine()->log(id);
    if (core == nullptr || core->dropped || !core->is_matched() || core->suspect) continue;
    for (auto s = log.segments.begin(); s != log.segments.end(); ++s) {
      const auto after = std::next(s);
      const Offset end = after == log.segments.end() ? core->durable.end : after->first;
      const ByteSpan medium =
          s->second.medium();  // marks that only the page cache has are lost with it
      const auto marks =
          decode_marks(medium.first(std::min<std::size_t>(medium.size(), segment_header_size)));
      const Offset mark = after != log.segments.end() ? end
                          : marks                     ? std::max(marks->durable, s->first)
                                                      : s->first;
      if (end > s->first) out.push_back({id, s->first, std::min(mark, end), end});
    }
  }
  return out;
}

Place some_place(const Extent& e, Offset from, Offset to, Random& random) {
  const std::uint64_t at = random.below(to - from);
  const std::uint64_t length = 1 + random.below(std::min<std::uint64_t>(2048, to - from - at));
  const std::uint64_t position = segment_header_size + (from - e.file) + at;
  return {e.log, e.file, position, position + length};
}

}  // namespace

std::optional<Place> DamageBudget::below_marks(StorageProcess& p, Random& random) const {
  auto all = extents(p);
  std::erase_if(all, [](const Extent& e) { return e.mark <= e.file; });
  if (all.empty()) return std::nullopt;
  const Extent& e = all[random.below(all.size())];
  return some_place(e, e.file, e.mark, random);
}

bool DamageBudget::is_missed_by_nobody(StorageProcess& p, LogId log, Offset end) const {
  const storage::LogCore* mine = p.machine()->log(log);
  // If a node alone may answer a seal (W = N), a loss that it does not notice itself would go
  // unnoticed (K3).
  if (mine == nullptr || mine->info.options.write_quorum >= mine->info.members.size()) return false;
  return std::all_of(world_.storage.begin(), world_.storage.end(), [&](const auto& o) {
    const auto& members = mine->info.members;
    if (o.get() == &p || std::none_of(members.begin(), members.end(),
                                      [&](const Member& m) { return m.node == o->id(); }))
      return true;
    if (!o->alive() || o->paused()) return false;
    const storage::LogCore* other = o->machine()->log(log);
    return other != nullptr && other->is_matched() && other->matched == mine->matched &&
           other->durable.end >= end;
  });
}

std::optional<Place> DamageBudget::above_marks(StorageProcess& p, Random& random) const {
  if (world_.network.partitioned()) return std::nullopt;
  auto all = extents(p);
  std::erase_if(all, [&](const Extent& e) {
    if (e.mark >= e.end) return true;
    return !is_missed_by_nobody(p, e.log, e.end);
  });
  if (all.empty()) return std::nullopt;
  const Extent& e = all[random.below(all.size())];
  return some_place(e, e.mark, e.end, random);
}

// ---- The weather

Weather::Weather(World& world, const std::map<std::string, Duration>& faults, Duration how_long)
    : world_(world),
      random_(world.random.next()),
      until_(world.scheduler.now() + how_long),
      budget_(world),
      operator_(world),
      impostor_(world) {
  world_.on_disk_failure = [this](Process& p) { restart_later(p); };
  for (const auto& [kind, mean] : faults) next(kind, mean);
  world_.scheduler.at(until_, [this] { heal(); });
  replace_lost();
  if (world_.options.leave_parted) plan_parting();
  if (world_.options.leave_dark) plan_darkness();
}

// Intervals are uniform in [0, 2 * mean). No fault begins after `until_`.
void Weather::next(const std::string& kind, Duration mean) {
  const Duration wait = up_to(2 * mean);
  if (world_.scheduler.now() + wait >= until_) return;
  world_.scheduler.after(wait, [this, kind, mean] {
    if (inject(kind)) world_.faults.count(kind);
    next(kind, mean);
  });
}

Process& Weather::server(std::size_t i) {
  if (i < world_.storage.size()) return *world_.storage[i];
  return *world_.sequencers[i - world_.storage.size()];
}

SequencerProcess& Weather::leader_or_any() {
  for (auto& s : world_.sequencers)
    if (s->alive() && s->machine()->role() == RaftRole::leader) return *s;
  return any_sequencer();
}

// A process that must stay down is skipped when its time comes.
void Weather::restart_later(Process& p) {
  world_.scheduler.after(10ms + up_to(1500ms), [this, &p] {
    if (&p != lost_sequencer_ && &p != stays_down_ && &p != world_.gone_for_good) p.start();
  });
}

bool Weather::inject(const std::string& kind) {
  if (targeted_fault_kinds().contains(kind)) return inject_targeted(world_, random_, kind);
  return to_processes(kind) || to_network(kind) || to_disks(kind);
}

bool Weather::to_processes(const std::string& kind) {
  if (kind == "kill_storage" || kind == "power_storage") {
    StorageProcess& p = any_storage();
    if (kind == "kill_storage") p.kill();
    else p.power_cut();
    restart_later(p);
  } else if (kind == "kill_sequencer" || kind == "kill_leader") {
    SequencerProcess& p = kind == "kill_leader" ? leader_or_any() : any_sequencer();
    p.kill();
    restart_later(p);
  } else if (kind == "graceful_stop") {
    Process& p = random_.chance(1, 3) ? static_cast<Process&>(leader_or_any()) : any_server();
    if (!p.alive() || p.stopping()) return false;
    p.stop([this, &p] { restart_later(p); });
  } else if (kind == "kill_client") {
    ClientProcess& p =
        *world_.clients[random_.below(world_.clients.size() - world_.options.quiet_clients)];
    p.kill();
    restart_later(p);
  } else if (kind == "power_all") {
    for (auto& p : world_.storage) p->power_cut();
    for (auto& p : world_.sequencers) p->kill();
    for (std::size_t i = 0; i < world_.storage.size() + world_.sequencers.size(); ++i)
      restart_later(server(i));
  } else if (kind == "pause") {
    any_server().pause(up_to(2s));
  } else if (kind == "slow_node") {
    any_server().slow_down(up_to(3s), 1us + up_to(10ms));
  } else if (kind == "slow_disk") {
    StorageProcess& p = any_storage();
    p.disk_slowness = 2 + static_cast<int>(random_.below(99));
    world_.scheduler.after(up_to(3s), [&p] { p.disk_slowness = 1; });
  } else if (kind == "clock_jump") {
    const auto jump = [&] {
      return static_cast<std::int64_t>(random_.below(7'200'000)) - 3'600'000;
    };
    any_server().jump_wall_clock(jump());
    world_.clients[random_.below(world_.clients.size())]->jump_wall_clock(jump());
  } else if (kind == "clock_astray") {
    return lead_astray();
  } else if (kind == "rolling_upgrade") {
    if (std::exchange(rolling_, true)) return false;
    roll(0, !world_.storage[0]->upgraded);
  } else if (kind == "lose_sequencer") {
    if (lost_sequencer_ != nullptr) return false;  // a minority of three
    SequencerProcess& p = any_sequencer();
    lost_sequencer_ = &p;
    p.kill();
  } else if (kind == "old_directories") {
    return restore_old_directories();
  } else if (kind == "sequencer_disk_lost" || kind == "raft_log_damaged" ||
             kind == "raft_log_unreadable") {
    const bool all_vote = std::ranges::all_of(world_.sequencers, [](const auto& s) {
      return s->alive() && s->machine()->vote_right() == sequencer::raft::VoteRight::voter;
    });
    if (!all_vote) return false;
    SequencerProcess& p = random_.chance(1, 2) ? leader_or_any() : any_sequencer();
    p.kill();
    restart_later(p);
    if (kind == "raft_log_damaged") return p.damage_log();
    if (kind == "raft_log_unreadable") p.make_log_unreadable();
    else p.lose_disk();
  } else {
    return false;
  }
  return true;
}

// R5: a single wrong clock among a majority of right clocks must change nothing.
bool Weather::lead_astray() {
  if (std::exchange(astray_, true)) return false;
  constexpr std::int64_t day_ms = 86'400'000;
  const std::int64_t off = random_.chance(1, 2) ? day_ms : -day_ms;
  SequencerProcess& one = leader_or_any();
  const auto jump = [this, &one](std::int64_t ms) {
    for (auto& s : world_.sequencers)
      if (s.get() == &one || world_.has(Bug::shares_one_clock)) s->jump_wall_clock(ms);
  };
  jump(off);
  world_.scheduler.after(500ms + up_to(3s), [this, jump, off] {
    jump(-off);
    astray_ = false;
  });
  return true;
}

// A rolling upgrade goes from server to server, also past a server that is down.
void Weather::roll(std::size_t i, bool upgrade) {
  rolling_ =
      i < world_.storage.size() + world_.sequencers.size() && world_.scheduler.now() < until_;
  if (!rolling_) return;
  Process& p = server(i);
  const auto comes_back = [this, &p, upgrade] {
    p.upgraded = upgrade;
    world_.scheduler.after(20ms, [this, &p] {
      if (&p != lost_sequencer_) p.start();
    });
  };
  if (random_.chance(1, 4)) p.kill();
  p.stop(comes_back);
  world_.scheduler.after(300ms + up_to(500ms), [this, i, upgrade] { roll(i + 1, upgrade); });
}

bool Weather::to_network(const std::string& kind) {
  if (kind == "break_connection") return world_.network.break_one(random_);
  if (kind == "late_connection") return world_.network.break_late(random_, 3s);
  if (kind == "corrupt_message") {
    world_.network.corrupt_next();
    return true;
  }
  if (kind == "second_process") return second_process();
  if (kind == "stalled_reader") return stall_a_reader();
  if (kind != "partition" && kind != "one_way") return false;
  Process& p = any_server();
  for (auto* group : {&world_.sequencers_as_processes(), &world_.storage_as_processes(),
                      &world_.clients_as_processes()})
    for (Process* o : *group) {
      if (o == &p || random_.chance(1, 4)) continue;
      world_.network.block(p.address(), o->address());
      if (kind == "partition") world_.network.block(o->address(), p.address());
    }
  world_.scheduler.after(up_to(2s), [this] { world_.network.heal(); });
  return true;
}

/// Poses as the sequencer with the lower id, because that sequencer dials.
bool Weather::second_process() {
  const std::size_t lower = random_.below(world_.sequencers.size() - 1);
  const std::size_t higher = lower + 1 + random_.below(world_.sequencers.size() - lower - 1);
  const Process& whom = *world_.sequencers[lower];
  if (!whom.alive()) return false;
  return impostor_.pose_as(whom, *world_.sequencers[higher], BootId{random_.next_id()},
                           up_to(500ms));
}

bool Weather::to_disks(const std::string& kind) {
  if (kind == "full_disk") {
    StorageProcess& p = any_storage();
    p.disk.full = true;
    world_.scheduler.after(up_to(4s), [&p] { p.disk.full = false; });
    return true;
  }
  if (kind == "full_sequencer_disk") {
    SequencerProcess& p = random_.chance(1, 2) ? leader_or_any() : any_sequencer();
    p.disk_is_full = true;
    world_.scheduler.after(up_to(4s), [&p] { p.empty_disk(); });
    return true;
  }
  if (kind == "eio_write" || kind == "eio_sync") {
    if (kind == "eio_write" && random_.chance(1, 4)) any_sequencer().fail_next_save = true;
    else
      any_storage().disk.fails_next =
          kind == "eio_write" ? SimulatedDisk::Failing::write : SimulatedDisk::Failing::sync;
    return true;
  }
  if (kind == "start_error") {
    // Of a start with two logs, before it reads bytes of segment files.
    constexpr std::uint64_t questions = 14;
    StorageProcess& p = any_storage();
    if (random_.chance(1, 2)) p.power_cut();
    else p.kill();
    p.disk.start_error_at = static_cast<int>(1 + random_.below(questions));
    restart_later(p);
    return true;
  }
  if (kind == "eio_read") return damage(Damage::unreadable, random_.chance(1, 2), 1);
  if (kind == "rot_below") return damage(Damage::bit_rot, random_.chance(1, 2), 0);
  if (kind == "rot_above") return damage(Damage::bit_rot, true, 4);
  if (kind == "misdirected") return damage(Damage::misdirected, random_.chance(1, 2), 1);
  if (kind == "stale_blocks") return damage(Damage::stale, true, 1);
  if (kind == "truncated_file") return damage(Damage::truncated, true, 1);
  if (kind == "first_files_gone") return lose_first_files();
  if (kind == "older_copy") return start_on_older_copy();
  if (kind == "newest_files_gone") return lose_newest_files();
  if (kind == "disk_lost") return lose_disk(Loss::everything);
  if (kind == "disk_replaced") return replace_disk();
  if (kind == "late_replacement") return replace_late();
  if (kind == "identity_lost") return lose_disk(Loss::identity);
  if (kind == "promise_lost") return lose_disk(Loss::promise);
  if (kind == "files_lost") return lose_disk(Loss::files);
  if (kind == "logs_lost") return lose_disk(Loss::logs);
  return false;
}

// `above_of_four`: chance in quarters that the damage lies above the marks. `goes_down`: power is
// cut first, so the damage shows at the next start.
bool Weather::damage(Damage kind, bool goes_down, std::uint64_t above_of_four) {
  const bool above = random_.chance(above_of_four, 4);
  for (std::size_t tries = 0; tries < world_.storage.size(); ++tries) {
    StorageProcess& p = any_storage();
    if (!budget_.allows(p)) continue;
    const auto place = above ? budget_.above_marks(p, random_) : budget_.below_marks(p, random_);
    if (!place) continue;
    budget_.spend(p);
    world_.tails_were_lost = world_.tails_were_lost || above;
    world_.trace("WEATHER",
                 fmt::format("damages {}: log {}, file {}, bytes {} to {}", p.name(),
                             place->log.value, place->file.value, place->from, place->to));
    for (auto& other : world_.storage) {
      if (other.get() != &p && !world_.has(Bug::shares_one_disk)) continue;
      if (goes_down) other->power_cut();
      const auto log = other->disk.content().find(place->log);
      if (log != other->disk.content().end() && log->second.segments.contains(place->file) &&
          log->second.segments.at(place->file).seen.size() >= place->to)
        other->disk.damage(kind, *place, random_);
      if (goes_down) restart_later(*other);
    }
    return true;
  }
  return false;
}

// The lost part comes back after a few seconds, as if an operator had found the old disk.
bool Weather::lose_disk(Loss what) {
  StorageProcess& p = any_storage();
  if (p.disk.content().empty() || p.disk_is_away() || !budget_.allows(p)) return false;
  budget_.spend(p);
  world_.tails_were_lost = world_.tails_were_lost || what == Loss::logs;
  p.kill();
  p.lose_disk(what);
  restart_later(p);
  world_.scheduler.after(1s + up_to(3s), [this, &p] {
    if (!p.disk_is_away() || world_.has(Bug::never_puts_back)) return;
    p.kill();
    p.return_disk();
    p.start();
  });
  return true;
}

// K3: files are missing at the front although no trim reached them.
bool Weather::lose_first_files() {
  StorageProcess& p = any_storage();
  if (p.disk_is_away() || !budget_.allows(p)) return false;
  for (const auto& [id, log] : p.disk.content()) {
    if (log.segments.size() < 2) continue;
    const Offset keep =
        std::next(log.segments.begin(),
                  1 + static_cast<std::ptrdiff_t>(random_.below(log.segments.size() - 1)))
            ->first;
    budget_.spend(p);
    world_.trace("WEATHER", fmt::format("takes the files of log {} below {} from {}", id.value,
                                        keep.value, p.name()));
    for (auto& other : world_.storage) {
      if (other.get() != &p && !world_.has(Bug::shares_one_disk)) continue;
      other->kill();
      other->disk.lose_below(id, keep);
      restart_later(*other);
    }
    return true;
  }
  return false;
}

/// T4: the node starts once after the copy was made, so the copy is older than the cluster knows.
/// Later appends reach the node and a third node. The next leader then hears the older copy and the
/// node that was late.
bool Weather::start_on_older_copy() {
  StorageProcess& p = any_storage();
  if (world_.storage.size() != 3 || p.disk_is_away() || p.disk.content().empty() ||
      !budget_.allows(p))
    return false;
  std::vector<StorageProcess*> others;
  for (auto& n : world_.storage)
    if (n.get() != &p) others.push_back(n.get());
  p.kill();
  const auto copy = std::make_shared<const SimulatedDisk>(p.disk);
  restart_later(p);
  later(world_, 1s + up_to(2s), [this, &p, copy, &late = *others[0], &third = *others[1]] {
    SequencerProcess* leader = leader_of(world_);
    if (leader == nullptr || world_.network.partitioned() || !budget_.allows(p) ||
        was_replaced(world_, p.id(), *copy))
      return;
    if (!std::ranges::all_of(world_.storage,
                             [&](const auto& n) { return is_taken_in_whole(world_, *n); }))
      return;
    world_.network.block(leader->address(), late.address());
    later(world_, 200ms + up_to(300ms), [this, &p, copy, &third, leader] {
      budget_.spend(p);
      world_.tails_were_lost = true;
      world_.faults.count("older copies of a directory");
      world_.trace("WEATHER", "starts " + p.name() + " on an older copy of its directory");
      p.kill();
      p.disk = *copy;
      p.start();
      world_.network.heal();
      for (auto& s : world_.sequencers) cut(world_, *s, third);
      kill_for(world_, *leader, 500ms + up_to(1s));
      heal_later(world_, 2s + up_to(2s));
    });
  });
  return true;
}

/// As if a directory was copied back in part: the newest files are absent.
bool Weather::lose_newest_files() {
  StorageProcess& p = any_storage();
  if (!p.alive() || p.disk_is_away() || world_.network.partitioned() || !budget_.allows(p))
    return false;
  for (const auto& [id, log] : p.disk.content()) {
    const storage::LogCore* core = p.machine()->log(id);
    if (log.segments.size() < 2 || core == nullptr || core->dropped || !core->is_matched() ||
        core->suspect)
      continue;
    if (!budget_.is_missed_by_nobody(p, id, core->durable.end)) continue;
    const Offset gone =
        std::next(log.segments.begin(),
                  1 + static_cast<std::ptrdiff_t>(random_.below(log.segments.size() - 1)))
            ->first;
    budget_.spend(p);
    world_.tails_were_lost = true;
    world_.trace("WEATHER", fmt::format("takes the files of log {} from {} on from {}", id.value,
                                        gone.value, p.name()));
    for (auto& other : world_.storage) {
      if (other.get() != &p && !world_.has(Bug::shares_one_disk)) continue;
      other->power_cut();
      other->disk.lose_from(id, gone);
      restart_later(*other);
    }
    return true;
  }
  return false;
}

/// T2: all sequencers get their directories of a while ago. The operator reads the alarms and puts
/// the newest directories back. If the newest directories hold hardly more, nothing happens: a
/// leader on the older directories could pass them before it meets a storage node, the nodes could
/// not tell, and would then refuse the newest directories (decision 0022).
bool Weather::restore_old_directories() {
  constexpr std::uint64_t entries_lost_least = 8;
  if (world_.old_directories || swaps_ || world_.network.partitioned() || !world_.newest_metadata)
    return false;
  swaps_ = true;
  for (auto& s : world_.sequencers) s->back_up();
  later(world_, 1500ms + up_to(1500ms), [this, backed_up = world_.newest_metadata->version] {
    if (world_.newest_metadata->version.value < backed_up.value + entries_lost_least) {
      swaps_ = false;
      return;
    }
    swap_directories();
    later(world_, 1500ms + up_to(2s), [this] {
      swap_directories();
      swaps_ = false;
    });
  });
  return true;
}

void Weather::swap_directories() {
  world_.old_directories = !world_.old_directories;
  world_.trace("WEATHER", world_.old_directories ? "gives all sequencers older directories"
                                                 : "puts the newest directories back");
  if (world_.old_directories) {
    world_.faults.count("older directories");
    newest_metadata_ = std::exchange(world_.newest_metadata, std::nullopt);
  } else {
    world_.newest_metadata = newest_metadata_;
  }
  for (auto& s : world_.sequencers) {
    s->kill();
    s->swap_backup();
  }
  for (auto& s : world_.sequencers) s->start();
}

bool Weather::stall_a_reader() {
  StorageProcess& node = any_storage();
  if (!node.alive()) return false;
  stalled_.push_back(std::make_unique<StalledReader>(world_, node, 500ms + up_to(3s)));
  stalled_.back()->start();
  return true;
}

/// The delay of the operator after an alarm; the cluster must do without until then.
constexpr Duration comes_to_the_alarm = 4s;

/// The operator follows the alarm: a disk that lost acknowledged bytes is replaced (T4, C1).
void Weather::replace_lost() {
  world_.scheduler.after(500ms, [this] { replace_lost(); });
  SequencerProcess* leader = leader_of(world_);
  if (leader == nullptr) return;
  const auto& known = leader->machine()->metadata().storage;
  for (auto& p : world_.storage) {
    const auto seen = std::ranges::find(known, p->id(), &StorageInfo::id);
    if (seen == known.end() || !seen->lost || !p->alive() || p->disk_is_away() ||
        p->hello().disk != seen->disk)
      continue;
    const auto since = alarm_since_.try_emplace(seen->disk, world_.scheduler.now()).first->second;
    if (world_.scheduler.now() - since < comes_to_the_alarm) continue;
    world_.trace("WEATHER", "replaces the disk of " + p->name());
    budget_.spend_for_good(*p);
    p->kill();
    p->disk.lose(Loss::everything);
    p->start();
    operator_.replace(*p);
  }
}

/// Shortly before the end only a single storage node hears the leader's orders.
void Weather::plan_parting() {
  world_.scheduler.at(until_ - 400ms, [this] {
    world_.network.heal();
    holder_ = &any_storage();
    if (SequencerProcess* leader = leader_of(world_)) heard_by_one(world_, *leader, *holder_);
  });
}

/// The leader dies. The node that would be the next base has no peer that hears it, for good (S8).
void Weather::leave_parted() {
  SequencerProcess& leader = leader_or_any();
  leader.kill();
  restart_later(leader);
  world_.trace("WEATHER", "leaves " + holder_->name() + " without a peer");
  world_.faults.count("leave_parted");
  world_.parted = holder_;
  for (auto& p : world_.storage)
    for (auto& other : world_.storage)
      if (p < other && (p.get() == holder_ || other.get() == holder_ || world_.has(Bug::parts_all)))
        world_.network.part(*p, *other);
}

/// S7, K3: bytes that only a single node holds are cut there while the log rests. Then another
/// node's disk goes for good, and the others lose everything that is not durable.
void Weather::plan_darkness() {
  world_.scheduler.at(until_ - 11s, [this] {
    holder_ = &any_storage();
    if (SequencerProcess* leader = leader_of(world_)) heard_by_one(world_, *leader, *holder_);
  });
  world_.scheduler.at(until_ - 10s, [this] {
    for (std::size_t i = 0; i + world_.options.quiet_clients < world_.clients.size(); ++i)
      world_.clients[i]->kill();
    SequencerProcess& leader = leader_or_any();
    leader.kill();
    restart_later(leader);
    world_.network.heal();
    for (auto& s : world_.sequencers) cut(world_, *s, *holder_);
  });
  world_.scheduler.at(until_ - 5s, [this] { world_.network.heal(); });
  world_.scheduler.at(until_ - 2s, [this] { go_dark(); });
}

void Weather::go_dark() {
  for (const auto& p : world_.storage)
    if (p.get() != holder_) stays_down_ = p.get();
  world_.trace("WEATHER",
               "takes " + stays_down_->name() + " for good, and the power of all others");
  world_.faults.count("leave_dark");
  for (auto& p : world_.storage) {
    p->power_cut();
    if (p.get() != stays_down_) restart_later(*p);
  }
  for (auto& p : world_.sequencers) {
    p->kill();
    restart_later(*p);
  }
}

bool Weather::replace_disk() {
  StorageProcess& p = any_storage();
  if (p.disk.content().empty() || p.disk_is_away() || !budget_.allows(p)) return false;
  replace_disk_of(p);
  return true;
}

/// T6: the first request to replace the disk is held until the new disk is whole. It arrives while
/// that disk is away and an empty disk is in its place.
bool Weather::replace_late() {
  StorageProcess& p = any_storage();
  if (p.disk.content().empty() || p.disk_is_away() || !budget_.allows(p)) return false;
  constexpr Duration held_for = 8s;
  const auto let_go = std::make_shared<std::function<void()>>([] {});
  world_.network.lay(
      [&p, let_go, limit = world_.scheduler.now() + held_for, this](SimulatedNetwork::Caught& c) {
        const auto* m = std::get_if<ReplaceDisk>(&c.message);
        if (m == nullptr || m->node != p.id()) return world_.scheduler.now() > limit;
        *let_go = c.hold();
        return true;
      });
  replace_disk_of(p);
  later(world_, 2s, [this, &p, let_go] {
    when(
        world_, held_for, [this, &p] { return is_taken_in_whole(world_, p); },
        [this, &p, let_go] { take_away(p, *let_go); }, [let_go] { (*let_go)(); });
  });
  return true;
}

/// Begins once the operator has seen that the new disk is in its place.
void Weather::take_away(StorageProcess& p, const std::function<void()>& let_go) {
  later(world_, 700ms, [this, &p, let_go] {
    if (!is_taken_in_whole(world_, p)) return let_go();
    world_.faults.count("a request for an older disk is late");
    p.kill();
    p.lose_disk(Loss::everything);
    p.start();
    later(world_, 50ms + up_to(500ms), let_go);
    later(world_, 1s + up_to(2s), [this, &p] {
      if (!p.disk_is_away() || world_.has(Bug::never_puts_back)) return;
      p.kill();
      p.return_disk();
      p.start();
    });
  });
}

void Weather::replace_disk_of(StorageProcess& p) {
  budget_.spend_for_good(p);
  p.kill();
  operator_.lose_disk(p, random_);
  restart_later(p);
  for (auto& other : world_.storage) {
    if (other.get() == &p || !world_.has(Bug::shares_one_disk)) continue;
    other->kill();
    other->disk.lose(Loss::everything);
    restart_later(*other);
  }
  world_.scheduler.after(up_to(2s), [this, &p] { operator_.replace(p); });
}

// Ends all faults at `until_`, except the losses that the plan leaves. The processes start; the
// checks of run.cpp follow.
void Weather::heal() {
  world_.trace("WEATHER", "heals");
  if (world_.options.leave_parted) leave_parted();
  world_.network.calm_down();
  if (world_.old_directories) swap_directories();
  if (world_.options.leave_deaf) {
    const SequencerProcess& deaf = leader_or_any();
    world_.trace("WEATHER", "leaves " + deaf.name() + " deaf");
    world_.network.deafen(deaf);
  }
  if (!world_.options.leave_down) {
    lost_sequencer_ = nullptr;
  } else {
    const StorageProcess* damaged = budget_.damaged();
    stays_down_ = world_.gone_for_good != nullptr ? world_.gone_for_good
                  : damaged != nullptr            ? damaged
                                                  : &any_storage();
    if (lost_sequencer_ == nullptr) lost_sequencer_ = &any_sequencer();
    world_.trace("WEATHER",
                 "leaves " + stays_down_->name() + " and " + lost_sequencer_->name() + " down");
  }
  for (auto& p : world_.storage) {
    if (p.get() == stays_down_) {
      p->kill();
      continue;
    }
    if (p->disk_is_away() && !world_.has(Bug::never_puts_back)) {
      p->kill();
      p->return_disk();
    }
    p->disk.full = false;
    p->disk.fails_next = SimulatedDisk::Failing::nothing;
    p->disk.start_error_at = 0;
    p->disk_slowness = 1;
    p->log_disk_slower_by = {};
    if (p->stopping()) p->kill();
    p->start();
  }
  for (auto& p : world_.sequencers) {
    p->fail_next_save = false;
    p->empty_disk();
    p->saves_slower_by = {};
    if (p.get() == lost_sequencer_ || p->stopping()) p->kill();
    if (p.get() == lost_sequencer_) continue;
    p->start();
  }
  for (auto& p : world_.clients) p->start();
  // T4: a replica that lost acknowledged bytes counts as down for the rest of the term, so a new
  // term is forced.
  if (world_.tails_were_lost && !world_.options.leave_down)
    world_.scheduler.after(3s, [this] {
      SequencerProcess& p = leader_or_any();
      p.kill();
      world_.scheduler.after(10ms, [&p] { p.start(); });
    });
}

}  // namespace loglog::simulator

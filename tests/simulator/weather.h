// The weather: injects faults of each kind at random times, with a given mean interval, until it
// heals everything. The protocol survives bounded damage (W - 1 losses), so disk damage has a
// budget: a single node at a time, until it is whole again. run.cpp creates the weather after the
// cluster has formed.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulator/impostor.h"
#include "tests/simulator/replacement.h"
#include "tests/simulator/stalled_reader.h"
#include "tests/simulator/world.h"

namespace loglog::simulator {

struct FaultKind {
  std::string_view name;  ///< the word in a plan
  /// What the fault does, for `loglog-simulate --promises`.
  std::string_view sentence;
};
/// All kinds except the targeted kinds (targeted_faults.h).
std::span<const FaultKind> fault_kinds();

/// Decides which node's disk may be damaged, and where, without exceeding the losses that the
/// protocol survives.
class DamageBudget {
 public:
  explicit DamageBudget(World& world) : world_(world) {}
  /// False while another node is damaged. With Bug::shares_one_disk always true.
  bool allows(const StorageProcess& p);
  /// Records that the node's disk is damaged. A disk that is not taken in whole yet stays replaced.
  void spend(const StorageProcess& p) {
    replaced_ = replaced_ && damaged_ == &p;
    damaged_ = &p;
  }
  /// The node's disk is gone for good. The node is whole again once another disk was copied in
  /// full.
  void spend_for_good(const StorageProcess& p) {
    damaged_ = &p;
    replaced_ = true;
  }
  /// The node that is not whole; null if all are whole.
  const StorageProcess* damaged() const {
    return damaged_ != nullptr && !whole(*damaged_) ? damaged_ : nullptr;
  }
  /// A random place whose bytes were durable long ago: below the mark of K3. nullopt if the node
  /// has no such place.
  std::optional<Place> below_marks(StorageProcess& p, Random& random) const;
  /// A random place above the mark. No node can tell such damage from a write that a power cut
  /// tore, so it is harmless only if all other replicas have those bytes. nullopt if there is no
  /// such place.
  std::optional<Place> above_marks(StorageProcess& p, Random& random) const;
  /// True if all other replicas are alive and hold the log up to `end`, so that no reader misses
  /// the node's bytes.
  bool is_missed_by_nobody(StorageProcess& p, LogId log, Offset end) const;

 private:
  bool whole(const StorageProcess& p) const;
  World& world_;
  const StorageProcess* damaged_ = nullptr;
  bool replaced_ = false;
};

/// Lives as long as the run, because its events name it.
class Weather {
 public:
  /// `faults`: kind -> mean interval. The weather lasts for `how_long` from now on and then heals.
  Weather(World& world, const std::map<std::string, Duration>& faults, Duration how_long);
  Weather(const Weather&) = delete;
  Weather& operator=(const Weather&) = delete;

 private:
  void next(const std::string& kind, Duration mean);
  /// Returns false if the fault found no target; it is not counted then.
  bool inject(const std::string& kind);
  bool to_processes(const std::string& kind);
  bool to_network(const std::string& kind);
  bool second_process();
  bool to_disks(const std::string& kind);
  bool damage(Damage kind, bool goes_down, std::uint64_t above_of_four);
  bool lose_disk(Loss what);
  bool replace_disk();
  bool replace_late();
  void take_away(StorageProcess& p, const std::function<void()>& let_go);
  void replace_disk_of(StorageProcess& p);
  bool lead_astray();
  bool lose_first_files();
  bool start_on_older_copy();
  bool lose_newest_files();
  bool restore_old_directories();
  void swap_directories();
  bool stall_a_reader();
  void replace_lost();
  void plan_parting();
  void leave_parted();
  void plan_darkness();
  void go_dark();
  void roll(std::size_t server, bool upgrade);
  void heal();

  StorageProcess& any_storage() { return *world_.storage[random_.below(world_.storage.size())]; }
  SequencerProcess& any_sequencer() {
    return *world_.sequencers[random_.below(world_.sequencers.size())];
  }
  SequencerProcess& leader_or_any();
  Process& server(std::size_t i);
  Process& any_server() {
    return server(random_.below(world_.storage.size() + world_.sequencers.size()));
  }
  Duration up_to(Duration d) {
    return Duration(
        static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(d.count()))));
  }
  void restart_later(Process& p);

  World& world_;
  Random random_;
  Time until_;
  DamageBudget budget_;
  Operator operator_;
  StorageProcess* holder_ = nullptr;  // the only node that the leader's last orders reached
  /// Since when the operator could know of each disk's loss (T4).
  std::map<DiskId, Time> alarm_since_;
  std::vector<std::unique_ptr<StalledReader>> stalled_;
  Impostor impostor_;
  const Process* stays_down_ = nullptr;  // the storage node that stays down after healing
  const Process* lost_sequencer_ = nullptr;
  bool astray_ = false;  // a sequencer's clock is wrong at the moment
  bool rolling_ = false;
  bool swaps_ = false;  // the sequencers' directories are being swapped
  /// Of the newest directories, while the sequencers run on older directories.
  std::optional<ClusterMetadata> newest_metadata_;
};

}  // namespace loglog::simulator

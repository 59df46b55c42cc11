// The weather: faults of each kind at random times with a given mean between two, until it heals.
// What the protocol survives is bounded (data survive W − 1 losses), so damage to disks has a
// budget: one node at a time, until it is whole again.
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
  std::string_view name;  ///< the word of a plan
  std::string_view sentence;
};
/// All kinds, each with what it does.
std::span<const FaultKind> fault_kinds();

/// Which node's disk may be damaged, and where.
class DamageBudget {
 public:
  explicit DamageBudget(World& world) : world_(world) {}
  /// False while another node is not whole.
  bool allows(const StorageProcess& p);
  void spend(const StorageProcess& p) {
    damaged_ = &p;
    replaced_ = false;
  }
  /// The node's disk is gone for good: it is whole again once another one has been copied full.
  void spend_for_good(const StorageProcess& p) {
    damaged_ = &p;
    replaced_ = true;
  }
  /// The node that is not whole; null: all are.
  const StorageProcess* damaged() const {
    return damaged_ != nullptr && !whole(*damaged_) ? damaged_ : nullptr;
  }
  /// Some place in the frames of a file whose bytes were durable long ago: below the mark of K3.
  /// None: nothing there yet.
  std::optional<Place> below_marks(StorageProcess& p, Random& random) const;
  /// A place above the mark: no node can tell such damage from a write that a power cut tore. It is
  /// harmless only where all other replicas have those bytes; none where they have not.
  std::optional<Place> above_marks(StorageProcess& p, Random& random) const;
  /// Nobody would miss what `p` holds of the log up to `end`: all other replicas are there and have
  /// it.
  bool is_missed_by_nobody(StorageProcess& p, LogId log, Offset end) const;

 private:
  bool whole(const StorageProcess& p) const;
  World& world_;
  const StorageProcess* damaged_ = nullptr;
  bool replaced_ = false;
};

class Weather {
 public:
  /// `faults`: kind → mean time between two.
  Weather(World& world, const std::map<std::string, Duration>& faults, Duration how_long);
  Weather(const Weather&) = delete;
  Weather& operator=(const Weather&) = delete;

 private:
  void next(const std::string& kind, Duration mean);
  /// False: there was nothing to do it to.
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
  StorageProcess* holder_ = nullptr;    // what was ordered last reached it alone
  std::map<DiskId, Time> alarm_since_;  // of disks that lost what they had acknowledged
  std::vector<std::unique_ptr<StalledReader>> stalled_;
  Impostor impostor_;
  const Process* stays_down_ = nullptr;  // of the storage nodes, after healing
  const Process* lost_sequencer_ = nullptr;
  bool astray_ = false;  // some sequencer's clock
  bool rolling_ = false;
  bool swaps_ = false;  // the sequencers' directories
};

}  // namespace loglog::simulator

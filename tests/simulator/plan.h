// A plan: workload × weather, read from a text file. Each fault line gives the mean time between
// two of its kind.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "proto-spec/vocabulary/result.h"
#include "tests/simulator/workload.h"

namespace loglog::simulator {

struct Plan {
  std::string name;
  int clients = 2;
  int storage = 3;
  int sequencers = 3;
  bool leave_down =
      false;  ///< healing leaves a storage node and a sequencer down: the rest must do
  bool leave_deaf = false;    ///< healing leaves the leader deaf: the other sequencers must do
  bool leave_parted = false;  ///< healing leaves a storage node that its peers do not hear
  bool leave_dark =
      false;  ///< at the end a storage node goes for good, and the power of all others
  bool all_succeed = false;  ///< nothing hinders any append: none may end without being committed
  WorkloadOptions workload;
  bool rest = false;      ///< logs that nobody asks for get no term start
  bool eager = false;     ///< clients commit along with their uploads (V1)
  bool observed = false;  ///< clients count what replicas say is durable (V2)
  Duration faults_for{};
  Duration network_delay_max = 500us;
  Duration disk_delay_max = 2ms;
  std::uint64_t peer_bytes_per_second = 0;
  bool greedy =
      false;  ///< storage nodes ask their peers for all that they lack at once, against P1
  std::int64_t clock_drift_ppm_max = 0;
  std::size_t producers_max = 65'536;
  std::uint64_t staging_bytes_max = 256u << 20;
  std::uint64_t idle_file_bytes = 1u << 20;
  std::uint32_t reference_window = 65'536;
  std::uint64_t snapshot_every = 1024;
  std::size_t unwritten_per_producer = 64;
  std::map<std::string, Duration> faults;  ///< kind → mean interval

  bool damages_disks() const;
  bool clocks_agree() const;
  /// Those of a majority of sequencers do, at any time.
  bool most_clocks_agree() const;
};

/// Unknown words are refused with the line.
Result<Plan> read_plan(const std::filesystem::path& file);
/// One line of a plan; an empty or commented one is taken too.
Result<void> read_line(Plan& plan, const std::string& line);
/// All plans of a folder, by name.
Result<std::vector<Plan>> read_plans(const std::filesystem::path& folder);

struct RunResult {
  std::uint64_t seed = 0;
  std::string violation;  ///< "name of the promise: what"; empty: none
  std::uint64_t acknowledged = 0, failed = 0, unknown = 0, read = 0, tails = 0, messages = 0;
  Duration slowest{};             ///< of the acknowledged appends whose client nothing hindered
  std::uint64_t fingerprint = 0;  ///< of all messages: equal for equal runs
  Duration simulated{};
  FaultCounts faults;
};

/// `bugs` are those of a control.
RunResult run(const Plan& plan, std::uint64_t seed, bool trace, const Bugs& bugs = {});

}  // namespace loglog::simulator

// A plan: a workload and the weather that it meets, read from a text file in plans/. Each line is a
// word and a number; the number of a fault word is the mean time between two such faults, in
// milliseconds. `run` plays a plan with a seed. plan.cpp knows the words, run.cpp the phases of a
// run.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "proto-spec/vocabulary/result.h"
#include "tests/simulator/workload.h"

namespace loglog::simulator {

/// Defaults describe a small healthy cluster; a plan file overrides them word by word.
struct Plan {
  std::string name;
  int clients = 2;
  int storage = 3;
  int sequencers = 3;
  /// Healing leaves a storage node and a sequencer down, and the rest must serve.
  bool leave_down = false;
  bool leave_deaf = false;  ///< healing leaves the leader deaf, and the other sequencers must serve
  bool leave_parted = false;  ///< healing leaves a storage node that no peer hears
  /// Near the end a storage node goes for good, and all others lose power.
  bool leave_dark = false;
  bool all_succeed = false;  ///< nothing hinders any append, so every append must be committed
  WorkloadOptions workload;
  bool rest = false;      ///< idle logs get no term start (S7)
  bool eager = false;     ///< clients commit along with their uploads (V1)
  bool observed = false;  ///< clients count durable replicas themselves (V2)
  Duration faults_for{};
  Duration network_delay_max = 500us;
  Duration disk_delay_max = 2ms;
  std::uint64_t peer_bytes_per_second = 0;
  /// Storage nodes ask their peers at once for everything that they lack, against P1.
  bool greedy = false;
  std::int64_t clock_drift_ppm_max = 0;
  std::size_t producers_max = 65'536;
  std::uint64_t staging_bytes_max = 256u << 20;
  std::uint64_t idle_file_bytes = 1u << 20;
  std::uint32_t reference_window = 65'536;
  std::uint64_t snapshot_every = 1024;
  std::size_t unwritten_per_producer = 64;
  /// Mean time between two steps of the operator who raises the cluster (T7); 0: there is none.
  Duration raise{};
  std::map<std::string, Duration> faults;  ///< kind of fault -> mean interval

  /// True if the plan has a fault that changes bytes below the cores.
  bool damages_disks() const;
  /// True if all wall clocks agree at any time: no drift, no jumps, none astray.
  bool clocks_agree() const;
  /// True if the clocks of a majority of sequencers agree at any time (R5).
  bool most_clocks_agree() const;
};

/// Returns `invalid_argument` with the file and the word if a word is unknown.
Result<Plan> read_plan(const std::filesystem::path& file);
/// Reads a single line of a plan into `plan`. Text after # is a comment; an empty line is accepted.
Result<void> read_line(Plan& plan, const std::string& line);
/// All plans of a folder, sorted by file name. The first bad plan is the error.
Result<std::vector<Plan>> read_plans(const std::filesystem::path& folder);

/// The outcome of a run. Counts are over all clients.
struct RunResult {
  std::uint64_t seed = 0;
  std::string violation;  ///< "name of the promise: details"; empty if no promise broke
  std::uint64_t acknowledged = 0, failed = 0, unknown = 0, read = 0, tails = 0, messages = 0;
  /// The slowest acknowledged append of a client that no fault hindered itself.
  Duration slowest{};
  /// Hash of all messages and their times; equal runs have equal fingerprints.
  std::uint64_t fingerprint = 0;
  Duration simulated{};
  FaultCounts faults;
};

/// Plays `plan` with `seed` in the caller's thread, to its end or to the first violation. `trace`
/// prints every message. `bugs` are planted by controls alone.
RunResult run(const Plan& plan, std::uint64_t seed, bool trace, const Bugs& bugs = {});

}  // namespace loglog::simulator

// The words of a plan. An unknown word is an error, so a misspelt fault cannot weaken a plan
// silently.
#include "tests/simulator/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tests/simulator/targeted_faults.h"
#include "tests/simulator/weather.h"

namespace loglog::simulator {

bool Plan::clocks_agree() const { return most_clocks_agree() && !faults.contains("clock_astray"); }

bool Plan::most_clocks_agree() const {
  return clock_drift_ppm_max == 0 && !faults.contains("clock_jump");
}

// These kinds change bytes below a running node, so run.cpp restarts the nodes before the last
// checks.
bool Plan::damages_disks() const {
  static const auto kinds = {"eio_read",     "rot_below",      "rot_above",       "misdirected",
                             "stale_blocks", "truncated_file", "first_files_gone"};
  return std::any_of(kinds.begin(), kinds.end(),
                     [this](const char* kind) { return faults.contains(kind); });
}

// Options first, then the weather's kinds, then the targeted kinds.
Result<void> read_line(Plan& p, const std::string& line) {
  std::istringstream words(line.substr(0, line.find('#')));
  std::string key;
  std::uint64_t value = 0;
  if (!(words >> key)) return {};
  if (!(words >> value)) return fail(Errc::invalid_argument, "no number after " + key);
  const Duration ms(static_cast<std::int64_t>(value) * 1000);
  const auto faults = fault_kinds();
  if (key == "clients") p.clients = static_cast<int>(value);
  else if (key == "entries") p.workload.entries_per_client = static_cast<int>(value);
  else if (key == "storage") p.storage = static_cast<int>(value);
  else if (key == "sequencers") p.sequencers = static_cast<int>(value);
  else if (key == "leave_down") p.leave_down = value != 0;
  else if (key == "leave_deaf") p.leave_deaf = value != 0;
  else if (key == "leave_parted") p.leave_parted = value != 0;
  else if (key == "leave_dark") p.leave_dark = value != 0;
  else if (key == "all_succeed") p.all_succeed = value != 0;
  else if (key == "rest") p.rest = value != 0;
  else if (key == "eager") p.eager = value != 0;
  else if (key == "observed") p.observed = value != 0;
  else if (key == "append_within_ms") p.workload.append_within = ms;
  else if (key == "unwritten_per_producer") p.unwritten_per_producer = value;
  else if (key == "replicas") p.workload.replicas = static_cast<std::uint8_t>(value);
  else if (key == "write_quorum") p.workload.write_quorum = static_cast<std::uint8_t>(value);
  else if (key == "segment_kib") p.workload.segment_size = value << 10;
  else if (key == "logs") p.workload.logs = static_cast<int>(value);
  else if (key == "in_flight") p.workload.in_flight = static_cast<int>(value);
  else if (key == "payload_max") p.workload.payload_max = static_cast<std::uint32_t>(value);
  else if (key == "payload_exact") p.workload.payload_exact = static_cast<std::uint32_t>(value);
  else if (key == "think_max_ms") p.workload.think_max = ms;
  else if (key == "append_deadline_ms") p.workload.append_deadline = ms;
  else if (key == "trim_every_ms") p.workload.trim_every = ms;
  else if (key == "conditional") p.workload.conditional = value != 0;
  else if (key == "expect_wildly") p.workload.expect_wildly = value != 0;
  else if (key == "fence_every_ms") p.workload.fence_every = ms;
  else if (key == "retention_kib") p.workload.retention.bytes = value << 10;
  else if (key == "retention_ms") p.workload.retention.ms = value;
  else if (key == "resolve") p.workload.resolve = value != 0;
  else if (key == "times_every_ms") p.workload.times_every = ms;
  else if (key == "trim_wildly") p.workload.trim_wildly = value != 0;
  else if (key == "read_every_ms") p.workload.read_every = ms;
  else if (key == "follow_anew_ms") p.workload.follow_anew = ms;
  else if (key == "churn_ms") p.workload.churn = ms;
  else if (key == "administer_ms") p.workload.administer = ms;
  else if (key == "raise_ms") p.raise = ms;
  else if (key == "producers_max") p.producers_max = value;
  else if (key == "reference_window") p.reference_window = static_cast<std::uint32_t>(value);
  else if (key == "snapshot_every") p.snapshot_every = value;
  else if (key == "ask_every_ms") p.workload.ask_every = ms;
  else if (key == "staging_kib") p.staging_bytes_max = value << 10;
  else if (key == "idle_file_kib") p.idle_file_bytes = value << 10;
  else if (key == "clock_drift_ppm") p.clock_drift_ppm_max = static_cast<std::int64_t>(value);
  else if (key == "faults_for_ms") p.faults_for = ms;
  else if (key == "network_delay_max_us")
    p.network_delay_max = Duration(static_cast<std::int64_t>(value));
  else if (key == "peer_kib_per_second") p.peer_bytes_per_second = value << 10;
  else if (key == "greedy") p.greedy = value != 0;
  else if (key == "disk_delay_max_us")
    p.disk_delay_max = Duration(static_cast<std::int64_t>(value));
  else if (std::any_of(faults.begin(), faults.end(),
                       [&](const FaultKind& f) { return f.name == key; }))
    p.faults[key] = ms;
  else if (targeted_fault_kinds().contains(key)) p.faults[key] = ms;
  else return fail(Errc::invalid_argument, "unknown word " + key);
  return {};
}

Result<Plan> read_plan(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) return fail(Errc::invalid_argument, "cannot read the plan " + file.string());
  Plan p;
  p.name = file.stem().string();
  std::string line;
  while (std::getline(in, line))
    if (auto read = read_line(p, line); !read)
      return fail(Errc::invalid_argument, file.string() + ": " + read.error().detail);
  return p;
}

Result<std::vector<Plan>> read_plans(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& f : std::filesystem::directory_iterator(folder))
    if (f.path().extension() == ".txt") files.push_back(f.path());
  std::sort(files.begin(), files.end());
  std::vector<Plan> plans;
  for (const auto& f : files) {
    auto p = read_plan(f);
    if (!p) return std::unexpected(p.error());
    plans.push_back(std::move(*p));
  }
  return plans;
}

}  // namespace loglog::simulator

// A plan: workload × weather, read from a text file. Each fault line gives the mean time between two of its kind.
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
  WorkloadOptions workload;
  Duration faults_for{};
  Duration network_delay_max = 500us;
  Duration disk_delay_max = 2ms;
  std::map<std::string, Duration> faults;  ///< kind → mean interval
};

/// Unknown words are refused with the line.
Result<Plan> read_plan(const std::filesystem::path& file);

struct RunResult {
  std::uint64_t seed = 0;
  std::string violation;  ///< empty: none
  std::uint64_t acknowledged = 0, failed = 0, unknown = 0, read = 0, tails = 0, messages = 0;
  Duration simulated{};
  FaultCounts faults;
};

RunResult run(const Plan& plan, std::uint64_t seed, bool trace);

}  // namespace loglog::simulator

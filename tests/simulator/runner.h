// Runs many jobs on several cores, each in a worker process. A failed check in a core, or a run
// that never ends, is then a result like any other and does not end the program. main_simulate.cpp
// and controls.cpp use it.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>

#include "tests/simulator/plan.h"

namespace loglog::simulator {

/// `plan` must outlive `run_jobs`.
struct Job {
  const Plan* plan = nullptr;
  std::uint64_t seed = 0;
  Bugs bugs;
};
/// Returns the job with that number, or nullopt beyond the last job. It must give the same answer
/// at every call and in every process, because workers are forked and call it themselves.
using JobAt = std::function<std::optional<Job>(std::uint64_t)>;
/// Called in the parent for each finished job, in the order of completion. `seconds`: processor
/// time of the run. If it returns false, no more jobs begin.
using JobDone =
    std::function<bool(std::uint64_t number, const Job&, const RunResult&, double seconds)>;

/// Runs jobs 0, 1, ... on `processes` workers and returns when all are done. A run that takes more
/// than `seconds_max` of processor time is killed and counts as a violation.
void run_jobs(int processes, double seconds_max, const JobAt& job_at, const JobDone& done);

}  // namespace loglog::simulator

// Many runs on several cores: each worker is a process of its own, so that a check that fails in a
// core, or a run that never ends, is a result like any other and not the end of everything.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>

#include "tests/simulator/plan.h"

namespace loglog::simulator {

struct Job {
  const Plan* plan = nullptr;
  std::uint64_t seed = 0;
  Bugs bugs;
};
/// The job of that number, the same at every call and in every process; none: there are no more.
using JobAt = std::function<std::optional<Job>(std::uint64_t)>;
/// What came of it, with the seconds of processor time it took; false: no more jobs are begun.
using JobDone =
    std::function<bool(std::uint64_t number, const Job&, const RunResult&, double seconds)>;

/// Runs jobs 0, 1, … on so many processes. A run that takes more than `seconds_max` of processor
/// time is ended, and that is a violation.
void run_jobs(int processes, double seconds_max, const JobAt& job_at, const JobDone& done);

}  // namespace loglog::simulator

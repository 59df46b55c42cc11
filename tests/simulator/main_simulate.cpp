// loglog-simulate: the production cores on a simulated network, disk and clock. A seed replays a
// run exactly. This file has the command line alone: it chooses plans and seeds, runs them and sums
// up. Exit codes: 0 if no promise broke, 1 if any did, 2 if there is no plan.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <random>
#include <thread>

#include "tests/simulator/checkers.h"
#include "tests/simulator/controls.h"
#include "tests/simulator/runner.h"
#include "tests/simulator/weather.h"

using namespace loglog;
using namespace loglog::simulator;

namespace {

using Clock = std::chrono::steady_clock;

// Sums over all runs, for the last line of output.
struct Totals {
  std::uint64_t runs = 0, acknowledged = 0, unknown = 0, failed = 0, read = 0, tails = 0,
                messages = 0, violations = 0;
  Duration simulated{}, slowest{};
  FaultCounts faults;
  Clock::time_point begin = Clock::now();

  double wall() const { return std::chrono::duration<double>(Clock::now() - begin).count(); }
  void add(const RunResult& r) {
    ++runs;
    acknowledged += r.acknowledged;
    unknown += r.unknown;
    failed += r.failed;
    read += r.read;
    tails += r.tails;
    messages += r.messages;
    simulated += r.simulated;
    slowest = std::max(slowest, r.slowest);
    for (const auto& [kind, n] : r.faults.by_kind) faults.count(kind, n);
    if (!r.violation.empty()) ++violations;
  }
  void print(std::uint64_t first, std::size_t plans) const {
    fmt::print(
        "{} seeds from {} on, {} plans, {:.1f} simulated s in {:.1f} s: {} acknowledged, {} "
        "unknown, {} failed, {} entries read, {} tails, "
        "{} messages, slowest append {:.0f} ms\n",
        runs, first, plans, std::chrono::duration<double>(simulated).count(), wall(), acknowledged,
        unknown, failed, read, tails, messages,
        std::chrono::duration<double, std::milli>(slowest).count());
    for (const auto& [kind, n] : faults.by_kind) fmt::print("  {:<28} {}\n", kind, n);
    fmt::print("{} violations\n", violations);
  }
};

void print_promises() {
  fmt::print("Promises, one checker each:\n");
  for (const simulator::Promise& p : promises) fmt::print("  {:<36} {}\n", p.name, p.sentence);
  fmt::print("Faults:\n");
  for (const FaultKind& f : fault_kinds()) fmt::print("  {:<36} {}\n", f.name, f.sentence);
}

// Plays a single seed with a trace; this is the command that a violation's report names.
int replay(const Plan& plan, std::uint64_t seed) {
  const RunResult r = run(plan, seed, true);
  fmt::print("seed {}, plan {}, {} messages, fingerprint {:016x}: {}\n", seed, plan.name,
             r.messages, r.fingerprint,
             r.violation.empty() ? "no violation" : "VIOLATION " + r.violation);
  return r.violation.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Runs LogLog's cores in a simulated world and checks every promise"};
  std::string plan_file;
  std::string plans_dir;
  std::string only;
  std::uint64_t seed = 1;
  std::uint64_t seeds = 1;
  std::uint64_t soak = 0;
  unsigned load = 1;
  int jobs = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  bool trace = false;
  bool keep_going = false;
  bool controls = false;
  bool list = false;
  bool rest = false;
  bool eager = false;
  bool observed = false;
  auto* plan_option =
      app.add_option("--plan", plan_file, "one plan file")->check(CLI::ExistingFile);
  app.add_option("--plans", plans_dir, "a folder of plans, taken in turn")
      ->check(CLI::ExistingDirectory)
      ->excludes(plan_option);
  app.add_option("--seed,--first-seed,--first", seed, "the (first) seed; default 1");
  auto* seeds_option =
      app.add_option("--seeds", seeds, "how many seeds; default 1")->check(CLI::PositiveNumber);
  app.add_option("--soak", soak, "fresh random seeds over all plans for so many seconds")
      ->excludes(seeds_option);
  app.add_option("--load", load,
                 "so many times the entries of each client, with pauses so much shorter")
      ->check(CLI::Range(1, 100));
  app.add_option("--jobs", jobs, "processes; default one a core")->check(CLI::Range(1, 256));
  app.add_flag("--rest", rest, "in every plan, logs that nobody asks for get no term start");
  app.add_flag("--eager", eager, "in every plan, clients commit along with their uploads (V1)");
  app.add_flag("--observed", observed,
               "in every plan, clients count what replicas say is durable (V2)");
  app.add_flag("--trace", trace, "print the run of one seed as a story");
  app.add_flag("--keep-going", keep_going, "do not stop at the first violation");
  app.add_flag(
      "--controls", controls,
      "show that every injector of faults works: each with a planted bug that it must expose");
  app.add_option("--only", only, "of the controls, those whose names contain this");
  app.add_flag("--promises", list, "list what is checked and which faults there are");
  CLI11_PARSE(app, argc, argv);
  if (list) {
    print_promises();
    return 0;
  }
  if (controls) return run_controls(jobs, only.c_str()) ? 0 : 1;

  std::vector<Plan> plans;
  if (!plan_file.empty()) {
    auto p = read_plan(plan_file);
    if (p) plans.push_back(*p);
    else fmt::print(stderr, "{}\n", p.error().message());
  } else if (!plans_dir.empty()) {
    auto p = read_plans(plans_dir);
    if (p) plans = std::move(*p);
    else fmt::print(stderr, "{}\n", p.error().message());
  }
  if (plans.empty()) {
    fmt::print(stderr, "no plan: give --plan FILE or --plans DIR\n");
    return 2;
  }
  for (Plan& p : plans) {
    p.workload.entries_per_client *= load;
    p.workload.think_max /= load;
    p.rest = p.rest || rest;
    p.eager = p.eager || eager;
    p.observed = p.observed || observed;
  }
  if (trace) return replay(plans[0], seed);

  // A soak begins at a random seed, so that nights do not repeat each other.
  if (soak > 0) seed = (std::uint64_t{std::random_device{}()} << 16) + 1;
  const auto enough = [&, begin = Clock::now()] {
    return soak > 0 && Clock::now() - begin >= std::chrono::seconds(soak);
  };
  Totals totals;
  double told = 0;
  run_jobs(
      jobs, 180,
      [&](std::uint64_t n) -> std::optional<Job> {
        if (soak == 0 && n >= seeds) return std::nullopt;
        return Job{&plans[n % plans.size()], seed + n, {}};
      },
      [&](std::uint64_t, const Job& job, const RunResult& r, double) {
        totals.add(r);
        if (!r.violation.empty())
          fmt::print(
              "VIOLATION {}\n  replay: loglog-simulate --plan tests/simulator/plans/{}.txt --seed "
              "{}{} --trace\n",
              r.violation, job.plan->name, r.seed,
              (load == 1 ? "" : fmt::format(" --load {}", load)) + (rest ? " --rest" : "") +
                  (eager ? " --eager" : "") + (observed ? " --observed" : ""));
        if (soak > 0 && totals.wall() - told >= 30) {
          told = totals.wall();
          fmt::print("{:.0f} s: {} seeds, {:.0f} simulated s, {} acknowledged, {} violations\n",
                     told, totals.runs, std::chrono::duration<double>(totals.simulated).count(),
                     totals.acknowledged, totals.violations);
        }
        std::fflush(stdout);
        return (r.violation.empty() || keep_going) && !enough();
      });
  totals.print(seed, plans.size());
  return totals.violations == 0 ? 0 : 1;
}

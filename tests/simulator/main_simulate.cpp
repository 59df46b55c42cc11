// loglog-simulate: the production cores on a simulated network, disk and clock. A seed replays a run exactly.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>

#include "tests/simulator/plan.h"

using namespace loglog;
using namespace loglog::simulator;

int main(int argc, char** argv) {
  CLI::App app{"Runs LogLog's cores in a simulated world and checks every promise"};
  std::string plan_file;
  std::string plans_dir;
  std::uint64_t seed = 1;
  std::uint64_t seeds = 1;
  bool trace = false;
  bool keep_going = false;
  auto* plan_option = app.add_option("--plan", plan_file, "one plan file")->check(CLI::ExistingFile);
  app.add_option("--plans", plans_dir, "a folder of plans, taken in turn")->check(CLI::ExistingDirectory)->excludes(plan_option);
  app.add_option("--seed,--first-seed", seed, "the (first) seed; default 1");
  app.add_option("--seeds", seeds, "how many seeds; default 1")->check(CLI::PositiveNumber);
  app.add_flag("--trace", trace, "print the run as a story");
  app.add_flag("--keep-going", keep_going, "do not stop at the first violation");
  CLI11_PARSE(app, argc, argv);

  std::vector<std::filesystem::path> files;
  if (!plan_file.empty()) files.push_back(plan_file);
  else if (!plans_dir.empty())
    for (const auto& f : std::filesystem::directory_iterator(plans_dir))
      if (f.path().extension() == ".txt") files.push_back(f.path());
  std::sort(files.begin(), files.end());
  std::vector<Plan> plans;
  for (const auto& f : files) {
    auto p = read_plan(f);
    if (!p) {
      fmt::print(stderr, "{}\n", p.error().message());
      return 2;
    }
    plans.push_back(*p);
  }
  if (plans.empty()) {
    fmt::print(stderr, "no plan: give --plan FILE or --plans DIR\n");
    return 2;
  }

  std::uint64_t acknowledged = 0, unknown = 0, failed = 0, read = 0, tails = 0, messages = 0, violations = 0;
  Duration simulated{};
  FaultCounts faults;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < seeds; ++i) {
    const Plan& plan = plans[i % plans.size()];
    const RunResult r = run(plan, seed + i, trace);
    acknowledged += r.acknowledged;
    unknown += r.unknown;
    failed += r.failed;
    read += r.read;
    tails += r.tails;
    messages += r.messages;
    simulated += r.simulated;
    for (const auto& [kind, n] : r.faults.by_kind) faults.count(kind, n);
    if (!r.violation.empty()) {
      ++violations;
      fmt::print("VIOLATION {}\n  replay: loglog-simulate --plan tests/simulator/plans/{}.txt --seed {} --trace\n", r.violation, plan.name,
                 r.seed);
      if (!keep_going) break;
    }
  }
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  fmt::print(
      "seeds {}..{}, {} plans, {:.1f} simulated s in {:.1f} s: {} acknowledged, {} unknown, {} failed, {} entries read, {} tails, {} "
      "messages\n",
      seed, seed + seeds - 1, plans.size(), std::chrono::duration<double>(simulated).count(), wall, acknowledged, unknown, failed, read,
      tails, messages);
  for (const auto& [kind, n] : faults.by_kind) fmt::print("  {:<24} {}\n", kind, n);
  fmt::print("{} violations\n", violations);
  return violations == 0 ? 0 : 1;
}

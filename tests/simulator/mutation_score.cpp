// loglog-mutation-score: removes each rule in turn and searches for a seed whose run breaks a
// promise without it.
//
// - without options: every row, each for at most --limit seconds; prints the table
// - --rule S3 --trace: rows whose name begins with S3, and the run of the last row as a story
// - --quick: the kept (row, plan, seed) triples; each must find its violation, and the same run
// must find none with the rule in place
//
// A worker process runs seeds, because an invariant of the cores may end it. That is a finding like
// a checker's.
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <bitset>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "tests/simulator/mutation_rows.h"
#include "tests/simulator/plan.h"

using namespace loglog;
using namespace loglog::simulator;

namespace {

using Clock = std::chrono::steady_clock;
constexpr double run_limit_s = 30;  // a run that takes longer is taken for endless

/// A worker's report to its parent, in memory that both map.
struct Report {
  std::size_t plan = 0;
  std::uint64_t seed = 0;
  std::uint64_t runs = 0;
  double run_begun = 0;
  double simulated = 0;
  bool found = false;
  char violation[400] = {};
};

// A run that broke a promise.
struct Finding {
  std::size_t plan;
  std::uint64_t seed;
  std::string violation;
  double simulated;
};

double seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }
double clock_s() { return seconds(Clock::now().time_since_epoch()); }

// Removal is global to the process, so workers inherit it at their fork.
void remove_rules(const std::vector<Rule>& rules) {
  removed_rules.reset();
  for (Rule r : rules) removed_rules.set(static_cast<std::size_t>(r));
}

std::string checker_of(const std::string& violation) {
  return violation.substr(0, violation.find(':'));
}

/// A child process that runs seeds first, first + step, ... in turn over the plans, until a promise
/// breaks.
class Worker {
 public:
  Worker(const std::vector<Plan>& plans, const std::vector<std::size_t>& order, std::uint64_t first,
         std::uint64_t step, std::uint64_t seeds)
      : report_(static_cast<Report*>(mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE,
                                          MAP_SHARED | MAP_ANONYMOUS, -1, 0))),
        errors_(memfd_create("stderr", 0)) {
    if (report_ == MAP_FAILED || errors_ < 0) throw std::runtime_error("no memory for a worker");
    new (report_) Report;
    report_->run_begun = clock_s();
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("fork fails");
    if (pid_ > 0) return;
    dup2(errors_, STDERR_FILENO);
    for (std::uint64_t i = first; i < first + step * seeds; i += step) {
      const std::size_t p = order[(i / step) % order.size()];
      report_->plan = p;
      report_->seed = i;
      report_->run_begun = clock_s();
      const RunResult r = run(plans[p], i, false);
      ++report_->runs;
      report_->simulated = std::chrono::duration<double>(r.simulated).count();
      if (r.violation.empty()) continue;
      std::strncpy(report_->violation, r.violation.c_str(), sizeof report_->violation - 1);
      report_->found = true;
      break;
    }
    _exit(0);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    stop();
    munmap(report_, sizeof(Report));
    close(errors_);
  }

  std::uint64_t runs() const { return report_->runs; }
  bool ended() const { return pid_ <= 0; }

  /// The worker's finding, once there is one: a violation, a dead process, or a run that does not
  /// end.
  std::optional<Finding> poll() {
    if (pid_ > 0 && clock_s() - report_->run_begun > run_limit_s) {
      stop();
      return finding("progress: the run does not end");
    }
    int status = 0;
    if (pid_ <= 0 || waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
    pid_ = -1;
    if (report_->found) return finding(report_->violation);
    if (WIFSIGNALED(status))
      return finding(fmt::format("invariant of the cores: {}", last_error(WTERMSIG(status))));
    return std::nullopt;
  }

 private:
  Finding finding(std::string what) const {
    return {report_->plan, report_->seed, std::move(what), report_->simulated};
  }
  void stop() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  std::string last_error(int signal) const {
    char text[400] = {};
    const ssize_t n = pread(errors_, text, sizeof text - 1, 0);
    std::string s(text, static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    s = s.substr(0, s.find('\n'));
    return s.empty() ? fmt::format("signal {}", signal) : s;
  }

  Report* report_;
  int errors_;
  pid_t pid_ = -1;
};

struct Search {
  std::optional<Finding> finding;
  std::uint64_t runs = 0;
  double wall = 0;
};

/// Runs up to `seeds` seeds from `first` on with `jobs` workers. Ends with the first finding or
/// after `limit_s` seconds.
Search search(const std::vector<Plan>& plans, const std::vector<std::size_t>& order,
              std::uint64_t first, std::uint64_t seeds, double limit_s, unsigned jobs) {
  Search s;
  const auto begun = Clock::now();
  std::vector<std::unique_ptr<Worker>> workers;
  for (unsigned j = 0; j < jobs; ++j)
    workers.push_back(
        std::make_unique<Worker>(plans, order, first + j, jobs, (seeds + jobs - 1 - j) / jobs));
  while (!s.finding && seconds(Clock::now() - begun) < limit_s) {
    bool all_ended = true;
    for (auto& w : workers) {
      auto f = w->poll();
      if (f && !s.finding) s.finding = std::move(f);
      all_ended = all_ended && w->ended();
    }
    if (all_ended) break;
    usleep(2000);
  }
  for (auto& w : workers) s.runs += w->runs();
  s.wall = seconds(Clock::now() - begun);
  return s;
}

// A line of the file of kept seeds: row, plan, seed, and the checker that found it.
struct Kept {
  std::string row, plan;
  std::uint64_t seed;
  std::string checker;
};

std::vector<Kept> read_kept(const std::string& file) {
  std::vector<Kept> out;
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line.substr(0, line.find('#')));
    Kept k;
    if (!(words >> k.row >> k.plan >> k.seed)) continue;
    std::getline(words >> std::ws, k.checker);
    out.push_back(k);
  }
  return out;
}

void write_kept(const std::string& file, const std::vector<Kept>& kept) {
  std::ofstream out(file);
  out << "# Row, plan, seed, checker: what loglog-mutation-score --quick runs. Written by "
         "loglog-mutation-score --keep.\n";
  for (const Kept& k : kept)
    out << k.row << ' ' << k.plan << ' ' << k.seed << ' ' << k.checker << '\n';
}

const MutationRow* row_named(const std::string& name) {
  for (const MutationRow& r : mutation_rows())
    if (r.name == name) return &r;
  return nullptr;
}

std::optional<std::size_t> plan_named(const std::vector<Plan>& plans, const std::string& name) {
  for (std::size_t i = 0; i < plans.size(); ++i)
    if (plans[i].name == name) return i;
  return std::nullopt;
}

/// The plans that the row names; all plans if it names none.
std::vector<std::size_t> places(const MutationRow& row, const std::vector<Plan>& plans,
                                const std::vector<std::size_t>& all) {
  std::vector<std::size_t> out;
  std::istringstream words{std::string(row.where)};
  for (std::string name; words >> name;) {
    const auto p = plan_named(plans, name);
    if (!p) throw std::runtime_error(fmt::format("row {} names no plan: {}", row.name, name));
    out.push_back(*p);
  }
  return out.empty() ? all : out;
}

/// Searches for a seed that breaks a promise without the row's rules and none with them. A run that
/// breaks a promise anyhow is a bug of the product: it is printed and proves no rule.
Search search_row(const std::vector<Plan>& plans, const std::vector<std::size_t>& order,
                  const MutationRow& row, std::uint64_t first, double limit_s, unsigned jobs) {
  Search all;
  while (all.wall < limit_s) {
    remove_rules(row.without);
    Search s = search(plans, order, first, 1u << 30, limit_s - all.wall, jobs);
    all.runs += s.runs;
    all.wall += s.wall;
    if (!s.finding) break;
    remove_rules({});
    const Search intact = search(plans, {s.finding->plan}, s.finding->seed, 1, run_limit_s + 1, 1);
    if (!intact.finding) {
      all.finding = std::move(s.finding);
      break;
    }
    fmt::print("BROKEN ANYHOW: plan {} seed {}: {}\n", plans[s.finding->plan].name, s.finding->seed,
               intact.finding->violation);
    first = s.finding->seed + 1;
  }
  return all;
}

/// A change of plans or cores changes the run of a seed. Then the next seeds are tried, and the
/// line says "moved".
constexpr std::uint64_t moved_max = 60;

// Returns the gaps, a sentence each: a rule that no row removes, a row without argument whose seed
// is not kept.
std::vector<std::string> gaps(const std::vector<Kept>& kept) {
  std::vector<std::string> out;
  std::bitset<rule_names.size()> removed_by_rows;
  for (const MutationRow& row : mutation_rows()) {
    for (const Rule r : row.without) removed_by_rows.set(static_cast<std::size_t>(r));
    if (row.argued.empty() &&
        std::none_of(kept.begin(), kept.end(), [&](const Kept& k) { return k.row == row.name; }))
      out.push_back(fmt::format("row {} has neither a kept seed nor an argument", row.name));
  }
  for (std::size_t r = 0; r < rule_names.size(); ++r)
    if (!removed_by_rows.test(r))
      out.push_back(fmt::format("rule {} is removed by no row", rule_names[r]));
  return out;
}

// CI's check of the kept seeds: each must still find its row, and nothing with every rule in place.
int quick(const std::vector<Plan>& plans, const std::string& file) {
  const std::vector<Kept> kept = read_kept(file);
  if (kept.empty()) {
    fmt::print(stderr, "{} keeps no seed\n", file);
    return 2;
  }
  const std::vector<std::string> missing = gaps(kept);
  for (const std::string& gap : missing) fmt::print("{}\n", gap);
  int bad = 0;
  for (const Kept& k : kept) {
    const MutationRow* row = row_named(k.row);
    const auto p = plan_named(plans, k.plan);
    if (row == nullptr || !p) {
      fmt::print("{:<14} {} is no row, or {} no plan\n", k.row, k.row, k.plan);
      ++bad;
      continue;
    }
    remove_rules(row->without);
    Search s = search(plans, {*p}, k.seed, 1, run_limit_s + 1, 1);
    const bool moved = !s.finding;
    if (moved) s = search(plans, {*p}, k.seed + 1, moved_max, run_limit_s, 1);
    remove_rules({});
    const Search intact =
        search(plans, {*p}, s.finding ? s.finding->seed : k.seed, 1, run_limit_s + 1, 1);
    if (!s.finding) {
      fmt::print("NOT FOUND {:<14} plan {} seeds {} to {}: keep another one (--rule {} --keep)\n",
                 k.row, k.plan, k.seed, k.seed + moved_max, k.row);
      ++bad;
    } else if (intact.finding) {
      fmt::print("BROKEN ANYHOW {:<14} plan {} seed {}: {}\n", k.row, k.plan, s.finding->seed,
                 intact.finding->violation);
      ++bad;
    } else {
      fmt::print("{:<14} {:<12} {:>6}{} {}\n", k.row, k.plan, s.finding->seed,
                 moved ? " (moved)" : "", checker_of(s.finding->violation));
    }
  }
  fmt::print("{} of {} kept seeds find the rule that was removed, and nothing with it in place\n",
             kept.size() - static_cast<std::size_t>(bad), kept.size());
  return bad == 0 && missing.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Removes each rule of the protocol and finds the run that breaks without it"};
  std::string plans_dir = "tests/simulator/plans";
  std::string seeds_file = "tests/simulator/mutation_seeds.txt";
  std::vector<std::string> rules, only_plans;
  std::uint64_t first = 1, control = 0;
  double limit = 120;
  unsigned jobs = 2;
  bool run_quick = false, trace = false, keep = false, exact = false;
  app.add_option("--plans", plans_dir, "the folder of plans")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.add_option("--plan", only_plans, "only these plans");
  app.add_option("--rule", rules, "only rows whose name begins with one of these");
  app.add_flag("--exact", exact, "--rule names whole rows");
  app.add_option("--limit", limit, "seconds for a row")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--jobs", jobs, "processes")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--first-seed,--seed", first, "the first seed")->capture_default_str();
  app.add_option("--control", control,
                 "first so many seeds with every rule in place, which must find nothing");
  app.add_option("--seeds-file", seeds_file, "the kept seeds")->capture_default_str();
  app.add_flag("--quick", run_quick, "run the kept seeds only");
  app.add_flag("--keep", keep, "keep what is found in the file of kept seeds");
  app.add_flag(
      "--trace", trace,
      "one row: print the run that was found as a story; where none was, the first seed's");
  CLI11_PARSE(app, argc, argv);

  std::vector<Plan> plans;
  std::vector<std::filesystem::path> files;
  for (const auto& f : std::filesystem::directory_iterator(plans_dir))
    if (f.path().extension() == ".txt") files.push_back(f.path());
  std::sort(files.begin(), files.end());
  for (const auto& f : files) {
    if (!only_plans.empty() &&
        std::find(only_plans.begin(), only_plans.end(), f.stem().string()) == only_plans.end())
      continue;
    auto p = read_plan(f);
    if (!p) {
      fmt::print(stderr, "{}\n", p.error().message());
      return 2;
    }
    plans.push_back(*p);
  }
  if (plans.empty()) {
    fmt::print(stderr, "no plan in {}\n", plans_dir);
    return 2;
  }
  if (run_quick) return quick(plans, seeds_file);

  std::vector<std::size_t> order(plans.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (control > 0) {
    remove_rules({});
    const Search s = search(plans, order, first, control, 1e9, jobs);
    if (s.finding) {
      fmt::print("with every rule in place: plan {} seed {}: {}\n", plans[s.finding->plan].name,
                 s.finding->seed, s.finding->violation);
      return 1;
    }
    fmt::print("every rule in place: {} runs in {:.0f} s find nothing\n", s.runs, s.wall);
  }

  std::vector<Kept> kept = read_kept(seeds_file);
  int missing = 0, argued = 0, found = 0;
  fmt::print("{:<14} {:<12} {:>6} {:<34} {:>6} {:>8} {:>8}\n", "removed", "plan", "seed", "checker",
             "runs", "sim. s", "real s");
  for (const MutationRow& row : mutation_rows()) {
    const bool wanted =
        rules.empty() || std::any_of(rules.begin(), rules.end(), [&](const std::string& r) {
          return exact ? row.name == r : row.name.starts_with(r);
        });
    if (!wanted) continue;
    if (!row.argued.empty() && rules.empty()) {
      ++argued;
      fmt::print("{:<14} argued: {}\n", row.name, row.argued);
      continue;
    }
    const Search s = search_row(plans, only_plans.empty() ? places(row, plans, order) : order, row,
                                first, limit, jobs);
    if (!s.finding) {
      ++missing;
      fmt::print("{:<14} NOT FOUND in {} runs, {:.0f} s\n", row.name, s.runs, s.wall);
      std::fflush(stdout);
      remove_rules(row.without);
      if (trace)
        run(plans[(only_plans.empty() ? places(row, plans, order) : order).front()], first, true);
      continue;
    }
    ++found;
    const Finding& f = *s.finding;
    fmt::print("{:<14} {:<12} {:>6} {:<34} {:>6} {:>8.1f} {:>8.1f}\n", row.name, plans[f.plan].name,
               f.seed, checker_of(f.violation), s.runs, f.simulated, s.wall);
    if (rules.size() == 1) fmt::print("  {}\n", f.violation);
    std::fflush(stdout);
    if (keep) {
      std::erase_if(kept, [&](const Kept& k) { return k.row == row.name; });
      kept.push_back({std::string(row.name), plans[f.plan].name, f.seed, checker_of(f.violation)});
      write_kept(seeds_file, kept);
    }
    remove_rules(row.without);
    if (trace) run(plans[f.plan], f.seed, true);
  }
  fmt::print("{} found, {} not found, {} argued\n", found, missing, argued);
  return missing == 0 ? 0 : 1;
}

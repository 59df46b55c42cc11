// The command line of loglog-model: chooses cases, explores them on several threads, prints
// verdicts and stories. Exit codes: 0 if every verdict is as expected, 1 if any is not, 2 if no
// case is chosen or a rule is unknown. The models and their bounds are in the other files.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "proto-spec/model/cases.h"

using namespace loglog::model;

namespace {

// With all rules, the search must visit everything and find nothing. Without a part, it must find a
// bad run.
bool is_good(const Case& what, const Exploration& found) {
  return what.rules.removed() ? !found.broken.empty() : found.exhausted && found.broken.empty();
}

void print(const Case& what, const Exploration& found, bool story) {
  const std::string_view mark = is_good(what, found) ? "ok  " : "FAIL";
  const std::string size = fmt::format("{:>9} states {:>5.1f} s", found.states, found.seconds);
  if (!what.rules.removed()) {
    const std::string end = !found.broken.empty() ? "BROKEN: " + found.broken
                            : found.exhausted     ? "nothing found"
                                                  : "too many states";
    fmt::print("{} all rules        {}  depth {:>2}  {}: {}\n", mark, size, found.depth,
               what.setting->name, end);
  } else {
    const std::string end =
        found.broken.empty() ? "NOTHING FOUND"
                             : fmt::format("{} steps to: {}", found.bad_run.size(), found.broken);
    fmt::print("{} {:<16} {}  {}\n", mark, text_of(*what.rules.removed()).name, size, end);
  }
  if (story && !found.broken.empty()) {
    if (what.rules.removed())
      fmt::print("     without it, {} ({})\n", text_of(*what.rules.removed()).without,
                 what.setting->name);
    int number = 0;
    for (const std::string& sentence : story_of(what, found))
      fmt::print("     {:>2}. {}\n", ++number, sentence);
    fmt::print("         *** {}\n", found.broken);
  }
  std::fflush(stdout);
}

// Explores all cases on `threads` threads. A result is printed only when all results before it are
// printed, so the output has the order of the cases. Returns the number of wrong verdicts.
int explore_all(const std::vector<Case>& cases, unsigned threads, bool story) {
  std::vector<std::optional<Exploration>> results(cases.size());
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::jthread> workers;
  workers.reserve(threads);
  for (unsigned i = 0; i < threads; ++i)
    workers.emplace_back([&] {
      for (std::size_t at = next++; at < cases.size(); at = next++) {
        Exploration found = explore(cases[at]);
        const std::lock_guard lock(mutex);
        results[at] = std::move(found);
        changed.notify_one();
      }
    });
  int bad = 0;
  for (std::size_t at = 0; at < cases.size(); ++at) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return results[at].has_value(); });
    const Exploration found = *results[at];
    lock.unlock();
    print(cases[at], found, story);
    bad += is_good(cases[at], found) ? 0 : 1;
  }
  return bad;
}

// "S4" selects all parts of S4, "S4.state" that part alone.
bool is_part_of(std::string_view name, std::string_view rule) {
  return name == rule ||
         (name.starts_with(rule) && name.size() > rule.size() && name[rule.size()] == '.');
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Explores the models of LogLog's protocol: with all rules nothing may be found, and without "
      "any one of them a bad run"};
  bool all = false, list = false, story = false;
  std::vector<std::string> without;
  unsigned threads = 2;
  app.add_flag("--all", all, "every setting with all rules, then without each part of each rule");
  app.add_option("--without", without, "only without these rules, or parts of rules: S4, S4.state");
  app.add_flag("--story", story, "tell each bad run step by step");
  app.add_flag("--rules", list, "list the rules and parts, and what goes on without each");
  app.add_option("--jobs", threads, "threads; default 2")->check(CLI::Range(1, 64));
  CLI11_PARSE(app, argc, argv);

  if (list)
    for (const PartText& text : parts()) fmt::print("{:<16} {}\n", text.name, text.without);
  std::vector<Case> cases;
  for (const Case& what : all_cases()) {
    bool wanted = all;
    for (const std::string& rule : without)
      wanted =
          wanted || (what.rules.removed() && is_part_of(text_of(*what.rules.removed()).name, rule));
    if (wanted) cases.push_back(what);
  }
  for (const std::string& rule : without) {
    if (std::any_of(parts().begin(), parts().end(),
                    [&](const PartText& text) { return is_part_of(text.name, rule); }))
      continue;
    fmt::print(stderr, "no part of a rule is called {}; --rules lists them\n", rule);
    return 2;
  }
  if (cases.empty()) {
    if (list) return 0;
    fmt::print(stderr, "nothing to do: give --all, --without RULE or --rules\n");
    return 2;
  }
  const auto begun = std::chrono::steady_clock::now();
  const int bad = explore_all(cases, threads, story);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  fmt::print("{} explorations, {} not as they should be, {:.0f} s\n", cases.size(), bad,
             took.count());
  return bad == 0 ? 0 : 1;
}

// The table of controls and the search for a seed that exposes each planted bug. Some faults need
// weather beside them, such as deaths of leaders, before the bug can do harm.
#include "tests/simulator/controls.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "proto-spec/vocabulary/check.h"
#include "tests/simulator/runner.h"
#include "tests/simulator/weather.h"

namespace loglog::simulator {
namespace {

struct Control {
  const char* fault;
  const char* weather;  ///< lines of a plan, separated by ';'
  Bug bug;
  const char* planted;
};

const Control all_controls[] = {
    {"kill_storage", "kill_storage 400", Bug::completes_too_early,
     "a driver says done before the bytes are in the page cache"},
    {"kill_sequencer", "kill_sequencer 400", Bug::forgets_raft_saves,
     "a sequencer's last saves do not survive it"},
    {"kill_leader", "kill_leader 600", Bug::forgets_raft_saves,
     "a sequencer's last saves do not survive it"},
    {"graceful_stop", "graceful_stop 150; kill_storage 900", Bug::completes_too_early,
     "a driver says done before the bytes are in the page cache"},
    {"kill_client", "kill_client 500", Bug::repeats_after_restart,
     "an application appends again what was under way"},
    {"power_storage", "power_storage 500", Bug::skips_sync, "fdatasync does nothing"},
    {"power_all", "power_all 2500", Bug::skips_sync, "fdatasync does nothing"},
    {"pause", "pause 300; append_deadline_ms 700", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"slow_node", "slow_node 200; append_deadline_ms 300; in_flight 32", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"slow_disk", "slow_disk 300; append_deadline_ms 300", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"clock_jump", "clock_jump 300", Bug::orders_by_clock,
     "an application believes that clocks agree"},
    {"clock_drift", "clock_drift_ppm 20000", Bug::orders_by_clock,
     "an application believes that clocks agree"},
    {"rolling_upgrade", "rolling_upgrade 1000", Bug::demands_one_version,
     "a session refuses who speaks other versions too"},
    {"lose_sequencer", "lose_sequencer 300; kill_leader 900; append_deadline_ms 700",
     Bug::unknown_is_failed, "an application takes unknown for failed"},
    {"sequencer_disk_lost",
     "sequencer_disk_lost 300; kill_leader 900; partition 900; trim_every_ms 200",
     Bug::trusts_empty_disks, "a sequencer with an empty disk votes at once"},
    {"raft_log_damaged", "raft_log_damaged 300; kill_leader 900; partition 900; trim_every_ms 200",
     Bug::shortens_raft_logs, "a raft.log that is damaged is taken to end there"},
    {"raft_log_unreadable",
     "raft_log_unreadable 300; kill_leader 900; partition 900; trim_every_ms 200",
     Bug::shortens_raft_logs, "a raft.log that cannot be read is taken to end there"},
    {"break_connection", "break_connection 200", Bug::silent_break, "nobody is told of a break"},
    {"late_connection", "late_connection 100; append_deadline_ms 500", Bug::unknown_is_retried,
     "an application appends again what is unknown"},
    {"corrupt_message", "corrupt_message 20", Bug::accepts_any_checksum,
     "nobody looks at a message's checksum"},
    {"lose_answers", "lose_answers 300; append_deadline_ms 700", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"lose_answers", "resolve 1; lose_answers 300; append_deadline_ms 700", Bug::finds_nothing,
     "an application that resolves an append takes a found entry for absent"},
    {"lose_answers", "resolve 1; lose_answers 300; append_deadline_ms 700", Bug::finds_elsewhere,
     "an application that resolves an append takes the next entry's place for it"},
    {"late_condition", "conditional 1; expect_wildly 1; payload_exact 100; late_condition 300",
     Bug::silent_break, "nobody is told of a break"},
    {"delay_commit", "delay_commit 300", Bug::silent_break, "nobody is told of a break"},
    {"late_command", "late_command 80; administer_ms 200; kill_leader 600", Bug::unknown_is_failed,
     "an operator takes unknown for failed"},
    {"clock_astray", "clock_astray 300; kill_sequencer 300; retention_ms 3000; segment_kib 256",
     Bug::shares_one_clock, "all sequencers have the clock of the one that is wrong"},
    {"cut_off_producer", "cut_off_producer 500; append_deadline_ms 700", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"two_leaders", "two_leaders 1000; append_deadline_ms 700", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"partition", "partition 500; append_deadline_ms 700", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"one_way", "one_way 500; append_deadline_ms 700", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"figure_eight", "figure_eight 1500; append_deadline_ms 700", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"unheard_start", "unheard_start 1500; append_deadline_ms 700", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"late_reconcile", "late_reconcile 1000; append_deadline_ms 700", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"late_cut_power", "late_cut_power 1000; append_deadline_ms 700", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"mute_holder", "mute_holder 1500; append_deadline_ms 700", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"two_logs", "two_logs 1500; append_deadline_ms 700", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"forgotten_order", "forgotten_order 1000", Bug::repeats_after_restart,
     "an application appends again what was under way when it died"},
    {"second_process", "second_process 200; kill_leader 900; append_deadline_ms 700",
     Bug::unknown_is_failed, "an application takes unknown for failed"},
    {"full_disk", "full_disk 300", Bug::promises_space, "a full disk says that there is space"},
    {"full_sequencer_disk",
     "full_sequencer_disk 200; kill_leader 900; kill_sequencer 900; trim_every_ms 100; "
     "fence_every_ms 200",
     Bug::promises_space, "a full disk says that there is space"},
    {"eio_write", "eio_write 300", Bug::retries_after_failure,
     "a failed write is taken as done (K2)"},
    {"eio_sync", "eio_sync 300; power_storage 600", Bug::retries_after_failure,
     "a failed sync is taken as done (K2)"},
    {"eio_sync, restart", "eio_sync 150; power_storage 200; in_flight 24", Bug::trusts_page_cache,
     "after a restart the page cache is believed (K1)"},
    {"start_error", "start_error 300; lag_node 900; strand 2500; kill_leader 1800",
     Bug::hides_start_errors, "what cannot be listed at a start is taken for absent (K7)"},
    {"eio_read", "eio_read 300", Bug::shares_one_disk, "three replicas on one disk"},
    {"rot_below", "rot_below 300", Bug::nobody_audits, "nobody reads every replica"},
    {"rot_above", "rot_above 100; in_flight 1; think_max_ms 60", Bug::shares_one_disk,
     "three replicas on one disk"},
    {"misdirected", "misdirected 300", Bug::shares_one_disk, "three replicas on one disk"},
    {"stale_blocks", "stale_blocks 400", Bug::shares_one_disk, "three replicas on one disk"},
    {"truncated_file", "truncated_file 400", Bug::shares_one_disk, "three replicas on one disk"},
    {"first_files_gone", "first_files_gone 500; payload_max 9000", Bug::shares_one_disk,
     "three replicas on one disk"},
    {"older_copy", "older_copy 1500; append_deadline_ms 700", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"newest_files_gone", "newest_files_gone 500; payload_max 9000", Bug::shares_one_disk,
     "three replicas on one disk"},
    {"stalled_reader", "stalled_reader 300; payload_max 9000", Bug::says_written,
     "a driver says that bytes have left the process which are still queued"},
    {"old_directories",
     "old_directories 600; append_deadline_ms 400; trim_every_ms 20; in_flight 8",
     Bug::unknown_is_failed, "an application takes unknown for failed"},
    {"leave_dark", "faults_for_ms 13000; leave_dark 1; rest 1", Bug::skips_sync,
     "fdatasync does nothing"},
    {"leave_down", "leave_down 1; kill_storage 900", Bug::shows_old_status,
     "who asks for the status gets what was true once"},
    {"leave_parted", "leave_parted 1; kill_storage 300", Bug::parts_all,
     "no storage node hears another one"},
    {"found_loss", "found_loss 1500; append_deadline_ms 700", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"rotten_promise", "rotten_promise 1500; append_deadline_ms 700", Bug::unknown_is_failed,
     "an application takes unknown for failed"},
    {"late_observation", "late_observation 1000; append_deadline_ms 700; observed 1",
     Bug::unknown_is_failed, "an application takes unknown for failed"},
    {"identity_lost", "identity_lost 900", Bug::never_puts_back, "the old disk is never put back"},
    {"promise_lost", "promise_lost 900", Bug::never_puts_back, "the old disk is never put back"},
    {"files_lost", "files_lost 900", Bug::never_puts_back, "the old disk is never put back"},
    {"logs_lost", "logs_lost 900", Bug::never_puts_back, "the old disk is never put back"},
    {"disk_lost", "disk_lost 600", Bug::never_puts_back, "the old disk is never put back"},
    {"late_replacement", "late_replacement 600; faults_for_ms 9000", Bug::never_puts_back,
     "the old disk is never put back"},
    {"disk_replaced", "disk_replaced 600", Bug::shares_one_disk, "three replicas on one disk"},
};

// A planted bug may need many seeds to do harm; an innocent combination is sampled only.
constexpr std::uint64_t seeds_with_bug = 300;
constexpr std::uint64_t seeds_without = 6;

Plan plan_of(const std::string& weather) {
  Plan p;
  p.name = "control";
  std::string lines = "clients 3; entries 150; think_max_ms 250; faults_for_ms 6000; " + weather;
  for (std::size_t at = 0; at < lines.size();) {
    const auto end = std::min(lines.find(';', at), lines.size());
    check(read_line(p, lines.substr(at, end - at)).has_value(), "a control's weather is no plan");
    at = end + 1;
  }
  return p;
}

// The result of a search: the first violation, and how many faults were injected.
struct Found {
  std::uint64_t runs = 0;
  std::uint64_t seed = 0;
  std::string violation;
  std::uint64_t injected = 0;
};

// Runs seeds 1..`seeds` of the plan until the first violation.
Found search(int processes, const Plan& plan, const Bugs& bugs, std::uint64_t seeds) {
  Found f;
  run_jobs(
      processes, 60,
      [&](std::uint64_t n) {
        return n < seeds ? std::optional(Job{&plan, n + 1, bugs}) : std::nullopt;
      },
      [&](std::uint64_t, const Job& job, const RunResult& r, double) {
        ++f.runs;
        for (const auto& [kind, count] : r.faults.by_kind)
          if (plan.faults.contains(kind)) f.injected += count;
        if (r.violation.empty()) return true;
        if (f.violation.empty()) {
          f.violation = r.violation;
          f.seed = job.seed;
        }
        return false;
      });
  return f;
}

}  // namespace

// `calm` is the same plan without its fault: the planted bug alone must do no harm.
bool run_controls(int processes, const char* only) {
  bool ok = true;
  for (const Control& c : all_controls) {
    if (std::string_view(c.fault).find(only) == std::string_view::npos) continue;
    const Plan stormy = plan_of(c.weather);
    Plan calm = stormy;
    calm.faults.clear();
    calm.leave_down = calm.leave_parted = calm.leave_dark = false;
    calm.clock_drift_ppm_max = 0;
    const Found harmless = search(processes, stormy, {}, seeds_without);
    const Found idle = search(processes, calm, {c.bug}, seeds_without);
    const Found found = search(processes, stormy, {c.bug}, seeds_with_bug);
    const bool passed =
        harmless.violation.empty() && idle.violation.empty() && !found.violation.empty();
    ok = ok && passed;
    fmt::print("{:<6} {:<18} {}: {}\n", passed ? "ok" : "FAILED", c.fault, c.planted,
               found.violation.empty()
                   ? fmt::format("not found in {} seeds, {} injected", found.runs, found.injected)
                   : fmt::format("seed {}: {}", found.seed, found.violation));
    if (!harmless.violation.empty())
      fmt::print("       without the bug, seed {}: {}\n", harmless.seed, harmless.violation);
    if (!idle.violation.empty())
      fmt::print("       without the fault, seed {}: {}\n", idle.seed, idle.violation);
    std::fflush(stdout);
  }
  for (const FaultKind& f : fault_kinds())
    if (std::none_of(std::begin(all_controls), std::end(all_controls),
                     [&](const Control& c) { return f.name == c.fault; })) {
      fmt::print("FAILED {} has no control\n", f.name);
      ok = false;
    }
  return ok;
}

}  // namespace loglog::simulator

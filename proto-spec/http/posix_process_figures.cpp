// Each figure is read anew for each scrape; a missing /proc (a container without it) leaves figures
// out instead of failing the page.
#include "proto-spec/http/posix_process_figures.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

#include "proto-spec/console/error_output.h"

namespace loglog::http {
namespace {

std::optional<std::uint64_t> open_files() {
  std::error_code error;
  const auto all = std::filesystem::directory_iterator("/proc/self/fd", error);
  if (error) return std::nullopt;
  // Less the descriptor of this directory listing itself.
  return static_cast<std::uint64_t>(std::distance(begin(all), end(all))) - 1;
}

// All resident pages, mapped files included, as other client libraries report them.
std::optional<std::uint64_t> resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  if (!(file >> size >> resident)) return std::nullopt;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// Unix time of the process's start: the machine's boot time plus the start ticks in field 22 of
/// /proc/self/stat. Fields are counted behind the last ')', because the process name may hold
/// blanks and parentheses.
std::optional<double> start_seconds() {
  std::ifstream uptime_file("/proc/uptime"), stat_file("/proc/self/stat");
  double uptime = 0;
  std::string stat;
  if (!(uptime_file >> uptime) || !std::getline(stat_file, stat) ||
      stat.rfind(')') == std::string::npos)
    return std::nullopt;
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string skipped;
  double ticks = 0;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  if (!(fields >> ticks)) return std::nullopt;
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return now - uptime + ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

void add_process(observe::PrometheusText& text, std::string_view version) {
  text.counter("loglog_log_lines_dropped_total",
               "Lines of the log that could not be written to stderr.")
      .value(console::errors_dropped());
  text.gauge("loglog_build_info", "1, with the version as a label.")
      .value(std::uint64_t{1}, {{"version", version}});
  if (const auto n = open_files())
    text.gauge("process_open_fds", "Open file descriptors.").value(*n);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0)
    text.gauge("process_max_fds", "Most file descriptors that the process may open.")
        .value(std::uint64_t{files.rlim_cur});
  if (const auto n = resident_bytes())
    text.gauge("process_resident_memory_bytes", "Resident memory.").value(*n);
  text.counter("process_cpu_seconds_total", "User and system CPU time.").value(cpu_seconds());
  if (const auto t = start_seconds())
    text.gauge("process_start_time_seconds", "Start of the process, Unix time.").value(*t);
}

}  // namespace loglog::http

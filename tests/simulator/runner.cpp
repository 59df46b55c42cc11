// A parent hands job numbers to forked workers through pipes and polls their results. Workers
// inherit the plans by the fork, so only numbers and results cross the pipes.
#include "tests/simulator/runner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>
#include <vector>

#include "proto-spec/vocabulary/check.h"

namespace loglog::simulator {
namespace {

// A result crosses the pipe as lines of text. The violation is the last line and may hold any text
// without a line end.
std::string to_lines(const RunResult& r) {
  std::string out = fmt::format("{} {} {} {} {} {} {} {} {} {}", r.seed, r.acknowledged, r.failed,
                                r.unknown, r.read, r.tails, r.messages, r.fingerprint,
                                r.simulated.count(), r.slowest.count());
  for (const auto& [kind, n] : r.faults.by_kind) out += fmt::format("\nF{} {}", n, kind);
  std::string violation = r.violation;
  std::replace(violation.begin(), violation.end(), '\n', ' ');
  return out + "\nV" + violation + "\n";
}

RunResult from_lines(const std::string& text) {
  RunResult r;
  std::istringstream in(text);
  std::string line;
  std::getline(in, line);
  std::istringstream numbers(line);
  std::int64_t simulated = 0, slowest = 0;
  numbers >> r.seed >> r.acknowledged >> r.failed >> r.unknown >> r.read >> r.tails >> r.messages >>
      r.fingerprint >> simulated >> slowest;
  check(!numbers.fail(), "a worker's result cannot be read");
  r.simulated = Duration(simulated);
  r.slowest = Duration(slowest);
  while (std::getline(in, line)) {
    if (line[0] == 'V') r.violation = line.substr(1);
    else if (line[0] == 'F') {
      const auto space = line.find(' ');
      r.faults.count(line.substr(space + 1), std::stoull(line.substr(1, space - 1)));
    }
  }
  return r;
}

// A worker process and the parent's ends of its three pipes: jobs, results, stderr.
class Worker {
 public:
  explicit Worker(const JobAt& job_at) {
    int to[2], from[2], errors[2];
    check(::pipe(to) == 0 && ::pipe(from) == 0 && ::pipe(errors) == 0, "no pipe");
    std::fflush(nullptr);
    pid_ = ::fork();
    check(pid_ >= 0, "no fork");
    if (pid_ == 0) {
      ::close(to[1]);
      ::close(from[0]);
      ::dup2(errors[1], STDERR_FILENO);
      serve(job_at, to[0], from[1]);
    }
    ::close(to[0]);
    ::close(from[1]);
    ::close(errors[1]);
    to_ = to[1];
    from_ = from[0];
    errors_ = errors[0];
    ::fcntl(errors_, F_SETFL, O_NONBLOCK);
    // A later worker must not inherit this worker's ends, or its death would not show at the pipe.
    for (int fd : {to_, from_, errors_}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    open_ends().insert(open_ends().end(), {to_, from_, errors_});
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  // An idle worker ends by itself when its job pipe closes; a worker inside a run is killed.
  ~Worker() {
    for (int fd : {to_, from_, errors_}) {
      ::close(fd);
      std::erase(open_ends(), fd);
    }
    if (number_) ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  void begin(std::uint64_t number) {
    number_ = number;
    since_ = processor_seconds();
    // The number fits into a pipe's atomic write. A failed write shows as a dead worker at the
    // result pipe.
    [[maybe_unused]] const ssize_t n = ::write(to_, &number, sizeof number);
  }
  void rest() { number_.reset(); }
  std::optional<std::uint64_t> number() const { return number_; }
  /// Processor time since the job began: a busy or sleeping machine does not make a run long.
  double seconds() const { return processor_seconds() - since_; }
  int descriptor() const { return from_; }

  /// Reads available bytes. Returns false if the worker is gone. A whole result is then in
  /// `result()`.
  bool take() {
    char buffer[65536];
    const ssize_t n = ::read(from_, buffer, sizeof buffer);
    if (n <= 0) return n < 0 && errno == EINTR;
    text_.append(buffer, static_cast<std::size_t>(n));
    return true;
  }
  std::optional<RunResult> result() {
    const auto v = text_.find("\nV");
    if (v == std::string::npos || text_.back() != '\n') return std::nullopt;
    return from_lines(std::exchange(text_, {}));
  }
  /// The last line that the worker wrote to stderr.
  std::string last_words() {
    std::string said;
    char buffer[4096];
    ssize_t n = 0;
    while ((n = ::read(errors_, buffer, sizeof buffer)) > 0)
      said.append(buffer, static_cast<std::size_t>(n));
    while (!said.empty() && said.back() == '\n') said.pop_back();
    const auto line = said.rfind('\n');
    return line == std::string::npos ? said : said.substr(line + 1);
  }

 private:
  static std::vector<int>& open_ends() {
    static std::vector<int> ends;
    return ends;
  }
  double processor_seconds() const {
    clockid_t clock{};
    timespec t{};
    // A dead process has no clock; its death shows at the pipe.
    if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &t) != 0) return since_;
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
  }
  [[noreturn]] static void serve(const JobAt& job_at, int in, int out) {
    for (int fd : open_ends()) ::close(fd);
    std::FILE* const results = ::fdopen(out, "w");
    check(results != nullptr, "no stream over a pipe");
    std::uint64_t number = 0;
    while (::read(in, &number, sizeof number) == sizeof number) {
      const auto job = job_at(number);
      check(job.has_value(), "a job that is not there");
      if (std::fputs(to_lines(run(*job->plan, job->seed, false, job->bugs)).c_str(), results) < 0 ||
          std::fflush(results) != 0)
        break;
    }
    std::exit(0);
  }

  pid_t pid_ = -1;
  int to_ = -1, from_ = -1, errors_ = -1;
  std::optional<std::uint64_t> number_;
  double since_ = 0;
  std::string text_;
};

// The result of a job whose worker died.
RunResult dead(const Job& job, const std::string& why) {
  RunResult r;
  r.seed = job.seed;
  r.violation = why;
  return r;
}

}  // namespace

// Feeds idle workers, polls busy workers, and replaces dead workers. The poll's 200 ms also bounds
// how late an endless run is noticed.
void run_jobs(int processes, double seconds_max, const JobAt& job_at, const JobDone& done) {
  std::vector<std::unique_ptr<Worker>> workers;
  std::uint64_t next = 0;
  bool more = true;
  const auto feed = [&](Worker& w) {
    w.rest();
    if (!more) return;
    if (job_at(next)) w.begin(next++);
    else more = false;
  };
  for (int i = 0; i < processes && more; ++i)
    feed(*workers.emplace_back(std::make_unique<Worker>(job_at)));
  for (;;) {
    std::vector<pollfd> waiting;
    for (const auto& w : workers)
      waiting.push_back({w->number() ? w->descriptor() : -1, POLLIN, 0});
    if (std::none_of(waiting.begin(), waiting.end(), [](const pollfd& p) { return p.fd >= 0; }))
      return;
    ::poll(waiting.data(), waiting.size(), 200);
    for (std::size_t i = 0; i < workers.size(); ++i) {
      auto& w = workers[i];
      if (!w->number()) continue;
      const std::uint64_t number = *w->number();
      const Job job = *job_at(number);
      const double seconds = w->seconds();
      std::optional<RunResult> result;
      bool gone = false;
      if (waiting[i].revents != 0) {
        gone = !w->take();
        result = w->result();
        if (gone && !result) result = dead(job, "a check in the process: " + w->last_words());
      } else if (seconds > seconds_max) {
        gone = true;
        result =
            dead(job, fmt::format("progress: the run does not end within {} s of processor time",
                                  seconds_max));
      }
      if (!result) continue;
      if (gone) w = std::make_unique<Worker>(job_at);
      if (!done(number, job, *result, seconds)) more = false;
      feed(*w);
    }
  }
}

}  // namespace loglog::simulator

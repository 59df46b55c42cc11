// A client under chaos. It acts its role until SIGTERM and writes every call and every answer to a
// history, a JSON object a line with CLOCK_MONOTONIC nanoseconds, for checkers.py.
// producer   appends entries with unique ids, many in flight: "begin" before the call, "end" with
// the outcome
// follower   follows from the beginning, and after an error from where it was: "entry" for each
// entry
// tail       asks for the tail repeatedly: "tail" with the times before and after the call
// reader     reads from the beginning to --until and ends: "entry" for each entry
#include <fmt/format.h>
#include <loglog/client.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

namespace {

using namespace std::chrono_literals;
using Outcome = loglog::AppendResult::Outcome;

volatile std::sig_atomic_t told_to_stop = 0;

struct Options {
  std::string role;
  std::string name;
  std::string log;
  std::string history;
  std::vector<std::string> cluster;
  double rate = 100;
  std::size_t in_flight = 64;
  std::size_t bytes_max = 64u << 10;
  std::int64_t timeout_ms = 10'000;
  std::uint64_t until = 0;
  std::uint64_t seed = 1;
};

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// FNV-1a, because the test must share nothing with the checksums that it checks.
std::uint64_t hash_of(std::string_view bytes) {
  std::uint64_t h = 14695981039346656037u;
  for (const char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return h;
}

// The history file. A "begin" line reaches the kernel before the call that it announces, so that
// the last appends of a killed client are known.
class History {
 public:
  explicit History(const std::string& path) : file_(std::fopen(path.c_str(), "ae")) {
    if (file_ == nullptr) fail(path);
  }
  ~History() { std::fclose(file_); }
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  template <typename... T>
  /// Appends a line; may be called from any thread. A failure to write ends the process, because a
  /// history with gaps would accuse the product.
  void line(fmt::format_string<T...> form, T&&... values) {
    const std::string text = fmt::format(form, std::forward<T>(values)...) + "\n";
    const std::lock_guard hold(mutex_);
    if (std::fwrite(text.data(), 1, text.size(), file_) != text.size() || std::fflush(file_) != 0)
      fail("history");
  }

 private:
  [[noreturn]] static void fail(const std::string& what) {
    std::perror(("recorder: cannot write " + what).c_str());
    std::_Exit(3);
  }
  std::FILE* file_;
  std::mutex mutex_;
};

// Records an entry. Ids end at '#' in the payload and hold only letters, digits, '.', '-' and ':',
// so they need no escaping.
void record_entry(History& history, const loglog::Entry& e) {
  const std::string_view payload = e.payload;
  const auto end = payload.substr(0, 64).find('#');
  const bool ours = end != std::string_view::npos && payload.find_first_of("\"\\") > end;
  history.line(
      R"({{"event":"entry","time":{},"id":"{}","offset":{},"next":{},"term":{},"producer":"{:016x}","sequence":{},"bytes":{},"hash":"{:016x}"}})",
      now(), ours ? payload.substr(0, end) : "?", e.offset, e.next, e.term, e.producer, e.sequence,
      payload.size(), hash_of(payload));
}

/// Sleeps for `wait` in short pieces, so that SIGTERM ends the wait.
void pause_for(std::chrono::nanoseconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  while (told_to_stop == 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(
        std::min<std::chrono::nanoseconds>(20ms, deadline - std::chrono::steady_clock::now()));
}

/// Appends at a given rate with a bound on appends in flight.
class Producer {
 public:
  Producer(const Options& options, loglog::Log log, History& history)
      : options_(options), log_(std::move(log)), history_(history), random_(options.seed) {}

  void run() {
    const auto begun = std::chrono::steady_clock::now();
    for (std::uint64_t n = 1; told_to_stop == 0; ++n) {
      pause_for(begun +
                std::chrono::nanoseconds(
                    static_cast<std::int64_t>(static_cast<double>(n) * 1e9 / options_.rate)) -
                std::chrono::steady_clock::now());
      std::unique_lock hold(mutex_);
      if (!room_.wait_for(hold, 100ms, [&] { return under_way_ < options_.in_flight; })) {
        --n;
        continue;
      }
      ++under_way_;
      hold.unlock();
      append(fmt::format("{}:{}", options_.name, n));
    }
    std::unique_lock hold(mutex_);
    room_.wait(hold, [&] { return under_way_ == 0; });  // every append ends at its deadline
  }

 private:
  void append(std::string id) {
    std::string payload = id + "#";
    payload.resize(payload.size() + size());
    for (std::size_t i = id.size() + 1; i < payload.size(); ++i)
      payload[i] = static_cast<char>(random_());
    history_.line(R"({{"event":"begin","time":{},"id":"{}","bytes":{},"hash":"{:016x}"}})", now(),
                  id, payload.size(), hash_of(payload));
    log_.append_then(payload,
                     [this, id = std::move(id)](const loglog::AppendResult& r) { ended(id, r); });
  }

  // Mostly small entries, some of a few KiB, and now and then a large entry.
  std::size_t size() {
    const auto kind = random_() % 100;
    return random_() % (kind < 70   ? 300
                        : kind < 99 ? std::min<std::size_t>(4096, options_.bytes_max)
                                    : options_.bytes_max);
  }

  /// The append's callback, on the client's own thread.
  void ended(const std::string& id, const loglog::AppendResult& r) {
    const auto at = now();
    if (r.outcome == Outcome::committed)
      history_.line(
          R"({{"event":"end","time":{},"id":"{}","outcome":"committed","offset":{},"term":{}}})",
          at, id, r.offset, r.term);
    else
      history_.line(R"({{"event":"end","time":{},"id":"{}","outcome":"{}","code":"{}"}})", at, id,
                    r.outcome == Outcome::refused ? "refused" : "unknown", r.error.name());
    const std::lock_guard hold(mutex_);
    --under_way_;
    room_.notify_all();
  }

  const Options& options_;
  loglog::Log log_;
  History& history_;
  std::mt19937_64 random_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::size_t under_way_ = 0;
};

/// Follows until SIGTERM. Returns 1 on an error that no retry can mend.
int follow(loglog::Log& log, History& history) {
  loglog::EntryOffset at = 0;
  while (told_to_stop == 0) {
    auto follower = log.follow(at);
    while (told_to_stop == 0) {
      if (const auto entry = follower.next_for(100ms)) {
        record_entry(history, *entry);
        at = entry->next;
      } else if (follower.error()) {
        break;
      }
    }
    if (told_to_stop != 0) break;
    history.line(R"({{"event":"error","time":{},"code":"{}","at":{}}})", now(),
                 follower.error()->name(), at);
    if (!follower.error()->retry) return 1;
    pause_for(100ms);
  }
  return 0;
}

int ask_for_tails(const Options& options, loglog::Log& log, History& history) {
  while (told_to_stop == 0) {
    const auto begin = now();
    const auto tail = log.tail(std::chrono::milliseconds(options.timeout_ms));
    if (tail)
      history.line(R"({{"event":"tail","begin":{},"time":{},"first":{},"committed":{}}})", begin,
                   now(), tail->first, tail->committed);
    else history.line(R"({{"event":"error","time":{},"code":"{}"}})", now(), tail.error().name());
    pause_for(std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / options.rate)));
  }
  return 0;
}

int read_all(const Options& options, loglog::Log& log, History& history) {
  for (loglog::EntryOffset at = 0; at < options.until && told_to_stop == 0;) {
    const auto found = log.read(at, 1u << 20, 500ms);
    if (!found) {
      history.line(R"({{"event":"error","time":{},"code":"{}","at":{}}})", now(),
                   found.error().name(), at);
      if (!found.error().retry) return 1;
      pause_for(100ms);
      continue;
    }
    for (const auto& entry : found->entries) record_entry(history, entry);
    at = found->next;
  }
  return told_to_stop == 0 ? 0 : 1;
}

// Opens the log, and waits as long as nobody answers or the log does not exist yet.
std::optional<loglog::Log> open(loglog::Client& client, const Options& options) {
  while (told_to_stop == 0) {
    auto log = client.open_log(options.log);
    if (log) return std::move(*log);
    if (!log.error().retry && log.error().code != loglog::Errc::no_such_log) {
      fmt::print(stderr, "recorder: {}\n", log.error().message);
      return std::nullopt;
    }
    pause_for(100ms);
  }
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("One client under chaos that writes down what it asked and what it saw.");
  app.add_option("--role", o.role)
      ->required()
      ->check(CLI::IsMember({"producer", "follower", "tail", "reader"}));
  app.add_option("--name", o.name, "unique among the producers of a log")->required();
  app.add_option("--log", o.log)->required();
  app.add_option("--history", o.history, "file to append to")->required();
  app.add_option("--cluster", o.cluster, "HOST:PORT,…")->required()->delimiter(',');
  app.add_option("--rate", o.rate, "appends, or questions for the tail, a second")
      ->check(CLI::PositiveNumber);
  app.add_option("--in-flight", o.in_flight, "appends begun and not ended, at most");
  app.add_option("--bytes-max", o.bytes_max, "of the largest entries");
  app.add_option("--timeout-ms", o.timeout_ms, "deadline of a call");
  app.add_option("--until", o.until, "reader: offset to read up to");
  app.add_option("--seed", o.seed, "of sizes and contents");
  CLI11_PARSE(app, argc, argv);
  struct sigaction stop{};
  stop.sa_handler = [](int) { told_to_stop = 1; };
  sigaction(SIGTERM, &stop, nullptr);
  sigaction(SIGINT, &stop, nullptr);

  History history(o.history);
  auto client = loglog::Client::connect(
      {.addresses = o.cluster, .timeout = std::chrono::milliseconds(o.timeout_ms)});
  if (!client) {
    fmt::print(stderr, "recorder: {}\n", client.error().message);
    return 1;
  }
  auto log = open(*client, o);
  if (!log) return told_to_stop != 0 ? 0 : 1;
  if (o.role == "follower") return follow(*log, history);
  if (o.role == "tail") return ask_for_tails(o, *log, history);
  if (o.role == "reader") return read_all(o, *log, history);
  Producer(o, std::move(*log), history).run();
  return 0;
}

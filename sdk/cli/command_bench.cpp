// loglog bench: measures append, read, catch-up and follow under closed-loop load: a new operation
// begins when an earlier operation ends, so a slow cluster lowers the rate and not only the
// latency.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "sdk/cli/cli.h"
#include "sdk/cli/posix_output.h"
#include "sdk/cli/progress.h"

namespace loglog::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct BenchOptions {
  std::string what;
  std::string log;
  std::size_t size = 1024;
  std::uint32_t in_flight = 256;
  std::uint32_t clients = 1;
  bool own_threads = false;
  std::uint32_t logs = 1;
  std::uint32_t followers = 1;
  double seconds = 5;
  bool json = false;
  When progress = When::automatic;
};

// Histogram of latencies, microseconds, in 64 buckets for each power of two: exact within 2 %.
class Histogram {
 public:
  void add(std::uint64_t us) {
    ++counts_[index(us)];
    max_ = std::max(max_, us);
    ++total_;
  }
  void add(const Histogram& o) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += o.counts_[i];
    max_ = std::max(max_, o.max_);
    total_ += o.total_;
  }
  std::uint64_t quantile(double q) const {
    std::uint64_t left = static_cast<std::uint64_t>(q * static_cast<double>(total_));
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (left < counts_[i]) return std::min(value(i), max_);
      left -= counts_[i];
    }
    return max_;
  }
  std::uint64_t max() const { return max_; }
  std::uint64_t total() const { return total_; }

 private:
  static std::size_t index(std::uint64_t v) {
    if (v < 64) return v;
    const auto power = static_cast<std::size_t>(63 - __builtin_clzll(v));
    return std::min<std::size_t>((power - 5) * 64 + ((v >> (power - 6)) & 63), 64 * 40 - 1);
  }
  static std::uint64_t value(std::size_t i) {
    if (i < 64) return i;
    const std::size_t power = i / 64 + 5;
    return (std::uint64_t{64} + i % 64) << (power - 6);
  }
  std::array<std::uint64_t, 64 * 40> counts_{};
  std::uint64_t max_ = 0;
  std::uint64_t total_ = 0;
};

// CPU time of the whole process, all threads.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// The result of a measurement; seconds are wall clock, cpu is seconds of this process.
struct Measured {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t errors = 0;
  double seconds = 0;
  double cpu = 0;
  Histogram latency;
};

void print(const Measured& m, bool json) {
  const double per_s = static_cast<double>(m.entries) / m.seconds;
  const double mb = static_cast<double>(m.bytes) / 1e6 / m.seconds;
  const auto q = [&](double x) { return m.latency.quantile(x); };
  if (json) {
    put("{{\"entries\": {}, \"seconds\": {:.3f}, \"entries_per_s\": {:.0f}, \"mb_per_s\": {:.1f}, "
        "\"p50_us\": {}, \"p99_us\": {}, "
        "\"p999_us\": {}, "
        "\"max_us\": {}, \"errors\": {}, \"client_cpu_s\": {:.2f}}}\n",
        m.entries, m.seconds, per_s, mb, q(0.5), q(0.99), q(0.999), m.latency.max(), m.errors,
        m.cpu);
  } else {
    put("{} entries in {:.2f} s: {:.0f} entries/s, {:.1f} MB/s; latency p50 {} us, p99 {} us, "
        "p99.9 {} us, max {} us; {} errors; client "
        "CPU {:.2f} s\n",
        m.entries, m.seconds, per_s, mb, q(0.5), q(0.99), q(0.999), m.latency.max(), m.errors,
        m.cpu);
  }
}

// The frame of a measurement: measures time and CPU from its construction, shows progress, and
// prints the result.
class Measurement {
 public:
  explicit Measurement(const BenchOptions& o) : options_(o), bar_(o.progress, "bench " + o.what) {}
  /// Shows the entries so far. False if the time is over or the command was interrupted.
  bool goes_on(std::uint64_t entries) {
    const double gone = seconds();
    bar_.show(gone / options_.seconds,
              fmt::format("{} entries, {:.0f}/s", entries, static_cast<double>(entries) / gone));
    return gone < options_.seconds && !interrupted();
  }
  /// A short pause for a thread that only watches.
  void sleep() const {
    std::this_thread::sleep_for(std::chrono::milliseconds(
        std::min<std::int64_t>(200, 1 + static_cast<std::int64_t>(options_.seconds * 500))));
  }
  void stop(Measured& m) const {
    m.seconds = seconds();
    m.cpu = cpu_seconds() - cpu_;
  }
  /// Prints the result; returns the exit code.
  int end(const Measured& m) {
    bar_.end();
    print(m, options_.json);
    return m.errors == 0 && m.entries > 0 ? 0 : exit_failed;
  }

 private:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }
  const BenchOptions& options_;
  Progress bar_;
  double cpu_ = cpu_seconds();
  Clock::time_point begin_ = Clock::now();
};

// A producer: a client of its own that keeps `window` appends under way, to its logs in turn. It
// needs no thread beside the client's.
class Producer {
 public:
  Producer(Client client, std::vector<Log> logs, std::size_t size, std::uint32_t window,
           Clock::time_point until)
      : client_(std::move(client)),
        logs_(std::move(logs)),
        payload_(size, 'x'),
        window_(window),
        until_(until) {}
  /// Begins the first appends. Each append that ends before `until` begins the next.
  void start() {
    flying_ = window_;
    for (std::uint32_t i = 0; i < window_; ++i) append();
  }
  /// Waits for the last append.
  void wait() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return flying_ == 0; });
  }
  Histogram latency;
  std::atomic<std::uint64_t> entries{0};
  std::atomic<std::uint64_t> errors{0};

 private:
  void append() {
    const auto begin = Clock::now();
    logs_[next_++ % logs_.size()].append_then(
        payload_, [this, begin](const AppendResult& r) { ended(begin, r); });
  }
  // Counts an append and begins the next. Runs on the client's thread, or in the calling thread if
  // the append was refused at once.
  void ended(Clock::time_point begin, const AppendResult& r) {
    const auto now = Clock::now();
    if (r) {
      latency.add(static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::microseconds>(now - begin).count()));
      entries.fetch_add(1, std::memory_order_relaxed);
    } else {
      ++errors;
    }
    // An append that is refused at once would be refused again, without end and without a pause.
    if (now < until_ && !interrupted() && (r || now - begin > std::chrono::milliseconds(1)))
      return append();
    std::lock_guard lock(mutex_);
    if (--flying_ == 0) ended_.notify_one();
  }
  Client client_;
  std::vector<Log> logs_;
  std::atomic<std::size_t> next_{0};
  std::string payload_;
  std::uint32_t window_;
  Clock::time_point until_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::uint32_t flying_ = 0;
};

int bench_append(const Target& target, const BenchOptions& o,
                 const std::vector<std::string>& names) {
  std::vector<std::pair<Client, std::vector<Log>>> ready;
  Target each = target;
  each.options.own_thread = o.own_threads;
  for (std::uint32_t i = 0; i < o.clients; ++i) {
    auto client = each.connect();
    if (!client) return failed(client.error());
    std::vector<Log> logs;
    logs.reserve(names.size());
    for (const std::string& name : names) {
      auto log = client->open_or_create_log(name);
      if (!log) return failed(log.error());
      logs.push_back(std::move(*log));
    }
    ready.emplace_back(std::move(*client), std::move(logs));
  }
  std::vector<std::unique_ptr<Producer>> producers;
  producers.reserve(ready.size());
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(o.seconds));
  const std::uint32_t window = std::max(1u, o.in_flight / o.clients);
  for (auto& [client, logs] : ready)
    producers.push_back(
        std::make_unique<Producer>(std::move(client), std::move(logs), o.size, window, until));
  const auto entries = [&producers] {
    std::uint64_t all = 0;
    for (auto& p : producers) all += p->entries;
    return all;
  };
  Measured m;
  Measurement measurement(o);
  for (auto& p : producers) p->start();
  while (measurement.goes_on(entries())) measurement.sleep();
  for (auto& p : producers) p->wait();
  measurement.stop(m);
  for (auto& p : producers) {
    m.entries += p->entries;
    m.errors += p->errors;
    m.latency.add(p->latency);
  }
  m.bytes = m.entries * o.size;
  return measurement.end(m);
}

// Opens the named log, or makes a log of up to 256 MiB or 200 000 entries to read.
std::expected<Log, CallError> log_to_read(Client& client, const BenchOptions& o,
                                          const std::string& name) {
  if (!o.log.empty()) return client.open_log(name);
  auto log = client.create_log(name);
  if (!log) return log;
  const std::string payload(o.size, 'x');
  std::vector<std::future<AppendResult>> made;
  const std::size_t count =
      std::clamp<std::size_t>((256u << 20) / (o.size + entry_overhead), 1, 200'000);
  made.reserve(count);
  for (std::size_t i = 0; i < count; ++i) made.push_back(log->append_async(payload));
  for (auto& f : made)
    if (auto r = f.get(); !r) return std::unexpected(r.error);
  return log;
}

int bench_read(const Target& target, const BenchOptions& o, const std::string& name) {
  auto client = target.connect();
  if (!client) return failed(client.error());
  auto log = log_to_read(*client, o, name);
  if (!log) return failed(log.error());
  const auto beginning = log->begin();
  if (!beginning) return failed(beginning.error());
  const EntryOffset first = *beginning;
  EntryOffset at = first;
  Measured m;
  Measurement measurement(o);
  while (measurement.goes_on(m.entries)) {
    const auto asked = Clock::now();
    auto page = log->read(at, 1u << 20);
    if (!page) return failed(page.error());
    m.latency.add(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - asked).count()));
    at = page->entries.empty() ? first : page->next;  // at the end: again from the beginning
    for (const Entry& e : page->entries) m.bytes += e.payload.size();
    m.entries += page->entries.size();
  }
  measurement.stop(m);
  return measurement.end(m);
}

/// Counts the entries from an offset to the committed end.
std::expected<std::uint64_t, CallError> entries_from(Log& log, EntryOffset at) {
  std::uint64_t count = 0;
  for (;;) {
    const auto page = log.read(at);
    if (!page) return std::unexpected(page.error());
    if (page->entries.empty()) return count;
    count += page->entries.size();
    at = page->next;
  }
}

/// A pass of a follower over a log: the client's thread counts entries, the main thread waits.
class Pass {
 public:
  explicit Pass(std::uint64_t wanted) : wanted_(wanted) {}
  /// Counts an entry, on the client's thread.
  void got(const Entry& e) {
    const std::uint64_t now = entries_.load(std::memory_order_relaxed) + 1;
    if (now == 1) first_ = Clock::now();
    bytes_ += e.payload.size();
    entries_.store(now, std::memory_order_relaxed);
    if (now == wanted_) {
      const std::lock_guard lock(mutex_);
      whole_ = true;
      changed_.notify_one();
    }
  }
  /// Waits until all wanted entries came. False: they did not come in time.
  bool wait(std::chrono::milliseconds at_most) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, at_most, [this] { return whole_; });
  }
  /// True if no entry came since the last call.
  bool stands_still() {
    const std::uint64_t now = entries();
    return std::exchange(seen_, now) == now;
  }
  std::uint64_t entries() const { return entries_.load(std::memory_order_relaxed); }
  /// Valid after the pass only, since they are not guarded.
  std::uint64_t bytes() const { return bytes_; }
  Clock::time_point first() const { return first_; }

 private:
  const std::uint64_t wanted_;
  std::atomic<std::uint64_t> entries_{0};
  std::uint64_t bytes_ = 0, seen_ = 0;
  Clock::time_point first_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool whole_ = false;
};

// Measures a new follower: it gets the whole log as fast as a replica pushes it.
int bench_catchup(const Target& target, const BenchOptions& o, const std::string& name) {
  auto client = target.connect();
  if (!client) return failed(client.error());
  auto log = log_to_read(*client, o, name);
  if (!log) return failed(log.error());
  const auto first = log->begin();
  if (!first) return failed(first.error());
  const auto entries = entries_from(*log, *first);
  if (!entries) return failed(entries.error());
  if (*entries == 0) return failed("the log is empty");
  Measured m;
  Measurement measurement(o);
  while (measurement.goes_on(m.entries)) {
    Pass pass(*entries);
    const auto asked = Clock::now();
    const auto following = log->follow(*first, [&pass](const Entry& e) { pass.got(e); });
    for (int quiet = 0; !pass.wait(std::chrono::seconds(1)) && !interrupted();) {
      quiet = pass.stands_still() ? quiet + 1 : 0;
      if (quiet == 10)
        return failed(fmt::format("nothing was delivered for 10 s, after {} of {} entries",
                                  pass.entries(), *entries));
      measurement.goes_on(m.entries + pass.entries());
    }
    if (interrupted()) break;
    m.latency.add(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(pass.first() - asked).count()));
    m.entries += *entries;
    m.bytes += pass.bytes();
  }
  measurement.stop(m);
  return measurement.end(m);
}

// Entries on their way to followers, with the times of their appends. A producer's entries stand in
// the log in order, so the n-th entry that a follower gets is the n-th entry that was appended. A
// ring of `window` times is enough, because send() waits for the slowest follower.
class Deliveries {
 public:
  Deliveries(std::uint32_t window, std::uint32_t followers) : sent_at_(window), got_(followers) {}
  /// Waits for room and notes the time of an append. False: the measurement has ended.
  bool send() {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] {
      return ended_ || sent_ - *std::min_element(got_.begin(), got_.end()) < sent_at_.size();
    });
    if (ended_) return false;
    sent_at_[sent_++ % sent_at_.size()] = Clock::now();
    return true;
  }
  /// Notes a delivery.
  void got(std::size_t follower) {
    const auto now = Clock::now();
    std::lock_guard lock(mutex_);
    const auto begin = sent_at_[got_[follower]++ % sent_at_.size()];
    latency_.add(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now - begin).count()));
    room_.notify_one();
  }
  void end() {
    std::lock_guard lock(mutex_);
    ended_ = true;
    room_.notify_one();
  }
  bool ended() {
    std::lock_guard lock(mutex_);
    return ended_;
  }
  Histogram latency() {
    std::lock_guard lock(mutex_);
    return latency_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable room_;
  std::vector<Clock::time_point> sent_at_;
  std::vector<std::uint64_t> got_;
  std::uint64_t sent_ = 0;
  bool ended_ = false;
  Histogram latency_;
};

// Measures from append to delivery at followers, each a client of its own. Entries and bytes are
// counted at each delivery, all followers together.
int bench_follow(const Target& target, const BenchOptions& o, const std::string& name) {
  auto writer = target.connect();
  if (!writer) return failed(writer.error());
  auto log = writer->open_or_create_log(name);
  if (!log) return failed(log.error());
  const auto from = log->end();
  if (!from) return failed(from.error());
  std::vector<Client> clients;
  std::vector<Log> followed;
  for (std::uint32_t i = 0; i < o.followers; ++i) {
    auto client = target.connect();
    if (!client) return failed(client.error());
    auto opened = client->open_log(name);
    if (!opened) return failed(opened.error());
    clients.push_back(std::move(*client));
    followed.push_back(std::move(*opened));
  }
  Deliveries deliveries(o.in_flight, o.followers);
  std::atomic<std::uint64_t> errors{0};
  Measured m;
  Measurement measurement(o);
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    const std::string payload(o.size, 'x');
    while (deliveries.send()) log->append_then(payload, [](const AppendResult&) {});
  });
  for (std::uint32_t i = 0; i < o.followers; ++i) {
    threads.emplace_back([&, i] {
      auto entries = followed[i].follow(*from);
      auto heard = Clock::now();
      while (!deliveries.ended()) {
        if (entries.next_for(std::chrono::milliseconds(100))) {
          heard = Clock::now();
          deliveries.got(i);
        } else if (Clock::now() - heard > std::chrono::seconds(10)) {
          failed("nothing was delivered for 10 s");
          ++errors;
          deliveries.end();
        }
      }
    });
  }
  while (measurement.goes_on(deliveries.latency().total()) && !deliveries.ended())
    measurement.sleep();
  deliveries.end();
  measurement.stop(m);
  m.latency = deliveries.latency();
  for (auto& t : threads) t.join();
  m.errors = errors;
  m.entries = m.latency.total();
  m.bytes = m.entries * o.size;
  return measurement.end(m);
}

int bench(const Target& target, const BenchOptions& o) {
  watch_signals();
  const std::string name =
      !o.log.empty() ? o.log : fmt::format("bench-{:08x}", std::random_device{}());
  std::vector<std::string> names{name};
  for (std::uint32_t i = 1; i < o.logs && o.what == "append"; ++i)
    names.push_back(fmt::format("{}-{}", name, i + 1));
  const int code = o.what == "append"    ? bench_append(target, o, names)
                   : o.what == "read"    ? bench_read(target, o, name)
                   : o.what == "catchup" ? bench_catchup(target, o, name)
                                         : bench_follow(target, o, name);
  if (!o.log.empty()) return code;
  if (auto client = target.connect())
    for (const std::string& made : names)
      if (auto gone = client->delete_log(made); !gone && gone.error().code != Errc::no_such_log)
        return failed(gone.error());
  return code;
}

}  // namespace

void add_bench(CLI::App& app, Target& target, Run& run) {
  auto o = std::make_shared<BenchOptions>();
  auto* c = app.add_subcommand("bench", "measure append, read, catch-up or follow");
  c->add_option("WHAT", o->what, "what to measure")
      ->required()
      ->check(CLI::IsMember({"append", "read", "catchup", "follow"}));
  c->add_option("--log", o->log, "log to use (default: a new one, deleted afterwards)")
      ->type_name(log_type);
  add_size(*c, "--size", [o](std::uint64_t n) { o->size = n; }, "payload bytes of an entry",
           {.least = 0, .most = entry_bytes_max, .standard = "1KiB"});
  const CLI::Range above_zero(1, 1'000'000);
  c->add_option("--in-flight", o->in_flight, "appends under way at once, all clients together")
      ->check(above_zero)
      ->capture_default_str();
  c->add_option("--clients,--producers", o->clients, "append: clients that append")
      ->check(above_zero)
      ->capture_default_str();
  c->add_flag("--own-threads", o->own_threads,
              "append: each client has a thread of its own (default: one for all)");
  c->add_option("--logs", o->logs,
                "append: logs that each client appends to in turn, NAME, NAME-2, ...")
      ->check(above_zero)
      ->capture_default_str();
  c->add_option("--followers", o->followers, "follow: clients that follow")
      ->check(above_zero)
      ->capture_default_str();
  add_duration(
      *c, "--seconds",
      [o](std::chrono::milliseconds t) { o->seconds = static_cast<double>(t.count()) / 1000; },
      "how long",
      {.least = std::chrono::milliseconds(1),
       .most = std::chrono::hours(24 * 365),
       .standard = "5s"});
  c->add_flag("--eager,!--no-eager", target.options.eager_commit,
              "commit along with the uploads, or after them (default: along)");
  c->add_flag("--observed,!--no-observed", target.options.observed_commit,
              "count durable replicas in the client (default: not)");
  c->add_flag("--json", o->json, "one JSON object as the last line");
  add_progress(*c, o->progress);
  add_cluster(*c, target);
  c->footer(
      R"(append: clients append entries of one size, so many under way at once; latency is from append to acknowledgement.
read: one client reads a log from its begin again and again, in pages of 1 MiB; latency is a page's.
catchup: one client follows a log from its begin, again and again; latency is until the first entry.
follow: latency is from append to delivery at a follower; entries are counted at all followers together.
MB are 1000000 bytes of payload; latencies are in microseconds.

Examples:
  loglog bench append --size 128 --in-flight 1
  loglog bench append --clients 1000 --in-flight 1000
  loglog bench append --clients 4 --own-threads --logs 16 --seconds 20 --json
  loglog bench follow --followers 3

Exit codes:
  0   entries went through, and none failed
  1   some failed, or nothing did)");
  c->callback([&target, &run, o] { run = [&target, o] { return bench(target, *o); }; });
}

}  // namespace loglog::cli

// loglog append: lines, JSON lines or files in, offsets out. A Source gives the entries, Settling
// waits for their outcomes in a second thread, Outcomes prints them in order and sums up. With an
// expected offset the entries go one at a time instead (append_in_turn).
#include <fmt/format.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "proto-spec/transport/posix_signals.h"
#include "proto-spec/vocabulary/json.h"
#include "sdk/cli/cli.h"
#include "sdk/cli/json_line.h"
#include "sdk/cli/posix_line_reader.h"
#include "sdk/cli/posix_output.h"
#include "sdk/cli/progress.h"

namespace loglog::cli {
namespace {

/// Most entries under way (spec/09). The client itself bounds their bytes.
constexpr std::size_t unsettled_max = 100'000;
/// How long an unknown outcome is looked for in the log.
constexpr std::chrono::milliseconds resolve_wait{10'000};
/// How long after Ctrl-C the entries under way may still settle.
constexpr std::chrono::milliseconds interrupt_grace{1000};

struct Arguments {
  std::string log;
  bool create = false;
  std::vector<std::string> files;
  std::chrono::milliseconds timeout{60'000};
  std::optional<EntryOffset> expected_offset;
  std::uint64_t fence = 0;
  std::string format = "lines";
  bool keep_going = false;
  When progress = When::automatic;
};

AppendOptions conditions(const Arguments& o) { return {o.timeout, o.expected_offset, o.fence}; }

/// An entry to append, and its place in the input.
struct Item {
  std::string payload;
  bool packed = false;
  std::size_t number = 0;  // number of the line or file, from 1
};

/// The input: lines of stdin, or files.
class Source {
 public:
  using Next = std::expected<std::optional<Item>, std::string>;
  virtual ~Source() = default;
  /// Returns the next entry; blocks until it is there. nullopt: the input has ended, or `stopped`
  /// returned true. Error: a sentence about the input that cannot be read.
  virtual Next next(const std::function<bool()>& stopped) = 0;
  /// The name of an entry for people: "line 21", "a.png".
  virtual std::string name(std::size_t number) const = 0;
};

class Lines final : public Source {
 public:
  explicit Lines(bool json) : json_(json) {}
  Next next(const std::function<bool()>& stopped) override {
    ++number_;
    auto line = reader_.next(stopped);
    if (!line) return std::unexpected(fmt::format("{}: {}", name(number_), line.error()));
    if (!*line) return std::nullopt;
    if (!json_) return Item{std::move(**line), false, number_};
    auto entry = entry_from_json(**line);
    if (!entry) return std::unexpected(fmt::format("{}: {}", name(number_), entry.error()));
    return Item{std::move(entry->payload), entry->packed, number_};
  }
  std::string name(std::size_t number) const override { return fmt::format("line {}", number); }

 private:
  bool json_;
  LineReader reader_{0};
  std::size_t number_ = 0;
};

class Files final : public Source {
 public:
  explicit Files(const std::vector<std::string>& names) : names_(names) {}
  Next next(const std::function<bool()>& stopped) override {
    if (stopped() || at_ == names_.size()) return std::nullopt;
    const std::string& file = names_[at_++];
    if (file == "-") {
      auto all = LineReader(0).rest(stopped, entry_bytes_max);
      if (!all) return std::unexpected(all.error());
      return *all ? std::optional(Item{std::move(**all), false, at_}) : std::nullopt;
    }
    std::ifstream in(file, std::ios::binary);
    std::ostringstream content;
    if (in && in.peek() != std::ifstream::traits_type::eof()) content << in.rdbuf();
    if (!in.good() && !in.eof()) return std::unexpected(fmt::format("{} cannot be read", file));
    return Item{content.str(), false, at_};
  }
  std::string name(std::size_t number) const override {
    const std::string& file = names_[number - 1];
    return file == "-" ? "standard input" : file;
  }

 private:
  const std::vector<std::string>& names_;
  std::size_t at_ = 0;
};

/// Prints the outcome of each entry, in the order of the input, and sums up at the end.
class Outcomes {
 public:
  Outcomes(const Source& source, bool json) : source_(source), json_(json) {}

  void add(std::size_t number, const AppendResult& r) {
    if (json_) print_json(number, r);
    else if (r) put("{}\n", r.offset);
    if (r) {
      ++committed_;
      return;
    }
    ++(r.outcome == AppendResult::Outcome::unknown ? unknown_ : refused_);
    if (first_ == 0) first_ = number;
    // A cause is printed once while it stays the same, however many entries it meets.
    if (std::exchange(told_, r.error.code) != r.error.code &&
        !(interrupted() && r.error.code == Errc::client_closed))
      failed(fmt::format("{}: {}", source_.name(number), r.error.message));
  }
  bool any_failed() const { return first_ != 0; }
  /// Prints the sums unless all entries were committed; returns the exit code. `problem`: why the
  /// input was not read to its end; empty: it was.
  int finish(const std::string& problem) const {
    if (!problem.empty()) failed(problem + "; nothing after it was appended");
    if (first_ == 0 && problem.empty() && !interrupted()) return 0;
    std::string sum = fmt::format("{} committed", committed_);
    if (refused_ > 0) sum += fmt::format(", {} refused", refused_);
    if (unknown_ > 0) sum += fmt::format(", {} unknown", unknown_);
    if (first_ > 0) sum += fmt::format(", the first at {}", source_.name(first_));
    return failed(interrupted() ? "interrupted: " + sum : sum);
  }

 private:
  void print_json(std::size_t number, const AppendResult& r) const {
    static constexpr const char* words[] = {"committed", "refused", "unknown"};
    const char* const outcome = words[static_cast<std::size_t>(r.outcome)];
    if (r)
      put("{{\"line\": {}, \"outcome\": \"{}\", \"offset\": {}}}\n", number, outcome, r.offset);
    else
      put("{{\"line\": {}, \"outcome\": \"{}\", \"code\": {}, \"error\": {}}}\n", number, outcome,
          json_string(r.error.name()), json_string(r.error.message));
  }

  const Source& source_;
  bool json_;
  std::size_t committed_ = 0, refused_ = 0, unknown_ = 0;
  std::size_t first_ = 0;  // number of the first entry that was not committed; 0: none
  Errc told_ = Errc::ok;   // code of the cause that was printed last
};

/// Appends the entry without waiting for its outcome; blocks while the client's memory is full.
std::future<AppendResult> begin_append(Log& log, const Item& item, const Arguments& o) {
  if (!item.packed) return log.append_async(item.payload, conditions(o));
  // A copied batch is appended as a batch again: the same bytes with the same mark. There is no
  // asynchronous call for that, so this entry is waited for.
  std::promise<AppendResult> done;
  done.set_value(log.append_batch(Entry{.payload = item.payload, .packed = true}.parts(),
                                  {.timeout = o.timeout}));
  return done.get_future();
}

/// Settles unknown outcomes by reading the log.
class Resolving {
 public:
  /// `log` must outlive this object.
  explicit Resolving(Log& log) : log_(log) {}
  /// Returns the result; if it is unknown, the settled result. Blocks at most resolve_wait for all
  /// results together that cannot be settled.
  AppendResult settled(AppendResult r) {
    if (r.outcome != AppendResult::Outcome::unknown || gave_up_) return r;
    auto found = log_.resolve(r, resolve_wait);
    gave_up_ = !found;
    return found ? std::move(*found) : r;
  }

 private:
  Log& log_;
  bool gave_up_ = false;  // the log told no fate in time, and would tell no other fate sooner
};

/// Waits for the outcomes of appends in a thread of its own, because the main thread may wait for
/// input while outcomes arrive.
class Settling {
 public:
  Settling(Log& log, Outcomes& outcomes, bool keep_going, std::function<void(std::size_t)> settled)
      : resolving_(log),
        outcomes_(outcomes),
        keep_going_(keep_going),
        settled_(std::move(settled)) {
    // Signals stay in the main thread, where they end the wait for input.
    const transport::SignalsBlocked around_the_start;
    thread_ = std::thread([this] { run(); });
  }
  ~Settling() {
    if (thread_.joinable()) finish();
  }
  /// Adds an append; blocks while unsettled_max are under way.
  void add(std::size_t number, std::future<AppendResult> f) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return under_way_.size() < unsettled_max; });
    under_way_.emplace_back(number, std::move(f));
    news_.notify_one();
  }
  /// True if no more may be appended: an entry was not committed, or results cannot be written.
  /// From any thread.
  bool wants_end() const { return wants_end_; }
  /// Waits until every append has its outcome.
  void finish() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    news_.notify_one();
    thread_.join();
  }

 private:
  /// Takes the outcomes in the order of the appends. Output is flushed when the next outcome is not
  /// ready, so that a reader of the pipe sees each offset soon, and a fast stream is still
  /// buffered.
  void run() {
    std::unique_lock lock(mutex_);
    for (std::size_t count = 1;; ++count) {
      if (under_way_.empty() || under_way_.front().second.wait_for(std::chrono::seconds(0)) !=
                                    std::future_status::ready) {
        flush_out();
        if (output_failed()) wants_end_ = true;  // now, because no later outcome may come
      }
      news_.wait(lock, [this] { return over_ || !under_way_.empty(); });
      if (under_way_.empty()) return;
      auto [number, f] = std::move(under_way_.front());
      under_way_.pop_front();
      lock.unlock();
      room_.notify_one();
      outcomes_.add(number, resolving_.settled(f.get()));
      if ((outcomes_.any_failed() && !keep_going_) || output_failed()) wants_end_ = true;
      if (settled_) settled_(count);
      lock.lock();
    }
  }

  Resolving resolving_;  // used by the thread alone
  Outcomes& outcomes_;
  bool keep_going_;
  std::function<void(std::size_t)> settled_;
  std::mutex mutex_;
  std::condition_variable news_, room_;
  std::deque<std::pair<std::size_t, std::future<AppendResult>>> under_way_;
  bool over_ = false;  // nothing is added any more
  std::atomic<bool> wants_end_ = false;
  std::thread thread_;
};

// Progress of an append of files: bytes of settled files, of all files.
class FileProgress {
 public:
  // Offsets that are printed on a terminal show the progress already.
  explicit FileProgress(const Arguments& o)
      : bar_(o.progress == When::automatic && is_terminal(Stream::out) ? When::never : o.progress,
             "append to " + o.log) {
    for (const std::string& f : o.files) {
      std::error_code error;  // a file that cannot be read fails when its turn comes
      const auto size = std::filesystem::file_size(f, error);
      sizes_.push_back(error ? 0 : size);
      total_ += sizes_.back();
    }
  }
  void settled(std::size_t files) {
    if (sizes_.empty()) return;
    while (counted_ < std::min(files, sizes_.size())) done_ += sizes_[counted_++];
    bar_.show_bytes(done_, total_);
  }

 private:
  Progress bar_;
  std::vector<std::uint64_t> sizes_;
  std::size_t counted_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

// Appends all entries, many at a time.
int append_all(Log& log, Source& source, const Arguments& o) {
  Outcomes outcomes(source, o.format == "json");
  FileProgress progress(o);
  std::string problem;
  {
    Settling settling(log, outcomes, o.keep_going,
                      [&progress](std::size_t n) { progress.settled(n); });
    const auto stopped = [&settling] { return interrupted() || settling.wants_end(); };
    for (;;) {
      const auto item = source.next(stopped);
      if (!item) problem = item.error();
      if (!item || !*item) break;
      // A packed entry would go in without the token, also after a newer writer took over (F2).
      if ((*item)->packed && o.fence != 0) {
        problem = source.name((*item)->number) +
                  ": an entry of a batch cannot be appended with a fencing token";
        break;
      }
      settling.add((*item)->number, begin_append(log, **item, o));
    }
    settling.finish();
  }
  return outcomes.finish(problem);
}

// Appends one entry at a time, each expecting the offset where the previous entry ends, so that no
// other writer's entry lies between them. Ends at the first entry that is not committed.
int append_in_turn(Log& log, Source& source, const Arguments& o) {
  AppendOptions options = conditions(o);
  Outcomes outcomes(source, o.format == "json");
  Resolving resolving(log);
  FileProgress progress(o);
  const auto stopped = [&outcomes] {
    return interrupted() || outcomes.any_failed() || output_failed();
  };
  for (std::size_t n = 1;; ++n) {
    const auto item = source.next(stopped);
    if (!item) return outcomes.finish(item.error());
    if (!*item) return outcomes.finish({});
    if ((*item)->packed)
      return outcomes.finish(source.name(n) +
                             ": an entry of a batch cannot be appended at an expected offset");
    const AppendResult r = resolving.settled(log.append((*item)->payload, options));
    outcomes.add((*item)->number, r);
    flush_out();
    progress.settled(n);
    options.expected_offset = r.offset + entry_overhead + (*item)->payload.size();
  }
}

int append(const Target& target, const Arguments& o) {
  watch_signals(interrupt_grace);
  auto client = target.connect();
  if (!client) return failed(client.error());
  auto log = o.create ? client->open_or_create_log(o.log) : client->open_log(o.log);
  if (!log && log.error().code == Errc::no_such_log)
    return failed(fmt::format("no log has the name {}; --create makes it", o.log));
  if (!log) return failed(log.error());
  std::unique_ptr<Source> source;
  if (o.files.empty()) source = std::make_unique<Lines>(o.format == "json");
  else source = std::make_unique<Files>(o.files);
  return o.expected_offset ? append_in_turn(*log, *source, o) : append_all(*log, *source, o);
}

}  // namespace

void add_append(CLI::App& app, Target& target, Run& run) {
  auto o = std::make_shared<Arguments>();
  auto* c = app.add_subcommand(
      "append", "append each line of stdin, or each file whole; prints one offset an entry");
  add_log_name(*c, o->log);
  c->add_flag("--create", o->create, "create the log if there is none");
  c->add_option("--file", o->files,
                "append this file whole, any bytes, at most 16777215; - is standard input; may be "
                "given several times")
      ->type_name(file_type);
  c->add_option("--format", o->format,
                "of standard input and of the results: lines, or json as read and inspect print it")
      ->check(CLI::IsMember({"lines", "json"}))
      ->capture_default_str();
  c->add_flag("--keep-going", o->keep_going,
              "go on behind an entry that was not committed (default: end there)");
  add_duration(
      *c, "--timeout", o->timeout,
      "how long an entry may take until it is given up, as 60, 90s or 5m",
      {.least = std::chrono::seconds(1), .most = std::chrono::hours(24), .standard = "60s"});
  c->add_option("--expected-offset", o->expected_offset,
                "append only where no entry lies at or above this offset, as `loglog tail` prints "
                "it; then one entry at a time, each where "
                "the one before it ends")
      ->type_name("OFFSET");
  c->add_option("--fence", o->fence,
                "the writer's fencing token: refused once a higher one was set (loglog logs fence)")
      ->type_name("TOKEN");
  add_progress(*c, o->progress);
  add_cluster(*c, target, false);
  c->footer(
      R"(Offsets come in the order of the entries, each as soon as it is committed: it is then durable on the write quorum.

The command ends at the first entry that is not committed and names its line; entries that were under way then may still be committed
behind it. With --keep-going it reads on to the end. At the end it says how many were committed, refused and unknown. Ctrl-C ends it
likewise; a second Ctrl-C at once.

With --format json each line of the input is an object whose field "bytes" is the payload in base64 (and "packed" what append_batch
made), as read, follow and inspect print it; other fields do not matter. So any entries can be copied, renamed or restored without loss.
Results are objects too: line, outcome (committed, refused, unknown), and offset, or code and error.

Examples:
  seq 1 5 | loglog append events --create
  loglog append images --file a.png --file b.png
  loglog append state --expected-offset $(loglog tail state) --file new.json
  loglog read events --format json | loglog append copy --create --format json

Exit codes:
  0   all entries are committed
  1   at least one was refused, or its outcome is unknown: a sentence each cause on
      stderr. After "unknown" read the log before you append it again)");
  c->callback([&target, &run, o, timeout = c->get_option("--timeout")] {
    if (timeout->count() > 0) target.options.timeout = o->timeout;
    run = [&target, o] { return append(target, *o); };
  });
}

}  // namespace loglog::cli

// loglog append: lines or files in, offsets out.
#include <fmt/format.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <sstream>
#include <thread>

#include "sdk/cli/cli.h"
#include "sdk/cli/progress.h"

namespace loglog::cli {
namespace {

struct Arguments {
  std::string log;
  bool create = false;
  std::vector<std::string> files;
  unsigned timeout_s = 60;
  std::optional<EntryOffset> expected_offset;
  std::uint64_t fence = 0;
  When progress = When::automatic;
};

AppendOptions conditions(const Arguments& o) { return {std::chrono::seconds(o.timeout_s), o.expected_offset, o.fence}; }

/// The whole file; nullopt, and told, when it cannot be read.
std::optional<std::string> content_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream content;
  if (in && in.peek() != std::ifstream::traits_type::eof()) content << in.rdbuf();
  if (in.good() || in.eof()) return content.str();
  failed("cannot read " + file + "; nothing after it was appended");
  return std::nullopt;
}

// Prints each offset, in the order of the entries, as it is known.
class Printer {
 public:
  /// `settled` (may be empty) is told after each how many there were.
  explicit Printer(std::function<void(std::size_t)> settled = {}) : settled_(std::move(settled)) {}
  void add(std::future<AppendResult> f) {
    waiting_.push_back(std::move(f));
    while (!waiting_.empty() && waiting_.front().wait_for(std::chrono::seconds(0)) == std::future_status::ready) print_one();
    // Bounded: past so many the oldest is waited for.
    while (waiting_.size() > 100'000) print_one();
    std::fflush(stdout);
  }
  int finish() {
    while (!waiting_.empty()) {
      print_one();
      if (waiting_.empty() || waiting_.front().wait_for(std::chrono::seconds(0)) != std::future_status::ready) std::fflush(stdout);
    }
    return failures_ == 0 ? 0 : exit_failed;
  }
  void pass_ready() {
    bool any = false;
    while (!waiting_.empty() && waiting_.front().wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
      print_one();
      any = true;
    }
    if (any) std::fflush(stdout);
  }

 private:
  void print_one() {
    const AppendResult r = waiting_.front().get();
    waiting_.pop_front();
    if (r) fmt::print("{}\n", r.offset);
    else {
      ++failures_;
      failed(r.error);
    }
    ++count_;
    if (settled_) settled_(count_);
  }
  std::deque<std::future<AppendResult>> waiting_;
  std::uint64_t failures_ = 0;
  std::size_t count_ = 0;
  std::function<void(std::size_t)> settled_;
};

// Lines come when they come; offsets are printed meanwhile, by a thread that only prints.
int append_lines(Log& log, const Arguments& o) {
  Printer printer;
  std::mutex mutex;
  std::condition_variable news;
  bool over = false;
  std::deque<std::future<AppendResult>> made;
  int code = 0;
  std::thread printing([&] {
    for (;;) {
      std::unique_lock lock(mutex);
      news.wait(lock, [&] { return over || !made.empty(); });
      auto batch = std::move(made);
      made.clear();
      const bool last = over;
      lock.unlock();
      for (auto& f : batch) {
        f.wait();
        printer.add(std::move(f));
      }
      printer.pass_ready();
      if (last && batch.empty()) break;
    }
    code = printer.finish();
  });
  std::string line;
  while (!interrupted() && std::getline(std::cin, line)) {
    auto f = log.append_async(line, conditions(o));
    std::lock_guard lock(mutex);
    made.push_back(std::move(f));
    news.notify_one();
  }
  {
    std::lock_guard lock(mutex);
    over = true;
    news.notify_one();
  }
  printing.join();
  return code;
}

// Bytes of the files that are settled, of all.
class FileProgress {
 public:
  // Offsets on a terminal tell themselves how far it is.
  explicit FileProgress(const Arguments& o)
      : bar_(o.progress == When::automatic && is_terminal(Stream::out) ? When::never : o.progress, "append to " + o.log) {
    for (const std::string& f : o.files) {
      std::error_code error;  // one that cannot be read is told of when its turn comes
      const auto size = std::filesystem::file_size(f, error);
      sizes_.push_back(error ? 0 : size);
      total_ += sizes_.back();
    }
  }
  void settled(std::size_t files) {
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

int append_files(Log& log, const Arguments& o) {
  FileProgress progress(o);
  Printer printer([&progress](std::size_t settled) { progress.settled(settled); });
  for (const std::string& f : o.files) {
    const auto content = content_of(f);
    if (!content) return exit_failed;
    printer.add(log.append_async(*content, conditions(o)));
  }
  return printer.finish();
}

// One at a time, each where the one before it ends, so that nobody else's lies between them. Ends at the first that is not committed.
int append_in_turn(Log& log, const Arguments& o) {
  AppendOptions options = conditions(o);
  FileProgress progress(o);
  std::string line;
  for (std::size_t n = 0; !interrupted(); ++n) {
    std::optional<std::string> payload;
    if (o.files.empty()) {
      if (!std::getline(std::cin, line)) return 0;
      payload = line;
    } else {
      if (n == o.files.size()) return 0;
      payload = content_of(o.files[n]);
    }
    if (!payload) return exit_failed;
    const AppendResult r = log.append(*payload, options);
    if (!r) return failed(r.error);
    fmt::print("{}\n", r.offset);
    std::fflush(stdout);
    progress.settled(n + 1);
    options.expected_offset = r.offset + entry_overhead + payload->size();
  }
  return exit_failed;
}

int append(const Target& target, const Arguments& o) {
  watch_signals();
  auto client = target.connect();
  if (!client) return failed(client.error());
  auto log = o.create ? client->open_or_create_log(o.log) : client->open_log(o.log);
  if (!log) return failed(log.error());
  if (o.expected_offset) return append_in_turn(*log, o);
  const int code = o.files.empty() ? append_lines(*log, o) : append_files(*log, o);
  return interrupted() ? exit_failed : code;
}

}  // namespace

void add_append(CLI::App& app, Target& target, Run& run) {
  auto o = std::make_shared<Arguments>();
  auto* c = app.add_subcommand("append", "append each line of stdin, or each file whole; prints one offset an entry");
  add_log_name(*c, o->log);
  c->add_flag("--create", o->create, "create the log if there is none");
  c->add_option("--file", o->files, "append this file whole, any bytes, at most 16777215; may be given several times")
      ->type_name(file_type);
  c->add_option("--timeout", o->timeout_s, "how long an entry may take until it is given up")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str()
      ->type_name("SECONDS");
  c->add_option("--expected-offset", o->expected_offset,
                "append only where no entry lies at or above this offset, as `loglog tail` prints it; then one entry at a time, each where "
                "the one before it ends")
      ->type_name("OFFSET");
  c->add_option("--fence", o->fence, "the writer's fencing token: refused once a higher one was set (loglog logs fence)")
      ->type_name("TOKEN");
  add_progress(*c, o->progress);
  add_cluster(*c, target);
  c->footer(R"(Offsets come in the order of the entries, each as soon as it is committed: it is then durable on the write quorum.

Examples:
  seq 1 5 | loglog append events --create
  loglog append images --file a.png --file b.png
  loglog append state --expected-offset $(loglog tail state) --file new.json

Exit codes:
  0   all entries are committed
  1   at least one was refused, or its outcome is unknown: a sentence each on
      stderr. After "unknown" read the log before you append it again)");
  c->callback([&target, &run, o] { run = [&target, o] { return append(target, *o); }; });
}

}  // namespace loglog::cli

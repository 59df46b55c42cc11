// loglog read, follow, tail: entries and positions out.
#include <fmt/format.h>

#include <cstdio>
#include <limits>

#include "sdk/cli/cli.h"

namespace loglog::cli {
namespace {

struct ReadOptions {
  std::string log;
  std::string from;
  std::uint64_t count = std::numeric_limits<std::uint64_t>::max();
  std::string format = "lines";

  Format chosen() const { return format == "json" ? Format::json : format == "raw" ? Format::raw : Format::lines; }
};

// "begin", "end" or an offset.
std::expected<EntryOffset, CallError> position(Log& log, const std::string& from) {
  if (from.empty() || from == "begin") return log.begin();
  if (from == "end") return log.end();
  if (from.size() > 20 || from.find_first_not_of("0123456789") != std::string::npos)
    return std::unexpected(CallError{"invalid_argument", fmt::format("--from {}: give begin, end or an offset in digits", from), false});
  return std::stoull(from);
}

int read(const Target& target, const ReadOptions& o) {
  watch_signals();
  auto client = target.connect();
  if (!client) return failed(client.error());
  auto log = client->open_log(o.log);
  if (!log) return failed(log.error());
  auto at = position(*log, o.from);
  if (!at) return failed(at.error());
  // Up to where the log ended when this began. Without a leader: up to what the storage nodes know to be committed.
  const auto tail = log->tail(std::chrono::seconds(3));
  if (!tail) fmt::print(stderr, "loglog: no leader answers ({}); reading what the storage nodes know\n", tail.error().message);
  std::uint64_t left = o.count;
  while (left > 0 && (!tail || *at < tail->committed) && !interrupted()) {
    auto page = log->read(*at, 1u << 20, std::chrono::milliseconds(200));
    if (!page) return failed(page.error());
    for (const Entry& e : page->entries) {
      if (left == 0) break;
      print_entry(e, o.chosen());
      --left;
    }
    if (!tail && page->next == *at) break;
    *at = page->next;
  }
  std::fflush(stdout);
  return interrupted() ? exit_failed : 0;
}

int follow(const Target& target, const ReadOptions& o) {
  watch_signals();
  auto client = target.connect();
  if (!client) return failed(client.error());
  auto log = client->open_log(o.log);
  if (!log) return failed(log.error());
  auto at = position(*log, o.from);
  if (!at) return failed(at.error());
  auto entries = log->follow(*at);
  std::uint64_t left = o.count;
  bool dirty = false;
  while (left > 0 && !interrupted()) {
    const auto e = entries.next_for(std::chrono::milliseconds(dirty ? 0 : 100));
    if (!e) {
      if (entries.stopped()) break;
      if (dirty) std::fflush(stdout);
      dirty = false;
      continue;
    }
    print_entry(*e, o.chosen());
    dirty = true;
    --left;
  }
  std::fflush(stdout);
  if (const auto error = entries.error()) return failed(*error);
  return 0;
}

int tail(const Target& target, const ReadOptions& o) {
  auto client = target.connect();
  if (!client) return failed(client.error());
  auto log = client->open_log(o.log);
  if (!log) return failed(log.error());
  const auto t = log->tail();
  if (!t) return failed(t.error());
  fmt::print("{}\n", t->committed);
  return 0;
}

void add(CLI::App& app, Target& target, Run& run, const char* name, const char* what, int (*work)(const Target&, const ReadOptions&),
         const char* from) {
  auto o = std::make_shared<ReadOptions>();
  auto* c = app.add_subcommand(name, what);
  c->add_option("LOG", o->log, "name of the log")->required();
  if (from != nullptr) {
    c->add_option("--from", o->from, from);
    c->add_option("--count", o->count, "stop after so many entries");
    c->add_option("--format", o->format, "lines, json (one object a line, bytes in base64) or raw")
        ->check(CLI::IsMember({"lines", "json", "raw"}));
  }
  c->add_option("--cluster", target.addresses, "HOST:PORT[,HOST:PORT…] of any nodes")->delimiter(',');
  c->callback([&target, &run, o, work] { run = [&target, o, work] { return work(target, *o); }; });
}

}  // namespace

void add_read(CLI::App& app, Target& target, Run& run) {
  add(app, target, run, "read", "print what is committed now", read, "offset to begin at (default: where the log begins)");
}
void add_follow(CLI::App& app, Target& target, Run& run) {
  add(app, target, run, "follow", "print entries as they are committed, until interrupted", follow,
      "begin, end or an offset (default begin)");
}
void add_tail(CLI::App& app, Target& target, Run& run) {
  add(app, target, run, "tail", "print the committed offset, linearizable", tail, nullptr);
}

}  // namespace loglog::cli

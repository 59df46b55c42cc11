// loglog read, follow and tail: print entries and positions. read ends at the committed end that it
// found at its start; follow goes on.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <limits>

#include "proto-spec/console/error_output.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "proto-spec/vocabulary/json.h"
#include "sdk/cli/cli.h"
#include "sdk/cli/posix_output.h"
#include "sdk/cli/posix_output_file.h"
#include "sdk/cli/progress.h"

namespace loglog::cli {
namespace {

struct ReadArguments {
  std::string log;
  std::string from;
  std::uint64_t count = std::numeric_limits<std::uint64_t>::max();
  std::string format = "lines";
  std::string output;  // empty: stdout
  bool force = false;
  bool json = false;      // tail only
  bool with_log = false;  // tail only: print the log's id before the offset
  When progress = When::automatic;

  Format chosen() const {
    return format == "json" ? Format::json : format == "raw" ? Format::raw : Format::lines;
  }
};

std::optional<EntryOffset> parse_offset(const std::string& text) {
  EntryOffset offset = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, offset);
  return error == std::errc{} && rest == end ? std::optional(offset) : std::nullopt;
}

/// Resolves --from: "begin", "end", an offset, a position with its log, or a point in time.
/// a_position() has checked the text.
std::expected<EntryOffset, CallError> position(Log& log, const std::string& from) {
  if (from.empty() || from == "begin") return log.begin();
  if (from == "end") return log.end();
  if (const auto offset = parse_offset(from)) return *offset;
  if (const auto kept = LogPosition::parse(from)) return log.offset_of(*kept);
  return log.offset_at(parse_time(from, std::chrono::system_clock::now()).value());
}

/// Refuses a text that is no position as bad usage, before the cluster is asked.
CLI::Validator a_position() {
  return {[](std::string& from) {
            const bool fits = from == "begin" || from == "end" || parse_offset(from) ||
                              LogPosition::parse(from) ||
                              parse_time(from, std::chrono::system_clock::now());
            return fits ? std::string()
                        : fmt::format(
                              "{} is no position; give begin, end, an offset in digits, a position "
                              "as 6@9458, a time as "
                              "2026-11-21T20:00:00Z (local without Z), or how long ago as -15m "
                              "(ms, s, m, h, d)",
                              from);
          },
          std::string()};
}

/// Prints the error of a --from. A position that is not valid for the log is bad usage.
int failed_at(const CallError& e) {
  const int code = failed(e);
  return e.code == Errc::invalid_argument ? exit_bad_options : code;
}

/// Destination of a read: a file that appears as a whole, or standard output.
class Sink {
 public:
  static std::expected<Sink, std::string> open(const std::string& path) {
    if (path.empty()) return Sink();
    auto file = OutputFile::create(path);
    if (!file) return std::unexpected(file.error());
    Sink s;
    s.file_.emplace(std::move(*file));
    return s;
  }
  std::FILE* stream() const { return file_ ? file_->stream() : stdout; }
  /// To be called once everything was read.
  std::expected<void, std::string> finish() {
    if (file_) return file_->commit();
    return {};  // finish_output() reports errors of standard output
  }

 private:
  std::optional<OutputFile> file_;
};

int read(const Target& target, const ReadArguments& o) {
  if (refuses_terminal(o.chosen(), !o.output.empty(), o.force)) return exit_bad_options;
  watch_signals();
  auto client = target.connect();
  if (!client) return failed(client.error());
  auto log = client->open_log(o.log);
  if (!log) return failed(log.error());
  // The read ends where the log ends now. Without a leader it ends at the committed offset that the
  // storage nodes know.
  const auto tail = log->tail(
      std::max<std::chrono::milliseconds>(std::chrono::seconds(3), target.options.timeout / 3));
  const bool from_begin = o.from.empty() || o.from == "begin";
  auto at = tail && from_begin ? tail->first : position(*log, o.from);
  if (!at) return failed_at(at.error());
  if (!tail)
    console::print_error("loglog: no leader answers ({}); reading what the storage nodes know\n",
                         tail.error().message);
  if (tail && *at > tail->committed)
    return failed(
        fmt::format("no entry begins at {}: {} ends at {}", o.from, o.log, tail->committed));
  auto sink = Sink::open(o.output);
  if (!sink) return failed(sink.error());
  // Entries that are printed on a terminal show the progress already.
  const bool entries_seen =
      o.progress == When::automatic && o.output.empty() && is_terminal(Stream::out);
  Progress progress(entries_seen ? When::never : o.progress, "read " + o.log);
  const EntryOffset begin = *at;
  std::uint64_t left = o.count;
  while (left > 0 && (!tail || *at < tail->committed) && !interrupted() && !output_failed()) {
    auto page = log->read(*at, 1u << 20, std::chrono::milliseconds(200));
    if (!page && interrupted()) break;
    if (!page) return failed(page.error());
    for (const Entry& e : page->entries) {
      if (left == 0) break;
      print_entry(e, o.chosen(), sink->stream());
      --left;
    }
    if (!tail && page->next == *at) break;  // the committed end, as far as storage nodes know
    *at = page->next;
    progress.show_bytes(*at - begin, tail && tail->committed > begin ? tail->committed - begin : 0);
  }
  progress.end();
  if (interrupted()) return exit_failed;  // the sink removes the unfinished file
  const auto done = sink->finish();
  return done ? 0 : failed(done.error());
}

int follow(const Target& target, const ReadArguments& o) {
  if (refuses_terminal(o.chosen(), false, o.force)) return exit_bad_options;
  watch_signals();
  auto client = target.connect();
  if (!client) return failed(client.error());
  auto log = client->open_log(o.log);
  if (!log) return failed(log.error());
  auto at = position(*log, o.from);
  if (!at) return failed_at(at.error());
  auto entries = log->follow(*at);
  std::uint64_t left = o.count;
  bool dirty = false;
  while (left > 0 && !interrupted() && !output_failed()) {
    // Output is flushed as soon as no further entry is at hand, so that each entry is seen at once
    // and a fast stream is still buffered.
    const auto e = entries.next_for(std::chrono::milliseconds(dirty ? 0 : 100));
    if (!e) {
      if (entries.stopped()) break;
      if (dirty) flush_out();
      dirty = false;
      continue;
    }
    print_entry(*e, o.chosen(), stdout);
    dirty = true;
    --left;
  }
  flush_out();
  if (const auto error = entries.error(); error && !interrupted()) return failed(*error);
  return 0;
}

int tail(const Target& target, const ReadArguments& o) {
  auto client = target.connect();
  if (!client) return failed(client.error());
  auto log = client->open_log(o.log);
  if (!log) return failed(log.error());
  const auto t = log->tail();
  if (!t) return failed(t.error());
  if (o.json)
    put("{{\"log\": {}, \"first\": {}, \"committed\": {}, \"term\": {}}}\n", json_string(o.log),
        t->first, t->committed, t->term);
  else if (o.with_log) put("{}\n", log->position(t->committed).text());
  else put("{}\n", t->committed);
  return 0;
}

void add(CLI::App& app, Target& target, Run& run, const char* name, const char* what,
         int (*work)(const Target&, const ReadArguments&), const char* from, const char* footer) {
  auto o = std::make_shared<ReadArguments>();
  auto* c = app.add_subcommand(name, what);
  add_log_name(*c, o->log);
  if (from != nullptr) {
    c->add_option("--from", o->from, from)->type_name("OFFSET")->check(a_position());
    c->add_option("--count", o->count, "stop after so many entries (default: no limit)");
    c->add_option("--format", o->format, "how an entry is printed")
        ->check(CLI::IsMember({"lines", "json", "raw"}))
        ->capture_default_str();
    c->add_flag("--force", o->force, "raw bytes to a terminal too");
  } else {
    c->add_flag("--json", o->json, "one JSON object: first, committed, term");
  }
  if (work == tail)
    c->add_flag("--position", o->with_log,
                "print it with the log's id, as 6@9458: to keep, for --from");
  if (work == read) {
    c->add_option("--output", o->output,
                  "write to this file, which is there whole or not at all (default: stdout)")
        ->type_name(file_type);
    add_progress(*c, o->progress);
  }
  add_cluster(*c, target);
  c->footer(footer);
  c->callback([&target, &run, o, work] { run = [&target, o, work] { return work(target, *o); }; });
}

}  // namespace

void add_read(CLI::App& app, Target& target, Run& run) {
  add(app, target, run, "read", "print what is committed now", read,
      "begin, end, an offset, a position (6@9458), a time (2026-11-21T20:00:00Z, local without Z) "
      "or how long ago (-15m); default begin",
      R"(Ends where the log was committed when the command began. Without a leader it prints what storage nodes know.

Formats:
  lines   each entry and a newline
  raw     the bytes alone
  json    an object a line: offset, term, producer, sequence, bytes (base64);
          loglog append --format json takes it

Examples:
  loglog read events --count 10
  loglog read events --from -15m
  loglog read events --format raw --output events.bin
  loglog read events --from 1048616 --format json | jq -r .offset

Exit codes:
  0   all that was asked for was printed
  1   it was not, as a sentence on stderr says: the log was trimmed past --from, say)");
}
void add_follow(CLI::App& app, Target& target, Run& run) {
  add(app, target, run, "follow", "print entries as they are committed, until interrupted", follow,
      "begin, end, an offset, a position (6@9458), a time (2026-11-21T20:00:00Z, local without Z) "
      "or how long ago (-15m); default begin",
      R"(Formats are those of loglog read. Goes on through failures of nodes; ends after --count entries, at SIGINT or SIGTERM
(exit code 0), or with an error: the log was deleted, trimmed past where the follower stands, or ends below --from.
An offset means something in its own log alone: a position (loglog tail --position) of a log that was deleted and made
again is refused.

Examples:
  loglog follow events --from end
  loglog follow events --format json | while read -r entry; do ...; done)");
}
void add_tail(CLI::App& app, Target& target, Run& run) {
  add(app, target, run, "tail", "print the offset up to which the log is committed", tail, nullptr,
      R"(Linearizable: it covers everything that was acknowledged anywhere before the command. Needs a leader; within 10 s.

Examples:
  loglog follow events --from $(loglog tail events)    # what comes from now on)");
}

}  // namespace loglog::cli

// loglog status: prints the state of the cluster, once or repeatedly. Text for people is made in
// status_text.cpp; the JSON is made here. Both show the leader's verdict and judge nothing.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <thread>

#include "proto-spec/vocabulary/exit_code.h"
#include "proto-spec/vocabulary/json.h"
#include "sdk/cli/cli.h"
#include "sdk/cli/posix_output.h"
#include "sdk/cli/status_text.h"
#include "sdk/cli/text.h"

namespace loglog::cli {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct StatusOptions {
  bool json = false;
  std::optional<double> watch_s;
  When colour = When::automatic;
};

void print_json(const ClusterReport& r) {
  std::string out = fmt::format(
      "{{\"cluster\": {}, {}\"health\": {}, \"verdict\": {}, \"alarms\": [", json_string(r.cluster),
      r.cluster_version == 0 ? std::string()
                             : fmt::format("\"cluster_version\": {}, ", r.cluster_version),
      json_string(id_of(r.health)), json_string(r.verdict));
  const char* comma = "";
  for (const auto& a : r.alarms) {
    out += fmt::format("{}{{\"id\": {}, \"severity\": \"{}\", \"what\": {}, \"action\": {}}}",
                       comma, json_string(a.id), a.critical ? "critical" : "warning",
                       json_string(a.what), json_string(a.action));
    comma = ", ";
  }
  out += "], \"sequencers\": [";
  comma = "";
  for (const auto& s : r.sequencers) {
    out += fmt::format("{}{{\"id\": {}, \"address\": {}, \"role\": \"{}\", \"term\": {}", comma,
                       s.id, json_string(s.address), s.role, s.term);
    out += s.protocol == 0 ? "}" : fmt::format(", \"protocol\": {}}}", s.protocol);
    comma = ", ";
  }
  out += "], \"storage\": [";
  comma = "";
  for (const auto& n : r.storage) {
    out += fmt::format(
        "{}{{\"id\": {}, \"address\": {}, \"state\": \"{}\", \"staged_bytes\": {}, "
        "\"disk_free_bytes\": {}, "
        "\"disk_size_bytes\": {}, \"cannot_reach\": [{}]}}",
        comma, n.id, json_string(n.address), n.state, n.staged_bytes, n.disk_free_bytes,
        n.disk_size_bytes, fmt::join(n.cannot_reach, ", "));
    comma = ", ";
  }
  out += "], \"logs\": [";
  comma = "";
  for (const auto& l : r.logs) {
    out += fmt::format(
        "{}{{\"name\": {}, \"state\": \"{}\", \"first\": {}, \"committed\": {}, \"term\": {}, "
        "\"write_quorum\": {}, \"replicas\": [",
        comma, json_string(l.name), l.state, l.first, l.committed, l.term, l.write_quorum);
    const char* inner = "";
    for (const auto& p : l.replicas) {
      out += fmt::format("{}{{\"id\": {}, \"durable\": {}, \"state\": \"{}\", \"disk_bytes\": {}}}",
                         inner, p.id, p.durable, p.state, p.disk_bytes);
      inner = ", ";
    }
    out += "]}";
    comma = ", ";
  }
  out += fmt::format("], \"clients\": {}, \"writers_total\": {}, \"writers\": [", r.clients,
                     r.writers_total);
  comma = "";
  for (const auto& w : r.writers) {
    out += fmt::format(
        "{}{{\"address\": {}, \"name\": {}, \"version\": {}, \"log\": {}, \"producer\": "
        "\"{:016x}\", \"entries\": {}, "
        "\"bytes\": {}, \"entries_per_s\": {:.3f}, \"bytes_per_s\": {:.0f}}}",
        comma, json_string(w.address), json_string(w.name), json_string(w.version),
        json_string(w.log), w.producer, w.entries, w.bytes, w.entries_per_second,
        w.bytes_per_second);
    comma = ", ";
  }
  put("{}]}}\n", out);
}

/// Degraded is 0: appends and reads are served.
int exit_code_of(const ClusterReport& r) {
  return r.health == ClusterReport::Health::not_serving ? exit_not_serving : 0;
}

/// Bytes per second of each log, between two consecutive reports.
class Rates {
 public:
  const std::map<std::string, double>& of(const ClusterReport& r) {
    const auto now = Clock::now();
    const double seconds = Seconds(now - at_).count();
    std::map<std::string, EntryOffset> committed;
    rates_.clear();
    for (const auto& l : r.logs) {
      committed[l.name] = l.committed;
      const auto before = committed_.find(l.name);
      // A new leader may report a lower committed offset than the previous leader: then there is no
      // rate for this log.
      if (before != committed_.end() && before->second <= l.committed)
        rates_[l.name] = static_cast<double>(l.committed - before->second) / seconds;
    }
    committed_ = std::move(committed);
    at_ = now;
    return rates_;
  }

 private:
  Clock::time_point at_{};
  std::map<std::string, EntryOffset> committed_;
  std::map<std::string, double> rates_;
};

/// Waits until `until`, or until a signal. Redraws if the size of the terminal changes.
void wait_and_redraw(Clock::time_point until, Screen* screen, const std::string& text,
                     ScreenSize drawn) {
  while (!interrupted() && Clock::now() < until) {
    std::this_thread::sleep_for(
        std::min<Clock::duration>(std::chrono::milliseconds(50), until - Clock::now()));
    if (screen == nullptr) continue;
    const ScreenSize now = screen_size(Stream::out);
    if (now == drawn) continue;
    screen->show(text, drawn = now);
  }
}

/// On a terminal: a screen that is redrawn in place. Otherwise: each report below the previous
/// report.
int watch(Client& client, const StatusOptions& o) {
  watch_signals();
  std::optional<Screen> screen;
  if (is_terminal(Stream::out)) screen.emplace();
  Rates rates;
  int code = exit_failed;
  while (!interrupted() && !output_failed()) {
    const auto next =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(*o.watch_s));
    const auto r = client.status();
    code = r ? exit_code_of(*r) : exit_failed;
    const std::string when = fmt::format("{:%H:%M:%S}, every {} s; Ctrl-C ends",
                                         fmt::localtime(std::time(nullptr)), *o.watch_s);
    const std::string report = r ? status_text(*r, {.colours = wants_colour(o.colour, Stream::out),
                                                    .rates = &rates.of(*r)})
                                 : r.error().message + "\n";
    const std::string text = fmt::format("{}\n\n{}", when, report);
    const ScreenSize size = screen_size(Stream::out);
    if (screen) {
      screen->show(text, size);
    } else {
      put("{}\n", report);
      flush_out();
    }
    wait_and_redraw(next, screen ? &*screen : nullptr, text, size);
  }
  return code;
}

int status(const Target& target, const StatusOptions& o) {
  auto client = target.connect();
  if (!client) return failed(client.error());
  if (o.watch_s) return watch(*client, o);
  const auto r = client->status();
  if (!r) return failed(r.error());
  if (o.json) {
    print_json(*r);
    return 0;
  }
  put("{}", status_text(*r, {.colours = wants_colour(o.colour, Stream::out)}));
  return exit_code_of(*r);
}

}  // namespace

void add_status(CLI::App& app, Target& target, Run& run) {
  auto o = std::make_shared<StatusOptions>();
  auto* c = app.add_subcommand(
      "status", "how the cluster is: health, sequencers, storage nodes, logs and their replicas");
  auto* json = c->add_flag("--json", o->json, "one JSON object");
  c->add_option_function<std::string>(
       "--watch",
       [o](const std::string& text) {
         const auto pause = read_duration(text);
         if (!pause) throw CLI::ValidationError("--watch", pause.error());
         if (*pause < std::chrono::milliseconds(100) || *pause > std::chrono::hours(1))
           throw CLI::ValidationError("--watch", text + " is not between 0.1 and 3600 seconds");
         o->watch_s = static_cast<double>(pause->count()) / 1000;
       },
       "again and again, at this pause, with each log's bytes per second, until Ctrl-C")
      ->expected(0, 1)
      ->default_str("2")
      ->type_name("TIME")
      ->excludes(json);
  add_colour(*c, o->colour);
  add_cluster(*c, target);
  c->footer(fmt::format(R"(The first line says whether the cluster serves:
  healthy      all nodes and replicas are there
  degraded     something is away or behind; appends and reads go on
  not serving  there is no leader, or some log's appends wait or are refused

SIZE is what lies between a log's first and committed offset, DISK what the files of all its replicas take, space that
is reserved ahead included. NEEDS is the write quorum: so many of its replicas
must be durable before an append is acknowledged. A replica's offset is how far it is durable. Writers are the clients
that append now, by log, with their rates over the last seconds; the busiest first, at most ten of them. With --watch the exit
code is the last report's.

Examples:
  loglog status
  loglog status --watch 1
  loglog status --json | jq '.logs[] | select(.committed > 0) | .name'

Exit codes:
  0   healthy or degraded; with --json whenever the report could be had
  1   no node of the cluster answers
  2   bad usage
  {}  not serving)",
                        exit_not_serving));
  c->callback([&target, &run, o] { run = [&target, o] { return status(target, *o); }; });
}

}  // namespace loglog::cli

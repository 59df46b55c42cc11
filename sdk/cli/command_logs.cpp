// loglog logs: create, set, list, describe, delete, trim and fence. Each subcommand is a function
// from a client and the arguments to an exit code; add_logs() builds the tree.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "proto-spec/config/usage.h"
#include "proto-spec/console/error_output.h"
#include "proto-spec/vocabulary/json.h"
#include "sdk/cli/cli.h"
#include "sdk/cli/posix_line_reader.h"
#include "sdk/cli/posix_output.h"
#include "sdk/cli/text.h"

namespace loglog::cli {
namespace {

/// Retention as it is written on the command line: "10GiB,7d", or "off".
std::string retention_text(const LogDetails& d) {
  if (d.retention_bytes == 0 && d.retention_age.count() == 0) return "off";
  std::string text = d.retention_bytes > 0 ? as_written(d.retention_bytes) : "";
  if (d.retention_age.count() > 0) text += (text.empty() ? "" : ",") + as_written(d.retention_age);
  return text;
}

void print_details(const LogDetails& d) {
  std::string nodes;
  for (auto n : d.nodes) nodes += (nodes.empty() ? "" : ",") + std::to_string(n);
  put("{} id {} replicas {} ({}) write-quorum {}{} segment-size {} retention {} trim {} fence {}\n",
      d.name, d.id, d.replicas, nodes, d.write_quorum,
      d.write_quorum == 1 && d.replicas > 0 ? " [one copy suffices for an acknowledgement]" : "",
      as_written(d.segment_bytes), retention_text(d), d.trim, d.fence);
}

void print_json(const LogDetails& d) {
  std::string nodes;
  for (auto n : d.nodes) nodes += (nodes.empty() ? "" : ", ") + std::to_string(n);
  put("{{\"name\": {}, \"id\": {}, \"replicas\": {}, \"nodes\": [{}], \"write_quorum\": {}, "
      "\"segment_size\": {}, "
      "\"retention_bytes\": {}, \"retention_ms\": {}, \"trim\": {}, \"fence\": {}}}\n",
      json_string(d.name), d.id, d.replicas, nodes, d.write_quorum, d.segment_bytes,
      d.retention_bytes, d.retention_age.count(), d.trim, d.fence);
}

/// Arguments of all subcommands, since a single subcommand runs.
struct LogArguments {
  std::string name;
  CreateOptions create;
  std::optional<std::uint64_t> retention_bytes;  // 0: off; nullopt: not given
  std::optional<std::chrono::milliseconds> retention_age;
  std::optional<std::uint64_t> offset;
  std::optional<std::uint64_t> keep_bytes;
  std::string before;  // --before as written; empty: not given
  std::optional<std::uint64_t> token;
  bool take_over = false;
  bool names = false;
  bool json = false;
  bool yes = false;
};

/// Adds --retention-bytes and --retention-age.
void add_retention(CLI::App* c, LogArguments& a) {
  c->add_option_function<std::string>(
       "--retention-bytes",
       [&a](const std::string& text) {
         const auto bytes = text == "off" ? 0 : read_size(text);
         if (!bytes) throw CLI::ValidationError("--retention-bytes", bytes.error() + ", or off");
         a.retention_bytes = *bytes;
       },
       "trim old segments while at least so much stays, as 10GiB, or off; at least the segment "
       "size")
      ->type_name("SIZE");
  c->add_option_function<std::string>(
       "--retention-age",
       [&a](const std::string& text) {
         const auto age = text == "off" ? std::chrono::milliseconds(0) : read_duration(text);
         if (!age) throw CLI::ValidationError("--retention-age", age.error() + ", or off");
         a.retention_age = *age;
       },
       "trim segments that are all older, as 7d, or off; at least 1s")
      ->type_name("TIME");
}

/// Adds a subcommand that connects and runs `work`.
template <class Work>
CLI::App* add_one(CLI::App* logs, Target& target, Run& run, const char* name, const char* what,
                  const std::shared_ptr<LogArguments>& a, Work work) {
  auto* c = logs->add_subcommand(name, what);
  add_cluster(*c, target);
  c->callback([&target, &run, a, work] {
    run = [&target, a, work] {
      auto client = target.connect();
      if (!client) return failed(client.error());
      return work(*client, *a);
    };
  });
  return c;
}

int create(Client& c, LogArguments a) {
  a.create.retention_bytes = a.retention_bytes.value_or(0);
  a.create.retention_age = a.retention_age.value_or(std::chrono::milliseconds(0));
  auto log = c.create_log(a.name, a.create);
  if (!log) return failed(log.error());
  a.json ? print_json(log->details()) : print_details(log->details());
  return 0;
}

/// The cluster replaces both bounds at once, so a bound that is not given is sent with the value
/// that was just read. A change by another client in between is overwritten.
int set(Client& c, const LogArguments& a) {
  auto log = c.open_log(a.name);
  if (!log) return failed(log.error());
  const LogDetails& now = log->details();
  const auto d = log->set_retention(a.retention_bytes.value_or(now.retention_bytes),
                                    a.retention_age.value_or(now.retention_age));
  if (!d) return failed(d.error());
  a.json ? print_json(*d) : print_details(*d);
  return 0;
}

/// Prints a row for each log. Sizes come from the leader; without a leader they are left out.
void print_table(Client& c, const std::vector<LogDetails>& all) {
  std::map<std::string, std::string> sizes;
  if (const auto report = c.status())
    for (const auto& l : report->logs)
      sizes[l.name] =
          human_bytes(static_cast<double>(l.committed - std::min(l.first, l.committed)));
  std::vector<std::vector<Cell>> rows = {{{"LOG", Colour::dim},
                                          {"ID", Colour::dim, true},
                                          {"SIZE", Colour::dim, true},
                                          {"NODES", Colour::dim},
                                          {"QUORUM", Colour::dim, true},
                                          {"SEGMENT", Colour::dim, true},
                                          {"RETENTION", Colour::dim}}};
  for (const LogDetails& d : all) {
    const auto size = sizes.find(d.name);
    rows.push_back({{d.name},
                    {fmt::format("{}", d.id), Colour::plain, true},
                    {size == sizes.end() ? "-" : size->second, Colour::plain, true},
                    {fmt::format("{}", fmt::join(d.nodes, ","))},
                    {fmt::format("{} of {}", d.write_quorum, d.replicas), Colour::plain, true},
                    {as_written(d.segment_bytes), Colour::plain, true},
                    {retention_text(d)}});
  }
  put("{}", table(rows, 0, wants_colour(When::automatic, Stream::out)));
}

int list(Client& c, const LogArguments& a) {
  auto all = c.list_logs();
  if (!all) return failed(all.error());
  for (const auto& d : *all) {
    if (a.names) put("{}\n", d.name);
    else if (a.json) print_json(d);
  }
  if (!a.names && !a.json && !all->empty()) print_table(c, *all);
  return 0;
}

int describe(Client& c, const LogArguments& a) {
  auto d = c.describe_log(a.name);
  if (!d) return failed(d.error());
  a.json ? print_json(*d) : print_details(*d);
  return 0;
}

/// Asks for confirmation if stdin is a terminal. A script has decided already.
bool may_delete(const LogArguments& a) {
  if (a.yes || !is_terminal(Stream::in)) return true;
  console::print_error("delete log {} and all its entries on every node? type yes: ", a.name);
  const auto answer = LineReader(0).next([] { return false; });
  return answer && *answer && **answer == "yes";
}

int remove(Client& c, const LogArguments& a) {
  if (!may_delete(a)) return failed("nothing was deleted");
  auto ok = c.delete_log(a.name);
  if (!ok && ok.error().code == Errc::no_such_log)
    return failed(fmt::format("no log has the name {}; loglog logs list shows all", a.name));
  if (!ok) return failed(ok.error());
  if (a.json) put("{{\"log\": {}, \"deleted\": true}}\n", json_string(a.name));
  return 0;
}

/// Exactly one of the three ways was given (need_one).
std::expected<EntryOffset, CallError> trim_as_asked(Client& c, const LogArguments& a) {
  auto log = c.open_log(a.name);
  if (!log) return std::unexpected(log.error());
  if (a.offset) return log->trim(*a.offset);
  if (a.keep_bytes) return log->trim_to_size(*a.keep_bytes);
  return log->trim_before(parse_time(a.before, std::chrono::system_clock::now()).value());
}

int trim(Client& c, const LogArguments& a) {
  auto at = trim_as_asked(c, a);
  if (!at) return failed(at.error());
  if (a.json) put("{{\"log\": {}, \"trim\": {}}}\n", json_string(a.name), *at);
  else put("{}\n", *at);
  return 0;
}

int fence(Client& c, const LogArguments& a) {
  auto log = c.open_log(a.name);
  if (!log) return failed(log.error());
  const auto set = log->fence(a.token.value_or(0));
  if (!set) return failed(set.error());
  if (a.json)
    put("{{\"log\": {}, \"token\": {}, \"end\": {}}}\n", json_string(a.name), set->token, set->end);
  else put("token {} end {}\n", set->token, set->end);
  return 0;
}

/// Fails the parse unless one of the options was given; excludes() forbids several.
template <class... Option>
void need_one(const Option&... options) {
  if ((... || (options.count() > 0))) return;
  std::string names;
  ((names += (names.empty() ? "" : ", ") + options.get_name()), ...);
  throw CLI::RequiredError("one of " + names);
}

}  // namespace

void add_logs(CLI::App& app, Target& target, Run& run) {
  auto* logs = app.add_subcommand(
      "logs", "create, list, describe, delete, trim and fence logs; set what is trimmed by itself");
  logs->require_subcommand(1);
  logs->footer("loglog logs COMMAND --help tells of each.");
  auto a = std::make_shared<LogArguments>();  // shared by all subcommands
  const auto named = [&a](CLI::App* c, const char* type = log_type) {
    c->add_option("NAME", a->name, "name of the log")->required()->type_name(type);
    c->add_flag("--json", a->json, "a JSON object");
    return c;
  };
  auto* c = named(
      add_one(logs, target, run, "create", "create a log; prints what it is", a, create), "TEXT");
  const CLI::Validator one_to_nine =
      CLI::Validator(CLI::Range(1, 9)).description("");  // the help texts name the range
  c->add_option("--replicas", a->create.replicas,
                "storage nodes that hold it, 1 to 9 (default: 3, or as many as there are)")
      ->check(one_to_nine);
  c->add_option("--write-quorum", a->create.write_quorum,
                "replicas that must be durable before an append is acknowledged, 1 to the replicas "
                "(default: the majority)")
      ->check(one_to_nine);
  add_size(*c, "--segment-size", [a](std::uint64_t n) { a->create.segment_bytes = n; },
           "of a segment file, 64KiB to 16GiB",
           {.least = 64u << 10, .most = 16ull << 30, .standard = "64MiB"});
  add_retention(c, *a);
  c->footer(R"(Examples:
  loglog logs create events
  loglog logs create audit --replicas 5 --write-quorum 3 --segment-size 256MiB
  loglog logs create metrics --retention-bytes 10GiB --retention-age 7d)");
  c = named(add_one(logs, target, run, "set",
                    "change what is trimmed by itself; what is not named stays", a, set));
  add_retention(c, *a);
  c->footer(
      R"(Whole segments go, while at least as many bytes stay, or once all in them is older by the clocks of a majority of
sequencers.

Examples:
  loglog logs set events --retention-age 30d
  loglog logs set events --retention-bytes off)");
  c = add_one(logs, target, run, "list", "print all logs, a row each", a, list);
  auto* names = c->add_flag("--names", a->names, "only their names");
  c->add_flag("--json", a->json, "a JSON object a line")->excludes(names);
  named(add_one(logs, target, run, "describe", "print what one log is", a, describe));
  c = named(add_one(logs, target, run, "delete",
                    "delete a log and its entries on every node; asks on a terminal", a, remove));
  c->add_flag("--yes", a->yes, "do not ask");
  c = named(add_one(logs, target, run, "trim",
                    "let entries below an offset go; prints the trim point in force", a, trim));
  auto* offset = c->add_option("OFFSET", a->offset, "of an entry; those below it may go");
  auto* keep = c->add_option_function<std::string>(
      "--keep-bytes",
      [a](const std::string& text) {
        const auto bytes = read_size(text);
        if (!bytes) throw CLI::ValidationError("--keep-bytes", bytes.error());
        a->keep_bytes = *bytes;
      },
      "whole segments go while so much stays, as 10GiB");
  keep->type_name("SIZE")->excludes(offset);
  auto* before =
      c->add_option("--before", a->before,
                    "what is older goes: 2026-11-21T20:00:00Z, without Z local, or as -7d");
  before->type_name("TIME")->excludes(offset)->excludes(keep);
  before->check({[](std::string& text) {
                   return parse_time(text, std::chrono::system_clock::now())
                              ? std::string()
                              : fmt::format(
                                    "{} is no time; give 2026-11-21T20:00:00Z (local without Z), "
                                    "or how long ago as -7d",
                                    text);
                 },
                 std::string()});
  c->parse_complete_callback([offset, keep, before] { need_one(*offset, *keep, *before); });
  c->footer(
      R"(An OFFSET must be one that an append or a reader gave, or where the log ends; beyond its end it is refused. A trim
point never moves back. Nodes delete whole segment files below it, so the disk may keep a little more.

Examples:
  loglog logs trim events --keep-bytes 10GiB
  loglog logs trim events --before=-7d
  loglog logs trim events $(loglog tail events)   # all that is committed now)");
  c = named(
      add_one(logs, target, run, "fence",
              "refuse older writers; prints the token in force, and the offset where theirs end", a,
              fence));
  auto* token = c->add_option(
      "TOKEN", a->token, "of this writer, as from a lock service; the higher one is the newer");
  auto* take_over =
      c->add_flag("--take-over", a->take_over,
                  "take the one after the log's, which stops the writer that is at work now");
  token->check(config::one_or_more())->excludes(take_over);
  c->parse_complete_callback([token, take_over] { need_one(*token, *take_over); });
  c->footer(
      R"(Appends that name a lower token (loglog append --fence) are refused from then on. What they still got in
lies below the printed end. Appends that name none are not held up. loglog logs describe shows the token in force
and changes nothing.

Examples:
  loglog logs fence state --take-over     # token 4 end 52133
  loglog append state --fence 4 --expected-offset 52133 --file new.json)");
}

}  // namespace loglog::cli

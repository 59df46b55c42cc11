// loglog logs …: create, list, describe, delete, trim.
#include <fmt/format.h>

#include "proto-spec/vocabulary/json.h"
#include "sdk/cli/cli.h"

namespace loglog::cli {
namespace {

std::string retention_text(const LogDetails& d) {
  if (d.retention_bytes == 0 && d.retention_age.count() == 0) return "off";
  std::string text = d.retention_bytes > 0 ? fmt::format("{} bytes", d.retention_bytes) : "";
  if (d.retention_age.count() > 0) text += fmt::format("{}{} ms", text.empty() ? "" : ", ", d.retention_age.count());
  return text;
}

void print_details(const LogDetails& d) {
  std::string nodes;
  for (auto n : d.nodes) nodes += (nodes.empty() ? "" : ",") + std::to_string(n);
  fmt::print("{} id {} replicas {} ({}) write-quorum {}{} segment-size {} retention {} trim {} fence {}\n", d.name, d.id, d.replicas, nodes,
             d.write_quorum, d.write_quorum == 1 && d.replicas > 0 ? " [one copy suffices for an acknowledgement]" : "", d.segment_bytes,
             retention_text(d), d.trim, d.fence);
}

void print_json(const LogDetails& d) {
  std::string nodes;
  for (auto n : d.nodes) nodes += (nodes.empty() ? "" : ", ") + std::to_string(n);
  fmt::print(
      "{{\"name\": {}, \"id\": {}, \"replicas\": {}, \"nodes\": [{}], \"write_quorum\": {}, \"segment_size\": {}, "
      "\"retention_bytes\": {}, \"retention_ms\": {}, \"trim\": {}, \"fence\": {}}}\n",
      json_string(d.name), d.id, d.replicas, nodes, d.write_quorum, d.segment_bytes, d.retention_bytes, d.retention_age.count(), d.trim,
      d.fence);
}

struct LogArguments {
  std::string name;
  CreateOptions create;
  std::string retention_bytes;  // as written; empty: not given
  std::string retention_age;
  std::optional<std::uint64_t> offset;  // as given
  std::string keep_bytes;               // as written; empty: not given
  std::string before;
  std::optional<std::uint64_t> token;
  bool take_over = false;
  bool names = false;
  bool json = false;
};

/// What was written for the two bounds; what was not keeps what is there.
std::expected<void, std::string> read_retention(const LogArguments& a, std::uint64_t& bytes, std::chrono::milliseconds& age) {
  if (const auto read = a.retention_bytes == "off" ? 0 : parse_bytes(a.retention_bytes); read && !a.retention_bytes.empty()) bytes = *read;
  else if (!a.retention_bytes.empty())
    return std::unexpected(
        fmt::format("--retention-bytes {}: give bytes (as 1048576 or 10GiB: KiB, MiB, GiB, TiB) or off", a.retention_bytes));
  const auto none = std::optional(std::chrono::milliseconds(0));
  if (const auto read = a.retention_age == "off" ? none : parse_duration(a.retention_age); read && !a.retention_age.empty()) age = *read;
  else if (!a.retention_age.empty())
    return std::unexpected(fmt::format("--retention-age {}: give a time as 7d (ms, s, m, h, d) or off", a.retention_age));
  return {};
}

void add_retention(CLI::App* c, LogArguments& a) {
  c->add_option("--retention-bytes", a.retention_bytes,
                "trim old segments while at least so much stays: bytes, KiB, MiB, GiB, or off; at least the segment size");
  c->add_option("--retention-age", a.retention_age, "trim segments that are all older: ms, s, m, h, d, or off; at least 1s");
}

template <class Work>
CLI::App* add_one(CLI::App* logs, Target& target, Run& run, const char* name, const char* what, const std::shared_ptr<LogArguments>& a,
                  Work work) {
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
  if (const auto read = read_retention(a, a.create.retention_bytes, a.create.retention_age); !read) return failed(read.error());
  auto log = c.create_log(a.name, a.create);
  if (!log) return failed(log.error());
  print_details(log->details());
  return 0;
}

int set(Client& c, const LogArguments& a) {
  auto d = c.describe_log(a.name);
  if (!d) return failed(d.error());
  if (const auto read = read_retention(a, d->retention_bytes, d->retention_age); !read) return failed(read.error());
  d = c.set_retention(a.name, d->retention_bytes, d->retention_age);
  if (!d) return failed(d.error());
  print_details(*d);
  return 0;
}

int list(Client& c, const LogArguments& a) {
  auto all = c.list_logs();
  if (!all) return failed(all.error());
  for (const auto& d : *all) {
    if (a.names) fmt::print("{}\n", d.name);
    else if (a.json) print_json(d);
    else print_details(d);
  }
  return 0;
}

int describe(Client& c, const LogArguments& a) {
  auto d = c.describe_log(a.name);
  if (!d) return failed(d.error());
  a.json ? print_json(*d) : print_details(*d);
  return 0;
}

int remove(Client& c, const LogArguments& a) {
  auto ok = c.delete_log(a.name);
  return ok ? 0 : failed(ok.error());
}

std::expected<EntryOffset, CallError> trim_as_asked(Client& c, const LogArguments& a) {
  const auto wrong = [](std::string why) { return std::unexpected(CallError{"invalid_argument", std::move(why), false}); };
  if (a.offset) return c.trim_log(a.name, *a.offset);
  if (!a.keep_bytes.empty()) {
    const auto bytes = parse_bytes(a.keep_bytes);
    if (!bytes) return wrong(fmt::format("--keep-bytes {}: give bytes (as 1048576 or 10GiB: KiB, MiB, GiB, TiB)", a.keep_bytes));
    return c.trim_log_to(a.name, *bytes);
  }
  const auto time = parse_time(a.before, std::chrono::system_clock::now());
  if (!time)
    return wrong(fmt::format("--before {}: give a time as 2026-11-21T20:00:00Z (local without Z), or how long ago as -7d", a.before));
  return c.trim_log_before(a.name, *time);
}

int trim(Client& c, const LogArguments& a) {
  auto at = trim_as_asked(c, a);
  if (!at) return failed(at.error());
  fmt::print("{}\n", *at);
  return 0;
}

int fence(Client& c, const LogArguments& a) {
  auto log = c.open_log(a.name);
  if (!log) return failed(log.error());
  const auto set = log->fence(a.token.value_or(0));
  if (!set) return failed(set.error());
  fmt::print("token {} end {}\n", set->token, set->end);
  return 0;
}

template <class... Option>
void need_one(const Option&... options) {
  if ((... || (options.count() > 0))) return;
  std::string names;
  ((names += (names.empty() ? "" : ", ") + options.get_name()), ...);
  throw CLI::RequiredError("one of " + names);
}

}  // namespace

void add_logs(CLI::App& app, Target& target, Run& run) {
  auto* logs = app.add_subcommand("logs", "create, list, describe, delete, trim and fence logs; set what is trimmed by itself");
  logs->require_subcommand(1);
  logs->footer("loglog logs COMMAND --help tells of each.");
  auto a = std::make_shared<LogArguments>();  // one of them runs
  const auto named = [&a](CLI::App* c, const char* type = log_type) {
    c->add_option("NAME", a->name, "name of the log")->required()->type_name(type);
    return c;
  };
  auto* c = named(add_one(logs, target, run, "create", "create a log; prints what it is", a, create), "TEXT");
  c->add_option("--replicas", a->create.replicas, "storage nodes that hold it, 1 to 9 (default: 3, or as many as there are)");
  c->add_option("--write-quorum", a->create.write_quorum,
                "replicas that must be durable before an append is acknowledged, 1 to the replicas (default: the majority)");
  c->add_option("--segment-size", a->create.segment_bytes, "of a segment file, 65536 to 17179869184 (default 67108864)")
      ->type_name("BYTES");
  add_retention(c, *a);
  c->footer(R"(Examples:
  loglog logs create events
  loglog logs create audit --replicas 5 --write-quorum 3 --segment-size 268435456
  loglog logs create metrics --retention-bytes 10GiB --retention-age 7d)");
  c = named(add_one(logs, target, run, "set", "change what is trimmed by itself; what is not named stays", a, set));
  add_retention(c, *a);
  c->footer(R"(Whole segments go, while at least as many bytes stay, or once all in them is older by the clocks of a majority of
sequencers.

Examples:
  loglog logs set events --retention-age 30d
  loglog logs set events --retention-bytes off)");
  c = add_one(logs, target, run, "list", "print all logs, a line each", a, list);
  auto* names = c->add_flag("--names", a->names, "only their names");
  c->add_flag("--json", a->json, "a JSON object a line")->excludes(names);
  c = named(add_one(logs, target, run, "describe", "print what one log is", a, describe));
  c->add_flag("--json", a->json, "a JSON object");
  named(add_one(logs, target, run, "delete", "delete a log and its entries on every node", a, remove));
  c = named(add_one(logs, target, run, "trim", "let entries below an offset go; prints the trim point in force", a, trim));
  auto* offset = c->add_option("OFFSET", a->offset, "of an entry; those below it may go");
  auto* keep = c->add_option("--keep-bytes", a->keep_bytes, "whole segments go while so much stays: bytes, KiB, MiB, GiB, TiB");
  auto* before = c->add_option("--before", a->before, "what is older goes: 2026-11-21T20:00:00Z, without Z local, or how long ago as -7d");
  before->type_name("TIME")->excludes(offset)->excludes(keep);
  keep->excludes(offset);
  c->parse_complete_callback([offset, keep, before] { need_one(*offset, *keep, *before); });
  c->footer(R"(An OFFSET must be one that an append or a reader gave, or where the log ends; beyond its end it is refused. A trim
point never moves back. Nodes delete whole segment files below it, so the disk may keep a little more.

Examples:
  loglog logs trim events --keep-bytes 10GiB
  loglog logs trim events --before=-7d
  loglog logs trim events $(loglog tail events)   # all that is committed now)");
  c = named(
      add_one(logs, target, run, "fence", "refuse older writers; prints the token in force, and the offset where theirs end", a, fence));
  auto* token = c->add_option("TOKEN", a->token, "of this writer, as from a lock service; the higher one is the newer");
  auto* take_over = c->add_flag("--take-over", a->take_over, "take the one after the log's, which stops the writer that is at work now");
  token->check(CLI::PositiveNumber)->excludes(take_over);
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

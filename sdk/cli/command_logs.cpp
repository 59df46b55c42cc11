// loglog logs …: create, list, describe, delete, trim.
#include <fmt/format.h>

#include "sdk/cli/cli.h"

namespace loglog::cli {
namespace {

void print_details(const LogDetails& d) {
  std::string nodes;
  for (auto n : d.nodes) nodes += (nodes.empty() ? "" : ",") + std::to_string(n);
  fmt::print("{} id {} replicas {} ({}) write-quorum {}{} segment-size {} trim {}\n", d.name, d.id, d.replicas, nodes, d.write_quorum,
             d.write_quorum == 1 && d.replicas > 0 ? " [one copy suffices for an acknowledgement]" : "", d.segment_bytes, d.trim);
}

struct LogArguments {
  std::string name;
  CreateOptions create;
  std::uint64_t offset = 0;
  bool names = false;
};

template <class Work>
void add_one(CLI::App* logs, Target& target, Run& run, const char* name, const char* what, Work work, int arguments, const char* footer) {
  auto a = std::make_shared<LogArguments>();
  auto* c = logs->add_subcommand(name, what);
  const bool create = std::string_view(name) == "create";
  if (arguments > 0) c->add_option("NAME", a->name, "name of the log")->required()->type_name(create ? "TEXT" : log_type);
  if (arguments == 2) c->add_option("OFFSET", a->offset, "of an entry; those below it may go")->required();
  if (create) {
    c->add_option("--replicas", a->create.replicas, "storage nodes that hold it, 1 to 9 (default: 3, or as many as there are)");
    c->add_option("--write-quorum", a->create.write_quorum,
                  "replicas that must be durable before an append is acknowledged, 1 to the replicas (default: the majority)");
    c->add_option("--segment-size", a->create.segment_bytes, "of a segment file, 65536 to 17179869184 (default 67108864)")
        ->type_name("BYTES");
  }
  if (std::string_view(name) == "list") c->add_flag("--names", a->names, "only their names");
  add_cluster(*c, target);
  c->footer(footer);
  c->callback([&target, &run, a, work] {
    run = [&target, a, work] {
      auto client = target.connect();
      if (!client) return failed(client.error());
      return work(*client, *a);
    };
  });
}

}  // namespace

void add_logs(CLI::App& app, Target& target, Run& run) {
  auto* logs = app.add_subcommand("logs", "create, list, describe, delete and trim logs");
  logs->require_subcommand(1);
  logs->footer("loglog logs COMMAND --help tells of each.");
  add_one(
      logs, target, run, "create", "create a log; prints what it is",
      [](Client& c, const LogArguments& a) {
        auto log = c.create_log(a.name, a.create);
        if (!log) return failed(log.error());
        print_details(log->details());
        return 0;
      },
      1, R"(Examples:
  loglog logs create events
  loglog logs create audit --replicas 5 --write-quorum 3 --segment-size 268435456)");
  add_one(
      logs, target, run, "list", "print all logs, a line each",
      [](Client& c, const LogArguments& a) {
        auto all = c.list_logs();
        if (!all) return failed(all.error());
        for (const auto& d : *all) {
          if (a.names) fmt::print("{}\n", d.name);
          else print_details(d);
        }
        return 0;
      },
      0, "");
  add_one(
      logs, target, run, "describe", "print what one log is",
      [](Client& c, const LogArguments& a) {
        auto d = c.describe_log(a.name);
        if (!d) return failed(d.error());
        print_details(*d);
        return 0;
      },
      1, "");
  add_one(
      logs, target, run, "delete", "delete a log and its entries on every node",
      [](Client& c, const LogArguments& a) {
        auto ok = c.delete_log(a.name);
        return ok ? 0 : failed(ok.error());
      },
      1, "");
  add_one(
      logs, target, run, "trim", "let entries below an offset go; prints the trim point in force",
      [](Client& c, const LogArguments& a) {
        auto at = c.trim_log(a.name, a.offset);
        if (!at) return failed(at.error());
        fmt::print("{}\n", *at);
        return 0;
      },
      2, R"(The point may not lie past what is committed, never moves back, and must be an offset that an append or a reader gave.
Nodes delete whole segment files below it, so the disk may keep a little more.

Examples:
  loglog logs trim events $(loglog tail events)   # all that is committed now)");
}

}  // namespace loglog::cli

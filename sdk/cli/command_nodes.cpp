// loglog nodes: operations on a storage node as a whole. replace-disk declares a disk lost (C1) and
// waits until the node holds its logs again.
#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "proto-spec/config/usage.h"
#include "sdk/cli/cli.h"
#include "sdk/cli/posix_output.h"
#include "sdk/cli/progress.h"

namespace loglog::cli {
namespace {

struct NodeArguments {
  std::uint32_t node = 0;
  bool force = false;
  bool no_wait = false;
  bool json = false;
  When progress = When::automatic;
};

struct Copied {
  std::size_t logs = 0;  // logs with a replica on the node
  std::size_t done = 0;  // of these, replicas that take orders again
};

Copied copied_to(std::uint32_t node, const ClusterReport& report) {
  Copied c;
  for (const auto& log : report.logs)
    for (const auto& replica : log.replicas) {
      if (replica.id != node || log.state == "creating" || log.state == "deleting") continue;
      ++c.logs;
      if (replica.state == "streaming") ++c.done;
    }
  return c;
}

/// Waits until every replica of the node takes orders again, which means that it holds everything
/// that is committed.
int wait_until_copied(Client& client, const NodeArguments& a) {
  Progress progress(a.progress, fmt::format("node {}", a.node));
  for (;;) {
    if (interrupted()) return failed("interrupted: the copying goes on, loglog status shows it");
    // While no sequencer leads, the report has no logs: ask again.
    if (const auto report = client.status(); report && !report->logs.empty()) {
      const Copied c = copied_to(a.node, *report);
      if (c.done == c.logs) {
        progress.end();
        if (!a.json) put("{} of {} logs copied\n", c.done, c.logs);
        return 0;
      }
      progress.show(static_cast<double>(c.done) / static_cast<double>(c.logs),
                    fmt::format("{} of {} logs copied", c.done, c.logs));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

/// Asks for the new disk (C1) and waits for the copies. With --force there may be nothing to wait
/// for.
int replace_disk(const Target& target, const NodeArguments& a) {
  watch_signals();
  auto client = target.connect();
  if (!client) return failed(client.error());
  if (const auto replaced = client->replace_disk(a.node, a.force); !replaced)
    return failed(replaced.error());
  const auto all = client->list_logs();
  if (!all) return failed(all.error());
  const auto on_it = std::ranges::count_if(*all, [&](const LogDetails& d) {
    return std::ranges::find(d.nodes, a.node) != d.nodes.end();
  });
  if (a.json) put("{{\"node\": {}, \"logs\": {}}}\n", a.node, on_it);
  else
    put("node {} has a new disk; {} {} copied to it\n", a.node, on_it,
        on_it == 1 ? "log is" : "logs are");
  flush_out();
  return on_it == 0 || a.no_wait || a.force ? 0 : wait_until_copied(*client, a);
}

}  // namespace

void add_nodes(CLI::App& app, Target& target, Run& run) {
  auto* nodes = app.add_subcommand("nodes", "replace the disk of a storage node");
  nodes->require_subcommand(1);
  nodes->footer("loglog nodes COMMAND --help tells of each.");
  auto a = std::make_shared<NodeArguments>();
  auto* c = nodes->add_subcommand(
      "replace-disk", "a node's disk is gone for good: take the empty one that it runs with now");
  c->add_option("NODE", a->node, "number of the storage node")
      ->required()
      ->check(config::one_or_more());
  c->add_flag(
      "--force", a->force,
      "also where too few other replicas of a log are up: what is on the old disk alone is lost");
  c->add_flag("--no-wait", a->no_wait,
              "do not wait until its logs are copied; --force does not either");
  c->add_flag("--json", a->json, "a JSON object, as soon as the disk is taken");
  add_progress(*c, a->progress);
  add_cluster(*c, target);
  c->footer(
      R"(Start the node with an empty data directory under its old number first; until this command it counts as down.
All logs begin a new term, in which the old disk has no part; appends pause for as long as at a failover. The new
disk is copied full from the other replicas, and counts as a replica of a log once it holds all of it. The old disk
is refused from then on. Without --force nothing is done where fewer than N - W + 1 other replicas of a log are up.

Examples:
  loglog nodes replace-disk 2)");
  c->callback([&target, &run, a] { run = [&target, a] { return replace_disk(target, *a); }; });
}

}  // namespace loglog::cli

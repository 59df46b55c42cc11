// loglog cluster: operations on the cluster as a whole. raise raises the version of the records
// that are replicated and kept (T7). The leader decides whether all programs read that version.
#include "proto-spec/config/usage.h"
#include "sdk/cli/cli.h"
#include "sdk/cli/posix_output.h"

namespace loglog::cli {
namespace {

struct ClusterArguments {
  std::uint32_t version = 0;
  bool json = false;
};

int raise_version(const Target& target, const ClusterArguments& a) {
  auto client = target.connect();
  if (!client) return failed(client.error());
  if (const auto raised = client->raise_cluster_version(a.version); !raised)
    return failed(raised.error());
  if (a.json) put("{{\"version\": {}}}\n", a.version);
  else put("the cluster's version is {} or later\n", a.version);
  return 0;
}

}  // namespace

void add_cluster_commands(CLI::App& app, Target& target, Run& run) {
  auto* cluster = app.add_subcommand("cluster", "raise the version of the cluster's records");
  cluster->require_subcommand(1);
  cluster->footer("loglog cluster COMMAND --help tells of each.");
  auto a = std::make_shared<ClusterArguments>();
  auto* c = cluster->add_subcommand(
      "raise", "let records have a form that older programs do not read; there is no way back");
  c->add_option("VERSION", a->version, "the version, at most that of the leader's program")
      ->required()
      ->check(config::one_or_more());
  c->add_flag("--json", a->json, "a JSON object");
  add_cluster(*c, target);
  c->footer(
      R"(Upgrade all programs first. Until this command they can go back to the older release, and from then on they cannot:
an older program does not start on a directory of the cluster (exit code 5). The leader takes the command only if all
sequencers and all registered storage nodes are connected and read the version; otherwise it names the processes that do not.
A version that is reached already is no error. loglog status --json tells the version in force.

Examples:
  loglog cluster raise 2)");
  c->callback([&target, &run, a] { run = [&target, a] { return raise_version(target, *a); }; });
}

}  // namespace loglog::cli

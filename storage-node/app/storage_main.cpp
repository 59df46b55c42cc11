// Options of `loglog-storage`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <expected>

#include "proto-spec/config/node_options.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "storage-node/app/storage_node.h"

namespace loglog::storage {
namespace {

struct Given {
  NodeOptions options;
  std::string effective;  // for people
  bool check_only = false;
};

/// The exit code where nothing is to be started.
std::expected<Given, int> read(int argc, const char* const* argv) {
  CLI::App app{"LogLog storage node: writes what the sequencer orders and clients upload, and serves readers"};
  Given given;
  NodeOptions& o = given.options;
  std::string engine = "auto";
  std::string level = "info";
  std::string direct = "auto";
  std::string verify = "on";
  app.add_option("--id", o.id, "number of this node in its cluster, 1 or more; stays with its data for ever")->required();
  app.add_option("--cluster-name", o.cluster_name, "name of the cluster; nodes of another name are refused")->required();
  app.add_option("--listen", o.listen, "HOST:PORT to serve on, reachable by clients, sequencers and the other storage nodes")->required();
  app.add_option("--data", o.data, "directory of this node's segments; one node a directory")->required();
  app.add_option("--io-engine", engine, "auto: io_uring where it is allowed, else threads; uring or threads to insist (default auto)")
      ->check(CLI::IsMember({"auto", "uring", "threads"}));
  app.add_option("--direct-io", direct,
                 "auto: write past the page cache (O_DIRECT) where the file system can; off: through the page cache (default auto)")
      ->check(CLI::IsMember({"auto", "off"}));
  app.add_option("--staging-bytes", o.staging_bytes,
                 "memory for uploads not yet durable, bytes; full means clients are told to come again (default 268435456)");
  app.add_option("--verify-uploads", verify, "on: check every payload's checksum when it comes; off leaves it to readers (default on)")
      ->check(CLI::IsMember({"on", "off"}));
  app.add_option("--http", o.http, "HOST:PORT of /metrics (Prometheus), /healthz and /readyz (default: not served)");
  app.add_option("--log-level", level, "debug, info, warning, alarm or off (default info)")
      ->check(CLI::IsMember({"debug", "info", "warning", "alarm", "off"}));
  app.add_flag("--check-config", given.check_only, "say whether the options are valid, and start nothing");
  app.set_version_flag("--version", std::string("loglog-storage " LOGLOG_VERSION));
  std::string from;
  if (const auto ends = config::read_options(app, "LOGLOG_STORAGE", argc, argv, from)) return std::unexpected(*ends);
  o.io_engine = engine == "auto" ? IoEngine::automatic : engine == "uring" ? IoEngine::uring : IoEngine::threads;
  o.direct_io = direct == "auto";
  o.verify_uploads = verify == "on";
  const std::vector<std::string> levels = {"debug", "info", "warning", "alarm", "off"};
  o.log_level = static_cast<transport::LogLevel>(std::find(levels.begin(), levels.end(), level) - levels.begin());
  if (auto ok = o.validate(); !ok) {
    fmt::print(stderr, "loglog-storage: {}\n", ok.error().message());
    return std::unexpected(exit_bad_options);
  }
  given.effective = fmt::format(
      "id {}, cluster {}, listen {}, data {}, io-engine {}, direct-io {}, staging-bytes {}, verify-uploads {}, "
      "http {}, log-level {}{}",
      o.id, o.cluster_name, o.listen, o.data, engine, direct, o.staging_bytes, verify, o.http.empty() ? "off" : o.http, level, from);
  return given;
}

}  // namespace

int storage_main(int argc, char** argv) {
  const auto given = read(argc, argv);
  if (!given) return given.error();
  fmt::print(stderr, "loglog-storage: {}\n", given->effective);
  if (given->check_only) return 0;
  return StorageNode(given->options).run_until_signal([argc, argv]() -> std::optional<NodeOptions> {
    const auto again = read(argc, argv);
    if (!again) return std::nullopt;
    return again->options;
  });
}

}  // namespace loglog::storage

// Options of `loglog-storage`: from the command line, the environment, a file, and defaults, in
// this order of precedence (config::read_options).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <expected>

#include "proto-spec/config/node_options.h"
#include "proto-spec/config/quantities.h"
#include "proto-spec/console/error_output.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "storage-node/app/storage_node.h"

namespace loglog::storage {
namespace {

/// Prefix of the environment variables.
constexpr std::string_view environment = "LOGLOG_STORAGE";

/// The result of parsing.
struct ParsedOptions {
  NodeOptions options;
  // The options in effect, as a log line.
  std::string effective;
  bool check_only = false;
};

/// The options, and the variables that they are parsed into. Not copied: CLI11 holds pointers to
/// the variables.
struct Program {
  Program();
  CLI::App app{
      "LogLog storage node: writes what the sequencer orders and clients upload, and serves "
      "readers",
      "loglog-storage"};
  ParsedOptions parsed;
  std::string engine = "auto";
  std::string level = "info";
  std::string direct = "auto";
  std::string verify = "on";
};

Program::Program() {
  NodeOptions& o = parsed.options;
  app.add_option("--id", o.id,
                 "number of this node in its cluster, 1 or more; stays with its data for ever")
      ->required();
  app.add_option("--cluster-name", o.cluster_name,
                 "name of the cluster; nodes of another name are refused")
      ->required();
  app.add_option(
         "--listen", o.listen,
         "HOST:PORT to serve on, reachable by clients, sequencers and the other storage nodes")
      ->required()
      ->type_name("HOST:PORT");
  app.add_option("--data", o.data, "directory of this node's segments; one node a directory")
      ->required()
      ->type_name("DIR");
  app.add_option("--io-engine", engine,
                 "auto: io_uring where it is allowed, else threads; uring or threads to insist "
                 "(default auto)")
      ->check(CLI::IsMember({"auto", "uring", "threads"}));
  app.add_option("--direct-io", direct,
                 "auto: write past the page cache (O_DIRECT) where the file system can; off: "
                 "through the page cache (default auto)")
      ->check(CLI::IsMember({"auto", "off"}));
  // A wide range: NodeOptions::validate() gives the minimum with its reason.
  const config::SizeRange any_size{.least = 0, .most = 1ull << 50};
  config::add_size(
      app, "--staging-bytes", [&o](std::uint64_t n) { o.staging_bytes = n; },
      "memory for uploads not yet durable; full means clients are told to come again (default "
      "256MiB)",
      any_size);
  config::add_size(
      app, "--spare-bytes", [&o](std::uint64_t n) { o.spare_bytes = n; },
      "trimmed segments' files kept to be written again, which is faster than new ones; given up "
      "where space is short; "
      "0 keeps none (default 512MiB)",
      any_size);
  app.add_option(
         "--verify-uploads", verify,
         "on: check every payload's checksum when it comes; off leaves it to readers (default on)")
      ->check(CLI::IsMember({"on", "off"}));
  app.add_option("--http", o.http,
                 "HOST:PORT of /metrics (Prometheus), /healthz and /readyz (default: not served)");
  app.add_option("--log-level", level, "debug, info, warning, alarm or off (default info)")
      ->check(CLI::IsMember({"debug", "info", "warning", "alarm", "off"}));
  app.add_flag("--check-config", parsed.check_only,
               "say whether the options are valid, and start nothing");
  app.set_version_flag("--version", std::string("loglog-storage " LOGLOG_VERSION));
  config::add_config_option(app, environment);
  app.footer(R"(Examples:
  loglog-storage --id 1 --cluster-name prod --listen 10.0.0.1:7071 \
    --data /var/lib/loglog/storage-1
  loglog-storage --config /etc/loglog/storage.toml --check-config

Signals:
  SIGTERM, SIGINT   stop: what is acknowledged is on the disk
  SIGHUP            read the options again; the log level changes at once

Exit codes:
  0   stopped by a signal
  2   bad options
  3   the data directory is in use by another process
  4   the data directory cannot be read or written
  5   the data directory was written by a version with another format
  6   the data directory belongs to another node or cluster, or lost its identity
  7   the address cannot be listened on
  8   the disk failed)");
}

/// Parses and validates the options. Returns the exit code if nothing is to be started: after
/// --help or --version, or because of bad options.
std::expected<ParsedOptions, int> read(int argc, const char* const* argv) {
  Program program;
  auto& [app, parsed, engine, level, direct, verify] = program;
  NodeOptions& o = parsed.options;
  std::string from;
  if (const auto ends = config::read_options(app, environment, argc, argv, from))
    return std::unexpected(*ends);
  o.io_engine = engine == "auto"    ? IoEngine::automatic
                : engine == "uring" ? IoEngine::uring
                                    : IoEngine::threads;
  o.direct_io = direct == "auto";
  o.verify_uploads = verify == "on";
  // In the order of transport::LogLevel.
  const std::vector<std::string> levels = {"debug", "info", "warning", "alarm", "off"};
  o.log_level = static_cast<transport::LogLevel>(std::find(levels.begin(), levels.end(), level) -
                                                 levels.begin());
  if (auto ok = o.validate(); !ok) {
    console::print_error("loglog-storage: {}\n", ok.error().message());
    return std::unexpected(exit_bad_options);
  }
  parsed.effective = fmt::format(
      "id {}, cluster {}, listen {}, data {}, io-engine {}, direct-io {}, staging-bytes {}, "
      "spare-bytes {}, verify-uploads {}, "
      "http {}, log-level {}{}",
      o.id, o.cluster_name, o.listen, o.data, engine, direct, o.staging_bytes, o.spare_bytes,
      verify, o.http.empty() ? "off" : o.http, level, from);
  return parsed;
}

}  // namespace

/// The shared pointer owns the whole Program, because the options point into it.
std::shared_ptr<CLI::App> storage_command() {
  const auto program = std::make_shared<Program>();
  return {program, &program->app};
}

int storage_main(int argc, char** argv) {
  // Closed standard descriptors would be given to data files, and a message to stderr would then be
  // written into them.
  console::occupy_standard_descriptors();
  const auto parsed = read(argc, argv);
  if (!parsed) return parsed.error();
  if (parsed->check_only) {
    console::print_error("loglog-storage: {}\n", parsed->effective);
    return 0;
  }
  transport::EventLog(fmt::format("storage {}", parsed->options.id), parsed->options.log_level)(
      transport::LogLevel::info, parsed->effective);
  return StorageNode(parsed->options)
      .run_until_signal([argc, argv]() -> std::optional<NodeOptions> {
        const auto again = read(argc, argv);
        if (!again) return std::nullopt;
        return again->options;
      });
}

}  // namespace loglog::storage

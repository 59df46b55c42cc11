// The command `loglog-sequencer`: its options on the command line, in the environment and in a
// file. Everything that it starts is in sequencer.cpp.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <expected>

#include "proto-spec/config/node_options.h"
#include "proto-spec/console/error_output.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "sequencer/app/sequencer.h"

namespace loglog::sequencer {
namespace {

/// Splits "1=HOST:PORT"; false if the text has another form.
bool split_pair(const std::string& text, std::uint32_t& id, std::string& address) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals > 9 ||
      text.find_first_not_of("0123456789") != equals)
    return false;
  id = static_cast<std::uint32_t>(std::stoul(text.substr(0, equals)));
  address = text.substr(equals + 1);
  return true;
}

constexpr std::string_view environment = "LOGLOG_SEQUENCER";

struct ParsedOptions {
  SequencerOptions options;
  std::string effective;  // the options with their sources, for the log
  bool check_only = false;
};

/// The option parser and the variables that it fills. CLI11 keeps pointers to them, so this does
/// not move.
struct Program {
  Program();
  CLI::App app{
      "LogLog sequencer: elected by Raft, it orders what clients have uploaded; it never sees a "
      "payload",
      "loglog-sequencer"};
  ParsedOptions parsed;
  std::vector<std::string> sequencers;
  std::vector<std::string> storage;
  std::string level = "info";
};

Program::Program() {
  SequencerOptions& o = parsed.options;
  app.add_option("--id", o.id, "number of this sequencer, 1 or more; stays with its data for ever")
      ->required();
  app.add_option("--cluster-name", o.cluster_name,
                 "name of the cluster; nodes of another name are refused")
      ->required();
  app.add_option("--listen", o.listen,
                 "HOST:PORT to serve on, reachable by clients and the other sequencers")
      ->required()
      ->type_name("HOST:PORT");
  app.add_option("--data", o.data,
                 "directory of this sequencer's Raft state, kilobytes; one sequencer a directory")
      ->required()
      ->type_name("DIR");
  app.add_option(
         "--sequencers", sequencers,
         "all sequencers, this one included: 1=HOST:PORT,2=HOST:PORT,... ; 1, 3 or 5 of them")
      ->required()
      ->delimiter(',');
  app.add_option("--storage", storage, "all storage nodes: 1=HOST:PORT,2=HOST:PORT,...")
      ->required()
      ->delimiter(',');
  app.add_option("--election-timeout-ms", o.election_timeout_ms,
                 "a follower that hears no leader so long stands for election; randomised up to "
                 "twice this; at least 3 heartbeats (default 1000)");
  app.add_option("--heartbeat-ms", o.heartbeat_ms,
                 "how often a leader without news says that it lives (default 100)");
  app.add_option("--http", o.http,
                 "HOST:PORT of the status page, /metrics (Prometheus), /healthz and /readyz "
                 "(default: not served)");
  app.add_option("--log-level", level, "debug, info, warning, alarm or off (default info)")
      ->check(CLI::IsMember({"debug", "info", "warning", "alarm", "off"}));
  app.add_flag("--trust-empty", o.trust_empty,
               "vote with an empty directory before all others have said that there is no cluster "
               "yet; only where theirs are lost for good");
  app.add_flag("--check-config", parsed.check_only,
               "say whether the options are valid, and start nothing");
  app.set_version_flag("--version", std::string("loglog-sequencer " LOGLOG_VERSION));
  config::add_config_option(app, environment);
  app.footer(R"(Examples:
  loglog-sequencer --id 1 --cluster-name prod --listen 10.0.0.1:7070 \
    --data /var/lib/loglog/sequencer-1 \
    --sequencers 1=10.0.0.1:7070,2=10.0.0.2:7070,3=10.0.0.3:7070 \
    --storage 1=10.0.0.1:7071,2=10.0.0.2:7071,3=10.0.0.3:7071
  loglog-sequencer --config /etc/loglog/sequencer.toml --check-config

Signals:
  SIGTERM, SIGINT   stop
  SIGHUP            read the options again; the log level changes at once

Exit codes:
  0   stopped by a signal
  2   bad options
  3   the data directory is in use by another process
  4   the data directory cannot be read or written
  5   the data directory was written by a version with another format
  6   the data directory belongs to another sequencer or cluster
  7   the address cannot be listened on
  8   the disk failed)");
}

/// The options, or the exit code if nothing is to be started.
std::expected<ParsedOptions, int> read(int argc, const char* const* argv) {
  Program program;
  auto& [app, parsed, sequencers, storage, level] = program;
  SequencerOptions& o = parsed.options;
  std::string from;
  if (const auto ends = config::read_options(app, environment, argc, argv, from))
    return std::unexpected(*ends);
  const auto bad = [](const std::string& why) {
    console::print_error("loglog-sequencer: {}\n", why);
    return std::unexpected(exit_bad_options);
  };
  for (const std::string& s : sequencers) {
    SequencerInfo i;
    if (!split_pair(s, i.id.value, i.address))
      return bad(fmt::format("--sequencers: \"{}\" is not ID=HOST:PORT", s));
    o.sequencers.push_back(i);
  }
  for (const std::string& s : storage) {
    StorageInfo i;
    if (!split_pair(s, i.id.value, i.address))
      return bad(fmt::format("--storage: \"{}\" is not ID=HOST:PORT", s));
    o.storage.push_back(i);
  }
  const std::vector<std::string> levels = {"debug", "info", "warning", "alarm", "off"};
  o.log_level = static_cast<transport::LogLevel>(std::find(levels.begin(), levels.end(), level) -
                                                 levels.begin());
  if (auto ok = o.validate(); !ok) return bad(ok.error().message());
  parsed.effective = fmt::format(
      "id {}, cluster {}, listen {}, data {}, {} sequencers, {} storage nodes, election-timeout-ms "
      "{}, "
      "heartbeat-ms {}, http {}, log-level {}{}",
      o.id, o.cluster_name, o.listen, o.data, o.sequencers.size(), o.storage.size(),
      o.election_timeout_ms, o.heartbeat_ms, o.http.empty() ? "off" : o.http, level, from);
  return parsed;
}

}  // namespace

std::shared_ptr<CLI::App> sequencer_command() {
  const auto program = std::make_shared<Program>();
  return {program, &program->app};
}

int sequencer_main(int argc, char** argv) {
  console::occupy_standard_descriptors();
  const auto parsed = read(argc, argv);
  if (!parsed) return parsed.error();
  if (parsed->check_only) {
    console::print_error("loglog-sequencer: {}\n", parsed->effective);
    return 0;
  }
  transport::EventLog(fmt::format("sequencer {}", parsed->options.id), parsed->options.log_level)(
      transport::LogLevel::info, parsed->effective);
  return Sequencer(parsed->options)
      .run_until_signal([argc, argv]() -> std::optional<SequencerOptions> {
        const auto again = read(argc, argv);
        if (!again) return std::nullopt;
        return again->options;
      });
}

}  // namespace loglog::sequencer

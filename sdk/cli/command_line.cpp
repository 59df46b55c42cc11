#include "sdk/cli/command_line.h"

#include <string_view>

#include "proto-spec/config/help.h"
#include "proto-spec/console/error_output.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "sdk/cli/completion.h"
#include "sequencer/app/sequencer.h"
#include "storage-node/app/storage_node.h"

namespace loglog::cli {

CommandLine::CommandLine() {
  app.formatter(std::make_shared<config::HelpFormatter>());
  app.set_version_flag("--version", std::string("loglog " LOGLOG_VERSION), "print the version");
  app.set_help_flag("-h,--help", "print this");
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  app.footer(R"(loglog COMMAND --help tells of each; loglog man COMMAND prints its manual page.

Environment:
  LOGLOG_CLUSTER   HOST:PORT[,HOST:PORT...] of any nodes, for commands that are given no --cluster
  NO_COLOR         set to anything: no colours

Examples:
  loglog dev &                                     a cluster to try things with
  seq 1 5 | loglog append events --create
  loglog follow events --from begin --count 5

Exit codes:
  0   all was done
  1   it failed, as one sentence on stderr says
  2   bad usage; other codes are with their commands)");
  add_dev(app, run);
  add_append(app, target, run);
  add_read(app, target, run);
  add_follow(app, target, run);
  add_tail(app, target, run);
  add_logs(app, target, run);
  add_status(app, target, run);
  add_nodes(app, target, run);
  add_verify(app, target, run);
  add_inspect(app, run);
  add_bench(app, target, run);
  add_man(app, run);
  add_completions(app, run);
  for (const auto& [name, server] :
       {std::pair("storage", storage::storage_command()), std::pair("sequencer", sequencer::sequencer_command())}) {
    server->name(name);
    app.add_subcommand(server);
  }
}

std::vector<const CLI::App*> commands_of(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App*) { return true; });
}

int run_command_line(int argc, char** argv) {
  console::occupy_standard_descriptors();
  const std::string_view first = argc > 1 ? argv[1] : "";
  // The servers read their options from files and the environment too.
  if (first == "storage") return storage::storage_main(argc - 1, argv + 1);
  if (first == "sequencer") return sequencer::sequencer_main(argc - 1, argv + 1);
  if (first == "complete") return print_completions({argv + 2, argv + argc});
  CommandLine line;
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return line.app.exit(e) == 0 ? 0 : exit_bad_options;
  }
  return line.run ? line.run() : exit_failed;
}

}  // namespace loglog::cli

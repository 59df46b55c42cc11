// Builds the tree, and runs a command line: words are put in order (word_order.h), parsed by CLI11,
// and the chosen command's work runs. The servers bypass the tree, which has them for help only.
#include "sdk/cli/command_line.h"

#include <algorithm>
#include <sstream>
#include <string_view>

#include "proto-spec/config/help.h"
#include "proto-spec/config/usage.h"
#include "proto-spec/console/error_output.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "sdk/cli/completion.h"
#include "sdk/cli/posix_interrupt.h"
#include "sdk/cli/posix_output.h"
#include "sdk/cli/word_order.h"
#include "sequencer/app/sequencer.h"
#include "storage-node/app/storage_node.h"

namespace loglog::cli {
namespace {

/// Without this check CLI11 takes "-1" for the largest unsigned number.
void refuse_negative_numbers(CLI::App& command) {
  for (CLI::Option* o : command.get_options())
    if (const std::string type = o->get_type_name();
        type.starts_with("UINT") || type == "OFFSET" || type == "TOKEN") {
      if (o->get_name() != "--from") o->check(config::digits_only());
    }
  for (CLI::App* below : command.get_subcommands([](CLI::App*) { return true; }))
    refuse_negative_numbers(*below);
}

}  // namespace

CommandLine::CommandLine() {
  app.formatter(std::make_shared<config::HelpFormatter>());
  app.set_version_flag("--version", std::string("loglog " LOGLOG_VERSION), "print the version");
  app.set_help_flag("-h,--help", "print this");
  app.require_subcommand(1);
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
  add_cluster_commands(app, target, run);
  add_verify(app, target, run);
  add_inspect(app, run);
  add_bench(app, target, run);
  add_man(app, run);
  add_completions(app, run);
  for (const auto& [name, server] : {std::pair("storage", storage::storage_command()),
                                     std::pair("sequencer", sequencer::sequencer_command())}) {
    server->name(name);
    app.add_subcommand(server);
  }
  refuse_negative_numbers(app);
}

std::vector<const CLI::App*> commands_of(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App*) { return true; });
}

namespace {

/// Explains wrong usage and returns the exit code for it.
int bad_usage(const std::string& sentence) {
  failed(sentence);
  console::print_error("loglog COMMAND --help tells of each command\n");
  return exit_bad_options;
}

int run_command(const std::vector<std::string>& arguments) {
  CommandLine line;
  if (arguments.empty()) {
    put("{}", line.app.help());
    return 0;
  }
  auto ordered = in_order(line.app, arguments);
  if (!ordered) return bad_usage(ordered.error());
  std::ranges::reverse(*ordered);  // CLI11 takes a vector of words from its end
  try {
    line.app.parse(*std::move(ordered));
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() != 0) return bad_usage(config::usage_sentence(line.app, e));
    std::ostringstream help;
    line.app.exit(e, help, help);
    put("{}", help.str());
    return 0;
  }
  return line.run ? line.run() : bad_usage("no command was given");
}

}  // namespace

int run_command_line(int argc, char** argv) {
  // If stdin, stdout or stderr is closed, a socket could get its number and receive the output.
  console::occupy_standard_descriptors();
  const std::string_view first = argc > 1 ? argv[1] : "";
  // The servers parse their options themselves, because they also read files and the environment.
  if (first == "storage") return storage::storage_main(argc - 1, argv + 1);
  if (first == "sequencer") return sequencer::sequencer_main(argc - 1, argv + 1);
  if (first == "complete") return finish_output(print_completions({argv + 2, argv + argc}));
  const int code = run_command({argv + 1, argv + std::max(1, argc)});
  forget_clients();
  return finish_output(code);
}

}  // namespace loglog::cli

// The tree of all commands of `loglog` and its two servers. Parsing, help, manual pages and
// completions all use this tree, so they cannot differ. main.cpp calls run_command_line().
#pragma once
#include "sdk/cli/cli.h"

namespace loglog::cli {

/// Not movable, because the parser keeps references into it.
struct CommandLine {
  CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  CLI::App app{"LogLog: an ordered, append-only, replicated log", "loglog"};
  Target target;
  Run run;  ///< after parsing: the work of the command given
};

/// The commands directly below a command.
std::vector<const CLI::App*> commands_of(const CLI::App& command);

/// Runs `loglog` and returns its exit code.
int run_command_line(int argc, char** argv);

}  // namespace loglog::cli

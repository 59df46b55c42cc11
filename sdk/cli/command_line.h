// The tree of all commands of `loglog` and its two servers: what is parsed, and what help, manual
// and completions are made of.
#pragma once
#include "sdk/cli/cli.h"

namespace loglog::cli {

struct CommandLine {
  CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  CLI::App app{"LogLog: an ordered, append-only, replicated log", "loglog"};
  Target target;
  Run run;  ///< after parsing: the work of the command given
};

/// The commands below one.
std::vector<const CLI::App*> commands_of(const CLI::App& command);

/// Runs `loglog`; its exit code.
int run_command_line(int argc, char** argv);

}  // namespace loglog::cli

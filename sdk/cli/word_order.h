// The order of words on a command line: options that all commands have may precede the command's
// name, which CLI11 does not allow. Pure; used by command_line.cpp.
#pragma once
#include <CLI/CLI.hpp>
#include <expected>
#include <string>
#include <vector>

namespace loglog::cli {

/// Moves options that every command has (--cluster, --timeout, --json, ...) from before the
/// command's words to behind them. Error: a sentence about a word that is no command, with the
/// nearest command.
std::expected<std::vector<std::string>, std::string> in_order(
    const CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace loglog::cli

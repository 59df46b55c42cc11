// Where the words of a command line may stand.
#pragma once
#include <CLI/CLI.hpp>
#include <expected>
#include <string>
#include <vector>

namespace loglog::cli {

/// Moves options that every command has (--cluster, --timeout, --json, …) from before the command's
/// words to after them, so that they may stand in either place. Else a sentence: a word that is no
/// command, with the nearest one.
std::expected<std::vector<std::string>, std::string> in_order(
    const CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace loglog::cli

// Where the options of a node's process come from, beside its command line.
#pragma once
#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace loglog::config {

/// Adds --config; `prefix` as for read_options.
void add_config_option(CLI::App& app, std::string_view prefix);

/// Takes each option of `app` from the first that gives it: the command line; the environment
/// variable PREFIX_OPTION (--staging-bytes: PREFIX_STAGING_BYTES); the TOML file that --config
/// (add_config_option) or PREFIX_CONFIG names. In the file keys are the options' names without
/// dashes in front, lists are arrays; an unknown key is refused, with its line and the known key
/// that is nearest.
///
/// Returns the exit code where the process is to end now (help, version, or an error, which stderr
/// has been told); else nullopt, and `told` says which options the file and the environment
/// decided.
std::optional<int> read_options(CLI::App& app, std::string_view prefix, int argc,
                                const char* const* argv, std::string& told);

}  // namespace loglog::config

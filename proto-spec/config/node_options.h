// The sources of a server process's options, beside its command line: environment and TOML file.
// The options themselves are declared by each server's app layer.
#pragma once
#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace loglog::config {

/// Adds --config. `prefix` as for read_options().
void add_config_option(CLI::App& app, std::string_view prefix);

/// Takes each option of `app` from the first source that gives it: the command line; the
/// environment variable PREFIX_OPTION (--staging-bytes: PREFIX_STAGING_BYTES); the TOML file named
/// by --config or PREFIX_CONFIG. In the file the keys are the option names without leading dashes,
/// and lists are arrays. An unknown key is refused with its line and the nearest known key.
///
/// Returns the exit code if the process must end now: help, version, or an error that stderr has
/// been told. Otherwise returns nullopt, and appends to `told` which options came from file and
/// environment.
std::optional<int> read_options(CLI::App& app, std::string_view prefix, int argc,
                                const char* const* argv, std::string& told);

}  // namespace loglog::config

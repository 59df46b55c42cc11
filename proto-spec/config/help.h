// How people see a program's options: in --help, and in manual pages and shell completions made
// from the same CLI11 tree. Parsing and errors are in usage.h and node_options.h.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace loglog::config {

/// False for a flag.
bool takes_value(const CLI::Option& o);
/// The values that the option is limited to; empty if it takes others too.
std::vector<std::string> choices_of(const CLI::Option& o);
/// Placeholder for the option's value: "auto|always|never", "SECONDS", "N"; empty for a flag.
std::string value_name_of(const CLI::Option& o);
/// The option's description with its range and default.
std::string meaning_of(const CLI::Option& o);

/// CLI11's help in this wording, wrapped at 80 columns.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();
  std::string make_option_opts(const CLI::Option* o) const override;
  std::string make_option_desc(const CLI::Option* o) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_footer(const CLI::App* command) const override;
  std::string make_description(const CLI::App* command) const override;
};

}  // namespace loglog::config

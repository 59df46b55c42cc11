// How a program's options are told to people: in --help, and in what is made of the same tree
// (manual pages, completions).
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace loglog::config {

bool takes_value(const CLI::Option& o);
/// The only values that it takes; none: it takes others too.
std::vector<std::string> choices_of(const CLI::Option& o);
/// What stands for its value: "auto|always|never", "SECONDS", "N"; empty for a flag.
std::string value_name_of(const CLI::Option& o);
/// What it does, with its range and default.
std::string meaning_of(const CLI::Option& o);

/// CLI11's help with these words, wrapped at 80 columns.
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

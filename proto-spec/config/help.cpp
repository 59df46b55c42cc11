#include "proto-spec/config/help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace loglog::config {
namespace {

constexpr std::size_t names_width = 32;  // columns
constexpr std::size_t line_width = 110;

/// What is between the first `begin` and the `end` after it.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const auto from = text.find(begin);
  if (from == std::string::npos) return {};
  const auto to = text.find(end, from + begin.size());
  return to == std::string::npos ? std::string() : text.substr(from + begin.size(), to - from - begin.size());
}

std::string wrapped(const std::string& text, std::size_t width) {
  std::string out;
  std::size_t column = 0;
  for (const std::string& word : CLI::detail::split(text, ' ')) {
    if (column > 0 && column + 1 + word.size() > width) {
      out += '\n';
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

}  // namespace

bool takes_value(const CLI::Option& o) { return o.get_items_expected_max() > 0; }

// CLI11 keeps what a check allows in the type's name only: "TEXT:{a,b}", "UINT:INT in [1 - 9]".
std::vector<std::string> choices_of(const CLI::Option& o) {
  const std::string all = between(o.get_type_name(), "{", "}");
  return all.empty() ? std::vector<std::string>() : CLI::detail::split(all, ',');
}

std::string value_name_of(const CLI::Option& o) {
  if (!takes_value(o)) return {};
  if (const auto choices = choices_of(o); !choices.empty()) return fmt::format("{}", fmt::join(choices, "|"));
  const std::string type = o.get_type_name();
  const std::string name = type.substr(0, type.find(" in ["));
  const std::string plain = name.starts_with("HOST:") ? name : name.substr(0, name.find(':'));
  return plain == "UINT" || plain == "INT" || plain == "FLOAT" ? "N" : plain;
}

std::string meaning_of(const CLI::Option& o) {
  std::string out = o.get_description();
  std::string range = between(o.get_type_name(), " in [", "]");
  if (const auto dash = range.find(" - "); dash != std::string::npos) range.replace(dash, 3, " to ");
  const std::string standard = takes_value(o) ? o.get_default_str() : std::string();
  if (!range.empty() && !standard.empty()) return fmt::format("{} ({}; default {})", out, range, standard);
  if (!range.empty()) return fmt::format("{} ({})", out, range);
  return standard.empty() ? out : fmt::format("{} (default {})", out, standard);
}

HelpFormatter::HelpFormatter() { column_width(names_width); }

std::string HelpFormatter::make_option_opts(const CLI::Option* o) const {
  const std::string name = o->get_positional() ? std::string() : value_name_of(*o);
  const bool may_lack = o->get_expected_min() == 0;
  std::string out = name.empty() ? "" : may_lack ? " [" + name + "]" : " " + name;
  if (o->get_required() && !o->get_positional()) out += " (required)";
  return out;
}

std::string HelpFormatter::make_option_desc(const CLI::Option* o) const { return wrapped(meaning_of(*o), line_width - names_width); }

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  std::ostringstream out;
  CLI::detail::format_help(out, command->get_name(), wrapped(command->get_description(), line_width - names_width), names_width);
  return out.str();
}

}  // namespace loglog::config

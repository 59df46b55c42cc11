// CLI11 keeps ranges and choices only inside an option's type name, so this file takes that text
// apart again.
#include "proto-spec/config/help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>

namespace loglog::config {
namespace {

// Columns: of the option names, and of a whole line.
constexpr std::size_t names_width = 26;
constexpr std::size_t line_width = 80;

/// The text between the first `begin` and the next `end` after it; empty if either is missing.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const auto from = text.find(begin);
  if (from == std::string::npos) return {};
  const auto to = text.find(end, from + begin.size());
  return to == std::string::npos ? std::string()
                                 : text.substr(from + begin.size(), to - from - begin.size());
}

// Breaks a paragraph at blanks. A word longer than `width` gets a line of its own.
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

/// Joins and wraps lines that are not indented. Indented lines (tables, examples) stay as they are;
/// if such a line is too long, it goes on below its second column.
std::string reflowed(const std::string& text, std::size_t width) {
  std::string out, paragraph;
  const auto end_paragraph = [&] {
    if (!paragraph.empty()) out += wrapped(paragraph, width) + '\n';
    paragraph.clear();
  };
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto indent = line.find_first_not_of(' ');
    if (indent == 0 && !line.ends_with(':')) {
      paragraph += (paragraph.empty() ? "" : " ") + line;
      continue;
    }
    end_paragraph();
    if (indent == std::string::npos || line.size() <= width) {
      out += line + '\n';
      continue;
    }
    const auto gap = line.find("   ", indent);
    const auto column = gap == std::string::npos ? indent + 4 : line.find_first_not_of(' ', gap);
    std::istringstream rest(
        wrapped(line.substr(gap == std::string::npos ? indent : column), width - column));
    out += gap == std::string::npos ? std::string(indent, ' ') : line.substr(0, column);
    bool first = true;
    for (std::string part; std::getline(rest, part); first = false)
      out += (first ? "" : std::string(column, ' ')) + part + '\n';
  }
  end_paragraph();
  return out;
}

}  // namespace

bool takes_value(const CLI::Option& o) { return o.get_items_expected_max() > 0; }

// CLI11 keeps the allowed values only in the type name: "TEXT:{a,b}", "UINT:INT in [1 - 9]".
std::vector<std::string> choices_of(const CLI::Option& o) {
  const std::string all = between(o.get_type_name(), "{", "}");
  return all.empty() ? std::vector<std::string>() : CLI::detail::split(all, ',');
}

// Addresses keep their form ("HOST:PORT"); other names lose the part that CLI11's validators append
// after a colon.
std::string value_name_of(const CLI::Option& o) {
  if (!takes_value(o)) return {};
  if (const auto choices = choices_of(o); !choices.empty())
    return fmt::format("{}", fmt::join(choices, "|"));
  const std::string type = o.get_type_name();
  const std::string name = type.substr(0, type.find(" in ["));
  const std::string plain = name.starts_with("HOST:") ? name : name.substr(0, name.find(':'));
  return plain == "UINT" || plain == "INT" || plain == "FLOAT" ? "N" : plain;
}

std::string meaning_of(const CLI::Option& o) {
  std::string out = o.get_description();
  std::string range = between(o.get_type_name(), " in [", "]");
  if (const auto dash = range.find(" - "); dash != std::string::npos)
    range.replace(dash, 3, " to ");
  const std::string standard = takes_value(o) ? o.get_default_str() : std::string();
  if (!range.empty() && !standard.empty())
    return fmt::format("{} ({}; default {})", out, range, standard);
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

std::string HelpFormatter::make_option_desc(const CLI::Option* o) const {
  return wrapped(meaning_of(*o), line_width - names_width);
}

std::string HelpFormatter::make_footer(const CLI::App* command) const {
  return command->get_footer().empty() ? std::string()
                                       : '\n' + reflowed(command->get_footer(), line_width);
}

std::string HelpFormatter::make_description(const CLI::App* command) const {
  return wrapped(command->get_description(), line_width) + '\n';
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  std::ostringstream out;
  CLI::detail::format_help(out, command->get_name(),
                           wrapped(command->get_description(), line_width - names_width),
                           names_width);
  return out.str();
}

}  // namespace loglog::config

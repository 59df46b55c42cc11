// CLI11 tells its errors in sentences of its own. This file recognises them by exception type and
// by text, so an upgrade of CLI11 must be checked against its tests.
#include "proto-spec/config/usage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <regex>
#include <string_view>

namespace loglog::config {
namespace {

/// Edit distance: letters to change, insert, drop or swap (optimal string alignment).
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min(
          {d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

/// CLI11 keeps an option group as a subcommand without a name.
bool is_command(const CLI::App* c) { return !c->get_name().empty(); }

// Long option names with their dashes, including the options of option groups.
std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::App* group :
       app.get_subcommands([](const CLI::App* c) { return !is_command(c); }))
    for (std::string& name : option_names(*group)) out.push_back(std::move(name));
  for (const CLI::Option* o : app.get_options())
    for (const std::string& name : o->get_lnames()) out.push_back("--" + name);
  return out;
}

/// The deepest subcommand that was recognised, and the words that call it.
std::pair<const CLI::App*, std::string> given(const CLI::App& app) {
  const CLI::App* at = &app;
  std::string words = app.get_name();
  while (!at->get_subcommands().empty() && is_command(at->get_subcommands().front())) {
    at = at->get_subcommands().front();
    words += " " + at->get_name();
  }
  return {at, words};
}

// The text behind `mark`; the whole text if `mark` is missing.
std::string after(const std::string& text, const std::string& mark) {
  const auto at = text.find(mark);
  return at == std::string::npos ? text : text.substr(at + mark.size());
}

/// Rewords CLI11's message about a value that a validator refused.
std::string refused_value(const std::string& what) {
  constexpr std::string_view not_in = " not in {";
  if (const auto at = what.find(not_in); at != std::string::npos) {
    const auto colon = what.find(": ");
    const std::string choices =
        what.substr(at + not_in.size(), what.find('}', at) - at - not_in.size());
    return fmt::format("{} {}: give {}", what.substr(0, colon),
                       what.substr(colon + 2, at - colon - 2),
                       fmt::join(CLI::detail::split(choices, ','), ", "));
  }
  const std::regex range(R"((.*: )Value (.*) not in range (.*) to (.*))");
  if (std::smatch m; std::regex_match(what, m, range))
    return fmt::format("{}{} is not between {} and {}", m.str(1), m.str(2), m.str(3), m.str(4));
  return what;
}

}  // namespace

std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& names) {
  std::optional<std::string> best;
  // A name is near if it takes at most 2 edits, and at most half as many as `word` has letters.
  std::size_t least = std::min<std::size_t>(2, word.size() / 2) + 1;
  for (const std::string& name : names)
    if (const std::size_t d = distance(word, name); d < least) {
      least = d;
      best = name;
    }
  return best;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::App* c : app.get_subcommands(is_command)) out.push_back(c->get_name());
  return out;
}

std::string unexpected_word(const CLI::App& command, const std::string& words,
                            const std::string& argument) {
  const bool option = argument.starts_with('-') && argument.size() > 1;
  std::string out = option ? fmt::format("{} has no option {}", words, argument)
                           : fmt::format("{} does not take \"{}\"", words, argument);
  const auto meant = nearest(argument.substr(0, argument.find('=')),
                             option ? option_names(command) : command_names(command));
  return meant ? fmt::format("{}; did you mean {}?", out, *meant) : out;
}

std::string usage_sentence(const CLI::App& app, const CLI::ParseError& e) {
  const auto [command, words] = given(app);
  std::string what = e.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&e) != nullptr) {
    const std::string all = after(what, "expected: ");
    return unexpected_word(*command, words, all.substr(0, all.find(' ')));
  }
  if (dynamic_cast<const CLI::RequiredError*>(&e) != nullptr)
    return fmt::format("{}: {}", words, what.starts_with("A subcommand") ? "name a command" : what);
  if (dynamic_cast<const CLI::ConversionError*>(&e) != nullptr)
    return fmt::format("{}: give a number", after(what, "Could not convert: "));
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&e) != nullptr)
    if (const auto colon = what.find(": 1 required "); colon != std::string::npos)
      return what.substr(0, colon) + " needs a value";
  if (dynamic_cast<const CLI::ExcludesError*>(&e) != nullptr)
    if (const auto at = what.find(" excludes "); at != std::string::npos)
      return fmt::format("{} and {} do not go together", what.substr(0, at),
                         after(what, " excludes "));
  if (dynamic_cast<const CLI::ValidationError*>(&e) != nullptr) return refused_value(what);
  return what;
}

CLI::Validator one_or_more() {
  return {[](std::string& value) {
            const bool digits = !value.empty() &&
                                value.find_first_not_of("0123456789") == std::string::npos &&
                                value.size() <= 20;
            const bool zero = value.find_first_not_of('0') == std::string::npos;
            return digits && !zero ? std::string()
                                   : fmt::format("{} is no number of 1 or more", value);
          },
          std::string()};
}

CLI::Validator digits_only() {
  return {[](std::string& value) {
            const bool digits = !value.empty() &&
                                value.find_first_not_of("0123456789") == std::string::npos &&
                                value.size() <= 20;
            return digits ? std::string() : fmt::format("{} is no number of digits alone", value);
          },
          std::string()};
}

}  // namespace loglog::config

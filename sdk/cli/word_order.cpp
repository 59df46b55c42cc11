// Walks down the tree of commands, collects common options on the way, and puts them behind the
// names.
#include "sdk/cli/word_order.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "proto-spec/config/usage.h"

namespace loglog::cli {
namespace {

/// Options that may stand before the command's name: first without a value, then with a value.
constexpr std::array flags = {"--json"};
constexpr std::array with_value = {"--cluster", "--timeout", "--color", "--progress"};

}  // namespace

std::expected<std::vector<std::string>, std::string> in_order(
    const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> path, early;
  const CLI::App* at = &app;
  std::string words = app.get_name();
  std::size_t i = 0;
  const auto is_one_of = [](const auto& names, const std::string& word) {
    return std::ranges::any_of(
        names, [&](const char* n) { return word == n || word.starts_with(std::string(n) + "="); });
  };
  for (; i < arguments.size() && !config::command_names(*at).empty(); ++i) {
    const std::string& word = arguments[i];
    if (is_one_of(flags, word) || is_one_of(with_value, word)) {
      early.push_back(word);
      if (is_one_of(with_value, word) && word.find('=') == std::string::npos &&
          i + 1 < arguments.size())
        early.push_back(arguments[++i]);
      continue;
    }
    if (word.starts_with('-')) {
      if (at->get_option_no_throw(word.substr(0, word.find('='))) == nullptr)
        return std::unexpected(config::unexpected_word(*at, words, word));
      break;  // an option of this level, such as --help: the rest needs no order
    }
    const auto found =
        at->get_subcommands([&word](const CLI::App* c) { return c->get_name() == word; });
    const CLI::App* below = found.empty() ? nullptr : found.front();
    if (below == nullptr) {
      const auto meant = config::nearest(word, config::command_names(*at));
      return std::unexpected(
          meant ? fmt::format("{} has no command \"{}\"; did you mean {}?", words, word, *meant)
                : fmt::format("{} has no command \"{}\"; it has {}", words, word,
                              fmt::join(config::command_names(*at), ", ")));
    }
    at = below;
    words += " " + word;
    path.push_back(word);
  }
  if (i == arguments.size() && at != &app && !config::command_names(*at).empty())
    return std::unexpected(
        fmt::format("{} needs a command: {}", words, fmt::join(config::command_names(*at), ", ")));
  path.insert(path.end(), early.begin(), early.end());
  path.insert(path.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
  return path;
}

}  // namespace loglog::cli

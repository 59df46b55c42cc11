// Error sentences for a command line that does not parse: a sentence in LogLog's own words, with
// the nearest known name. The servers and `loglog` use it.
#pragma once
#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace loglog::config {

/// The name in `names` that differs from `word` by a slip of the finger: at most 2 edits, and at
/// most half of the word. nullopt if none is so near.
std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& names);

/// The names of the subcommands of `app`.
std::vector<std::string> command_names(const CLI::App& app);

/// The sentence for a word or option that `command` does not know, with the nearest known name.
/// `words`: the command as the user called it.
std::string unexpected_word(const CLI::App& command, const std::string& words,
                            const std::string& argument);

/// Explains a parse error in a sentence. `app` has parsed the line as far as it could.
std::string usage_sentence(const CLI::App& app, const CLI::ParseError& e);

/// For an option that is a count: digits alone, because CLI11 reads a negative number as a very
/// large unsigned number.
CLI::Validator digits_only();
/// The same, and not 0.
CLI::Validator one_or_more();

}  // namespace loglog::config

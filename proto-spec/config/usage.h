// What a command line that cannot be parsed is told: one sentence in our words, with the name that
// was meant.
#pragma once
#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace loglog::config {

/// The one of `names` that `word` is a slip of the finger away from; nullopt: none is near.
std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& names);

/// The names of the commands that `app` has.
std::vector<std::string> command_names(const CLI::App& app);

/// What is said of a word or an option that `command` does not know, with the nearest name that it
/// does. `words`: how the command is called.
std::string unexpected_word(const CLI::App& command, const std::string& words,
                            const std::string& argument);

/// Why parsing failed, as a sentence. `app` has parsed as far as it could.
std::string usage_sentence(const CLI::App& app, const CLI::ParseError& e);

/// Of an option that is a count or a number: digits alone, because a minus would be taken for a
/// very large number.
CLI::Validator digits_only();
/// The same, and not 0.
CLI::Validator one_or_more();

}  // namespace loglog::config

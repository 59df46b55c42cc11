// What a command line that cannot be parsed is told: one sentence in our words, with the name that was meant.
#pragma once
#include <CLI/CLI.hpp>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace loglog::cli {

/// The one of `names` that `word` is a slip of the finger away from; nullopt: none is near.
std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& names);

/// Moves options that every command has (--cluster, --timeout, --json, …) from before the command's words to after them, so that they may
/// stand in either place. Else a sentence: a word that is no command, with the nearest one.
std::expected<std::vector<std::string>, std::string> in_order(const CLI::App& app, const std::vector<std::string>& arguments);

/// Why parsing failed, as a sentence. `app` has parsed as far as it could.
std::string usage_sentence(const CLI::App& app, const CLI::ParseError& e);

/// Of an option that is a count or a number: digits alone, because a minus would be taken for a very large number.
CLI::Validator digits_only();

}  // namespace loglog::cli

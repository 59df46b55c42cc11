// Completion in shells. The shells' scripts know no commands: they pass the words of the line to
// `loglog complete`, which looks into the tree of commands (command_line.h) and asks the cluster
// for the names of logs. So an installed script stays valid when commands change.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace loglog::cli {

/// Candidates for a word.
struct Completion {
  enum class From : std::uint8_t { words, files, folders, logs };
  From from = From::words;  ///< source of further candidates: the shell's files or folders, or logs
  std::vector<std::pair<std::string, std::string>> words;  ///< candidates with their meanings
  std::string begun;    ///< the beginning of the value that is typed already
  std::string before;   ///< "--option=" if the value stands in the same word, else empty
  std::string cluster;  ///< value of --cluster on the line; empty: none
};
/// Candidates for the last of `words`, which may be empty. `words` is without the program's name.
/// Pure.
Completion complete(const CLI::App& root, const std::vector<std::string>& words);

/// The work of `loglog complete [--] WORD...`: prints a line for each candidate: the word, a tab
/// and its meaning. ":files" or ":folders" asks the shell to list them. Returns 0 always, because
/// an error message would disturb the line that is being typed.
int print_completions(std::vector<std::string> words);

/// The script for a shell: bash, zsh or fish.
std::string_view completion_script(std::string_view shell);

}  // namespace loglog::cli

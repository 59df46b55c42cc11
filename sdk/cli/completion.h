// What the shells complete. They know nothing of the commands: they give the words of the line to
// `loglog complete`, which looks into the tree that is parsed, and asks the cluster for the names
// of logs.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace loglog::cli {

struct Completion {
  enum class From : std::uint8_t { words, files, folders, logs };
  From from = From::words;  ///< else the shell lists them, or the cluster
  std::vector<std::pair<std::string, std::string>> words;  ///< what may stand there, and what it is
  std::string begun;    ///< of a file or log: what is there already
  std::string before;   ///< "--option=" where the value is in the same word
  std::string cluster;  ///< given by --cluster
};
/// For the last of `words`, which may be empty; the name of the program is not among them.
Completion complete(const CLI::App& root, const std::vector<std::string>& words);

/// The work of `loglog complete [--] WORD…`: a candidate a line, a tab and what it is behind it;
/// ":files" or ":folders" where the shell is to list them. Never fails.
int print_completions(std::vector<std::string> words);

/// The script that a shell is to load: bash, zsh or fish.
std::string_view completion_script(std::string_view shell);

}  // namespace loglog::cli

// Manual pages, made of the same tree and words as --help.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

namespace loglog::cli {

/// The page of one command in section 1, as man(7) roff. `name` is the command as it is typed
/// ("loglog append"); a command that is nothing without its sub-commands ("loglog logs") has them
/// on its page.
///
/// A footer becomes sections: a paragraph that begins with a line of one or two words and a colon
/// ("Exit codes:") is one of its own. Lines that begin with two spaces are kept as they are.
std::string manual_page(const CLI::App& command, const std::string& name);

/// All pages of `loglog`, by the name of their files ("loglog-append.1").
std::vector<std::pair<std::string, std::string>> manual_pages(const CLI::App& root);

}  // namespace loglog::cli

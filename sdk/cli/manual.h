// Manual pages as man(7) roff, made from the tree of commands and the texts of --help. Pure, but
// for the command `loglog man` itself.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

namespace loglog::cli {

/// The page of a command in section 1. `name` is the command as it is typed ("loglog append"). A
/// command that only groups others ("loglog logs") has them on its page.
///
/// A footer becomes sections: a paragraph that begins with a short line and a colon ("Exit codes:")
/// is a section with that title. Lines that begin with two spaces keep their form.
std::string manual_page(const CLI::App& command, const std::string& name);

/// All pages of `loglog`, with the names of their files ("loglog-append.1").
std::vector<std::pair<std::string, std::string>> manual_pages(const CLI::App& root);

}  // namespace loglog::cli

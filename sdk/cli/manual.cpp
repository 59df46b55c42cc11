// Each function returns the roff of a part; escaped() must be applied to every text that comes from
// the tree, and to nothing else.
#include "sdk/cli/manual.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "proto-spec/config/help.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "sdk/cli/command_line.h"
#include "sdk/cli/posix_output.h"

namespace loglog::cli {
namespace {

/// Escapes a text so that roff prints it unchanged: a hyphen stays a hyphen that a shell accepts,
/// and no line is taken for a request.
std::string escaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool starts_line = i == 0 || text[i - 1] == '\n';
    if (starts_line && (text[i] == '.' || text[i] == '\'')) out += "\\&";
    if (text[i] == '\\') out += "\\e";
    else if (text[i] == '-') out += "\\-";
    else if (text[i] == '\'') out += "\\(aq";
    else if (text[i] == '`') out += "\\(ga";
    else if (text[i] == '^') out += "\\(ha";
    else if (text[i] == '~') out += "\\(ti";
    else out += text[i];
  }
  return out;
}
std::string bold(const std::string& text) { return "\\fB" + escaped(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + escaped(text) + "\\fR"; }

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::vector<const CLI::Option*> positionals_of(const CLI::App& app) {
  return app.get_options([](const CLI::Option* o) { return o->get_positional(); });
}
std::vector<const CLI::Option*> options_of(const CLI::App& app) {
  return app.get_options(
      [](const CLI::Option* o) { return o->nonpositional() && !o->get_group().empty(); });
}
/// True for a command that only groups others, such as "loglog logs". The tree has no deeper level.
bool is_group(const CLI::App& app) {
  return app.get_parent() != nullptr && !commands_of(app).empty();
}

std::string file_name(std::string name) {
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string synopsis(const CLI::App& app, const std::string& name) {
  std::string out = bold(name);
  if (!options_of(app).empty()) out += " [" + italic("OPTIONS") + "]";
  for (const CLI::Option* o : positionals_of(app)) out += " " + italic(o->get_name(true, false));
  if (!commands_of(app).empty()) out += " " + italic("COMMAND");
  return out + "\n";
}

/// The option's names as they are typed, and its value: "\-h, \-\-help".
std::string names_of(const CLI::Option& o) {
  std::string out;
  for (const std::string& s : o.get_snames()) out += (out.empty() ? "" : ", ") + bold("-" + s);
  for (const std::string& l : o.get_lnames()) out += (out.empty() ? "" : ", ") + bold("--" + l);
  const std::string value = config::value_name_of(o);
  if (value.empty()) return out;
  return out + (o.get_expected_min() == 0 ? " [" + italic(value) + "]" : " " + italic(value));
}

std::string arguments(const CLI::App& app) {
  std::string out;
  for (const CLI::Option* o : positionals_of(app)) {
    out += fmt::format(".TP\n{}\n{}", italic(o->get_name(true, false)),
                       escaped(config::meaning_of(*o)));
    if (const auto choices = config::choices_of(*o); !choices.empty())
      out += ": " + escaped(CLI::detail::join(choices, ", "));
    out += ".\n";
  }
  return out;
}

std::string options(const CLI::App& app) {
  std::string out;
  for (const CLI::Option* o : options_of(app))
    out += fmt::format(".TP\n{}\n{}{}.\n", names_of(*o), escaped(config::meaning_of(*o)),
                       o->get_required() ? "; required" : "");
  return out;
}

struct Section {
  std::string title;  // empty: goes to the description
  std::string roff;
};

/// A paragraph of a footer. Indented lines keep their form (.nf), because they are examples.
std::string paragraph(const std::vector<std::string>& lines) {
  std::string out;
  bool kept = false;
  for (const std::string& line : lines) {
    const bool keep = line.starts_with("  ");
    if (keep != kept) out += keep ? ".RS 2\n.nf\n" : ".fi\n.RE\n";
    kept = keep;
    out += escaped(keep ? line.substr(2) : line) + "\n";
  }
  return kept ? out + ".fi\n.RE\n" : out;
}

/// Whether a line is a title: at most two words, not indented, and a colon.
bool is_title(const std::string& line) {
  return line.ends_with(':') && !line.starts_with(' ') &&
         std::count(line.begin(), line.end(), ' ') <= 1;
}

/// Splits a footer at empty lines.
std::vector<Section> sections_of(const std::string& footer) {
  std::vector<Section> out;
  std::vector<std::string> lines;
  const auto end_paragraph = [&] {
    if (lines.empty()) return;
    const bool titled = is_title(lines.front());
    std::string title = titled ? lines.front().substr(0, lines.front().size() - 1) : "";
    if (titled) lines.erase(lines.begin());
    out.push_back({upper(title), paragraph(lines)});
    lines.clear();
  };
  for (const std::string& line : CLI::detail::split(footer, '\n')) {
    if (line.empty()) end_paragraph();
    else lines.push_back(line);
  }
  end_paragraph();
  return out;
}

std::string capital(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

/// The section COMMANDS: of a group each command in full, of the root a list of pages.
std::string commands(const CLI::App& app, const std::string& name) {
  std::string out;
  for (const CLI::App* c : commands_of(app)) {
    if (is_group(app)) {
      out += ".SS \"" + escaped(name + " " + c->get_name()) + "\"\n" +
             synopsis(*c, name + " " + c->get_name()) + ".PP\n";
      out += escaped(capital(c->get_description())) + ".\n" + arguments(*c) + options(*c);
      for (const Section& s : sections_of(c->get_footer()))
        out += ".PP\n" + (s.title.empty() ? "" : escaped(s.title) + "\n.br\n") + s.roff;
    } else {
      out += fmt::format(".TP\n{}(1)\n{}.\n", bold(file_name(name + " " + c->get_name())),
                         escaped(capital(c->get_description())));
    }
  }
  return out;
}

}  // namespace

std::string manual_page(const CLI::App& command, const std::string& name) {
  const auto sections = sections_of(command.get_footer());
  std::string out = fmt::format(
      ".\\\" Made by loglog man; do not edit.\n.TH \"{}\" 1 \"\" \"loglog {}\" \"LogLog\"\n",
      upper(file_name(name)), LOGLOG_VERSION);
  const auto section = [&out](const char* title, const std::string& text) {
    if (!text.empty()) out += fmt::format(".SH {}\n{}", title, text);
  };
  section("NAME",
          fmt::format("{} \\- {}\n", escaped(file_name(name)), escaped(command.get_description())));
  section("SYNOPSIS", synopsis(command, name));
  std::string description = escaped(capital(command.get_description())) + ".\n";
  for (const Section& s : sections)
    if (s.title.empty()) description += ".PP\n" + s.roff;
  section("DESCRIPTION", description);
  section("ARGUMENTS", arguments(command));
  section("COMMANDS", commands(command, name));
  section("OPTIONS", options(command));
  for (const Section& s : sections)
    if (!s.title.empty()) section(fmt::format("\"{}\"", escaped(s.title)).c_str(), s.roff);
  if (name != "loglog") section("SEE ALSO", bold("loglog") + "(1)\n");
  return out;
}

std::vector<std::pair<std::string, std::string>> manual_pages(const CLI::App& root) {
  std::vector<std::pair<std::string, std::string>> out = {
      {"loglog.1", manual_page(root, "loglog")}};
  for (const CLI::App* c : commands_of(root)) {
    // The servers are also programs of their own, and people know them by those names.
    const bool server = c->get_name() == "storage" || c->get_name() == "sequencer";
    const std::string name = (server ? "loglog-" : "loglog ") + c->get_name();
    out.emplace_back(file_name(name) + ".1", manual_page(*c, name));
  }
  return out;
}

namespace {

struct ManOptions {
  std::string command;
  std::string folder;
};

int write_all(const std::string& folder) {
  const CommandLine line;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return failed(fmt::format("cannot make the folder {}: {}", folder, error.message()));
  for (const auto& [name, text] : manual_pages(line.app))
    if (const int code = write_file((std::filesystem::path(folder) / name).string(), text);
        code != 0)
      return code;
  return 0;
}

int man(const ManOptions& o) {
  if (!o.folder.empty()) return write_all(o.folder);
  const CommandLine line;
  const std::string wanted = o.command.empty() ? "loglog.1" : "loglog-" + o.command + ".1";
  for (const auto& [name, text] : manual_pages(line.app)) {
    if (name != wanted) continue;
    put("{}", text);
    return 0;
  }
  failed(fmt::format("there is no command {}; loglog --help names all", o.command));
  return exit_bad_options;
}

}  // namespace

void add_man(CLI::App& app, Run& run) {
  auto o = std::make_shared<ManOptions>();
  auto* c = app.add_subcommand("man", "print a manual page, as roff");
  auto* command =
      c->add_option("COMMAND", o->command, "the command (default: the page of loglog itself)")
          ->type_name("TEXT");
  c->add_option("--output", o->folder, "write the pages of all commands into this folder")
      ->type_name(folder_type)
      ->excludes(command);
  c->footer(R"(An installed loglog has its pages where man finds them: man loglog-append.

Examples:
  loglog man append | man -l -
  loglog man --output /usr/local/share/man/man1)");
  c->callback([&run, o] { run = [o] { return man(*o); }; });
}

}  // namespace loglog::cli

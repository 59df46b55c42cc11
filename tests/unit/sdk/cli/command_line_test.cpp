// The command tree of `loglog` as help, manual pages and completion present it: every command and
// option explains itself, and the presentations agree.
#include "sdk/cli/command_line.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "proto-spec/config/help.h"
#include "sdk/cli/completion.h"
#include "sdk/cli/manual.h"
#include "sdk/cli/text.h"

using namespace loglog;
using namespace loglog::cli;

namespace {
/// All commands below `app`, at any depth.
std::vector<const CLI::App*> all_commands(const CLI::App& app) {
  std::vector<const CLI::App*> out;
  for (const CLI::App* c : app.get_subcommands([](const CLI::App*) { return true; })) {
    out.push_back(c);
    for (const CLI::App* below : all_commands(*c)) out.push_back(below);
  }
  return out;
}
/// The completion of a command line; the last word is the word being typed.
Completion at(const std::vector<std::string>& words) {
  const CommandLine line;
  return complete(line.app, words);
}
std::set<std::string> words_at(const std::vector<std::string>& words) {
  std::set<std::string> out;
  for (const auto& [word, what] : at(words).words) out.insert(word);
  return out;
}
using Set = std::set<std::string>;
}  // namespace

TEST_CASE("every command and option says what it does, and lines of help fit") {
  const CommandLine line;
  const auto commands = all_commands(line.app);
  CHECK(commands.size() > 15);
  for (const CLI::App* c : commands) {
    CAPTURE(c->get_name());
    CHECK(!c->get_description().empty());
    for (const CLI::Option* o : c->get_options()) {
      CAPTURE(o->get_name(true, true));
      CHECK(!o->get_description().empty());
      // A default value is shown once.
      const std::string told = config::meaning_of(*o);
      CHECK_MESSAGE(told.find("(default ") == told.rfind("(default "), told);
    }
    if (c->get_name() == "storage" || c->get_name() == "sequencer")
      continue;  // the same formatter, but wider tables
    for (const std::string& l : CLI::detail::split(c->help(), '\n'))
      CHECK_MESSAGE(columns_of(l) <= 80, l);
  }
}

TEST_CASE("help tells choices, ranges and defaults in words") {
  const CommandLine line;
  const CLI::App* append = line.app.get_subcommand("append");
  const CLI::Option* timeout = append->get_option("--timeout");
  CHECK(config::value_name_of(*timeout) == "TIME");
  CHECK(config::meaning_of(*timeout) ==
        "how long an entry may take until it is given up, as 60, 90s or 5m (default 60s)");
  const CLI::Option* progress = append->get_option("--progress");
  CHECK(config::value_name_of(*progress) == "auto|always|never");
  CHECK(config::choices_of(*progress) == std::vector<std::string>{"auto", "always", "never"});
  CHECK(config::value_name_of(*append->get_option("--create")).empty());
  CHECK(config::value_name_of(*append->get_option("--cluster")) == "HOST:PORT");
  const std::string help = append->help();
  CHECK(help.find("--progress auto|always|never") != std::string::npos);
  CHECK(help.find("{") == std::string::npos);
}

TEST_CASE("completion: commands, their options, choices, files and logs") {
  CHECK(words_at({""}).contains("append"));
  CHECK(words_at({"st"}) == Set{"status", "storage"});
  CHECK(words_at({"logs", "de"}) == Set{"delete", "describe"});
  CHECK(words_at({"status", "--w"}) == Set{"--watch"});
  CHECK(words_at({"read", "--format", ""}) == Set{"lines", "json", "raw"});
  CHECK(words_at({"read", "--format", "j"}) == Set{"json"});
  CHECK(words_at({"read", "--nothing", "--format", "j"}) == Set{"json"});
  CHECK(at({"read", "--format=j"}).before == "--format=");
  CHECK(words_at({"read", "--format=j"}) == Set{"json"});
  CHECK(words_at({"bench", "f"}) == Set{"follow"});
  CHECK(words_at({"storage", "--io"}) == Set{"--io-engine"});
  CHECK(words_at({"nonsense", "a"}).contains("append"));

  CHECK(at({"append", ""}).from == Completion::From::logs);
  CHECK(at({"append", "--create", "e"}).from == Completion::From::logs);
  CHECK(at({"append", "--create", "e"}).begun == "e");
  CHECK(at({"append", "--timeout", "5", ""}).from == Completion::From::logs);
  CHECK(at({"append", "--timeout=5", ""}).from == Completion::From::logs);
  CHECK(at({"logs", "trim", ""}).from == Completion::From::logs);
  CHECK(at({"bench", "append", "--log", ""}).from == Completion::From::logs);
  CHECK(at({"append", "--file", "x"}).from == Completion::From::files);
  CHECK(at({"inspect", ""}).from == Completion::From::files);
  CHECK(at({"dev", "--data", ""}).from == Completion::From::folders);
  // A new name cannot be completed from existing logs.
  CHECK(at({"logs", "create", ""}).from == Completion::From::words);
  CHECK(at({"append", "events", ""}).from == Completion::From::words);

  CHECK(at({"append", "--cluster", "a:1,b:2", ""}).cluster == "a:1,b:2");
  CHECK(at({"append", "--cluster=a:1", ""}).cluster == "a:1");
}

TEST_CASE("completion: a value that may be left out is not taken from the option that follows") {
  CHECK(words_at({"status", "--watch", "--js"}) == Set{"--json"});
  CHECK(words_at({"status", "--watch", "2", "--js"}) == Set{"--json"});
  CHECK(words_at({"status", "--watch", "--color", "n"}) == Set{"never"});
}

TEST_CASE("manual: a page a command, made of the words of its help") {
  const CommandLine line;
  std::set<std::string> names;
  for (const auto& [name, text] : manual_pages(line.app)) {
    CAPTURE(name);
    names.insert(name);
    CHECK(text.find(".SH NAME\nloglog") != std::string::npos);
    CHECK(text.find(".SH SYNOPSIS\n") != std::string::npos);
    for (const std::string& l : CLI::detail::split(text, '\n'))
      CHECK_MESSAGE(!l.empty(), "an empty line is a paragraph of its own kind");
  }
  for (const char* wanted : {"loglog.1", "loglog-append.1", "loglog-logs.1", "loglog-status.1",
                             "loglog-storage.1", "loglog-sequencer.1"})
    CHECK(names.contains(wanted));
  CHECK(!names.contains("loglog-logs-create.1"));
}

TEST_CASE("manual: options, sections and what roff would take for its own") {
  CLI::App root{"the whole", "loglog"};
  CLI::App* c = root.add_subcommand("try", "try things");
  std::string value = "a";
  c->add_option("--value,-v", value, "a value of back\\slash, '80s")
      ->capture_default_str()
      ->check(CLI::IsMember({"a", "b"}));
  c->add_option("NAME", value, "of it");
  c->footer(
      "Some words.\nMore.\n\n.dots begin a line\n\nExamples:\n  loglog try 'x' --value a\n\nExit "
      "codes:\n  0   done");
  const std::string page = manual_page(*c, "loglog try");
  const auto has = [&page](const std::string& part) {
    return page.find(part) != std::string::npos;
  };
  CHECK(has(".TH \"LOGLOG-TRY\" 1 "));
  CHECK(has("loglog\\-try \\- try things\n"));
  CHECK(has("\\fBloglog try\\fR [\\fIOPTIONS\\fR] \\fINAME\\fR\n"));
  CHECK(
      has("\\fB\\-v\\fR, \\fB\\-\\-value\\fR \\fIa|b\\fR\na value of back\\eslash, \\(aq80s "
          "(default a).\n"));
  CHECK(has(".PP\nSome words.\nMore.\n"));
  CHECK(has("\n\\&.dots begin"));
  CHECK(has(".SH \"EXAMPLES\"\n.RS 2\n.nf\nloglog try \\(aqx\\(aq \\-\\-value a\n.fi\n.RE\n"));
  CHECK(has(".SH \"EXIT CODES\"\n"));
}

// All sources are turned into command-line words, so that CLI11 checks a value in the same way
// wherever it came from.
#include "proto-spec/config/node_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <set>
#include <stdexcept>
#include <vector>

#include "proto-spec/config/help.h"
#include "proto-spec/config/usage.h"
#include "proto-spec/console/error_output.h"
#include "proto-spec/vocabulary/exit_code.h"

namespace loglog::config {
namespace {

/// An error in the environment or in the file; its text goes to stderr.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Options that act, and that no environment variable or file may give.
bool is_action(const std::string& name) {
  return name == "help" || name == "version" || name == "check-config" || name == "config";
}

// Names that the environment and the file may give.
std::set<std::string> options_of(const CLI::App& app) {
  std::set<std::string> names;
  for (const CLI::Option* o : app.get_options())
    for (const std::string& name : o->get_lnames())
      if (!is_action(name)) names.insert(name);
  return names;
}

// "staging-bytes" with prefix P gives "P_STAGING_BYTES".
std::string variable_of(std::string_view prefix, const std::string& option) {
  std::string name = fmt::format("{}_{}", prefix, option);
  for (char& c : name)
    c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

/// The value as a word of a command line. Throws Refused for a type that no option has; `where`
/// names file, line and key.
std::string value_of(const toml::node& node, const std::string& where) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "on" : "off";
  if (const auto* list = node.as_array()) {
    std::vector<std::string> parts;
    for (const toml::node& element : *list) parts.push_back(value_of(element, where));
    return fmt::format("{}", fmt::join(parts, ","));
  }
  throw Refused(where + ": give a string, a whole number, true or false, or an array of these");
}

// Reads the TOML file. Throws Refused for a syntax error or an unknown key.
std::map<std::string, std::string> values_in(const std::string& path,
                                             const std::set<std::string>& known) {
  std::map<std::string, std::string> values;
  toml::table table;
  try {
    table = toml::parse_file(path);
  } catch (const toml::parse_error& e) {
    throw Refused(fmt::format("{}:{}: {}", path, e.source().begin.line, e.description()));
  }
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const std::string where = fmt::format("{}:{}: {}", path, key.source().begin.line, name);
    if (!known.contains(name)) {
      const auto meant = nearest(name, {known.begin(), known.end()});
      throw Refused(fmt::format("{} is not known; {}", where,
                                meant ? fmt::format("did you mean {}?", *meant)
                                      : fmt::format("there are {}", fmt::join(known, ", "))));
    }
    values[name] = value_of(node, where);
  }
  return values;
}

/// The option names on the command line. Sets `file` to the value of --config, which must be known
/// before CLI11 parses.
std::set<std::string> given_on(int argc, const char* const* argv, std::string& file) {
  std::set<std::string> given;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word(argv[i]);
    if (!word.starts_with("--")) continue;
    const auto equals = word.find('=');
    const std::string name(word.substr(2, equals == std::string_view::npos ? equals : equals - 2));
    if (name == "config")
      file = equals != std::string_view::npos ? word.substr(equals + 1)
             : i + 1 < argc                   ? argv[i + 1]
                                              : "";
    given.insert(name);
  }
  return given;
}

}  // namespace

void add_config_option(CLI::App& app, std::string_view prefix) {
  const std::string what = fmt::format(
      "TOML file with these options, named as here; the command line and environment variables "
      "({}, ...) come first",
      variable_of(prefix, "OPTION"));
  // read_options() finds the value before CLI11 parses; the option is declared for help and
  // completion.
  app.add_option("--config", what)->type_name("FILE");
}

std::optional<int> read_options(CLI::App& app, std::string_view prefix, int argc,
                                const char* const* argv, std::string& told) {
  std::string file;
  app.formatter(std::make_shared<HelpFormatter>());
  std::vector<std::string> words(argv + 1, argv + argc);
  const auto bad = [&app](const std::string& sentence) {
    console::print_error("{0}: {1}\n{0} --help tells of each option\n", app.get_name(), sentence);
    return exit_bad_options;
  };
  try {
    const std::set<std::string> known = options_of(app);
    std::set<std::string> given = given_on(argc, argv, file);
    // Unknown options are refused first. CLI11 would complain about missing options instead.
    for (const std::string& name : given)
      if (!known.contains(name) && !is_action(name))
        throw Refused(unexpected_word(app, app.get_name(), "--" + name));
    if (const char* named = std::getenv(variable_of(prefix, "config").c_str());
        file.empty() && named != nullptr)
      file = named;
    std::vector<std::string> from_environment, from_file;
    for (const std::string& name : known) {
      const char* value = std::getenv(variable_of(prefix, name).c_str());
      if (value == nullptr || !given.insert(name).second) continue;
      words.push_back(fmt::format("--{}={}", name, value));
      from_environment.push_back(name);
    }
    if (!file.empty())
      for (const auto& [name, value] : values_in(file, known)) {
        if (!given.insert(name).second) continue;
        words.push_back(fmt::format("--{}={}", name, value));
        from_file.push_back(name);
      }
    if (!from_environment.empty())
      told += fmt::format("; from the environment: {}", fmt::join(from_environment, ", "));
    if (!from_file.empty()) told += fmt::format("; from {}: {}", file, fmt::join(from_file, ", "));
    // CLI11 takes the words of a vector from its back.
    std::reverse(words.begin(), words.end());
    app.parse(words);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    return bad(usage_sentence(app, e));
  } catch (const Refused& e) {
    return bad(e.what());
  }
  return std::nullopt;
}

}  // namespace loglog::config

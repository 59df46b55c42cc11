#include "proto-spec/config/node_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>
#include <vector>

#include "proto-spec/config/help.h"
#include "proto-spec/console/error_output.h"
#include "proto-spec/vocabulary/exit_code.h"

namespace loglog::config {
namespace {

/// What is wrong with the environment or the file.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Only asked for on the command line.
bool is_action(const std::string& name) { return name == "help" || name == "version" || name == "check-config" || name == "config"; }

std::set<std::string> options_of(const CLI::App& app) {
  std::set<std::string> names;
  for (const CLI::Option* o : app.get_options())
    for (const std::string& name : o->get_lnames())
      if (!is_action(name)) names.insert(name);
  return names;
}

std::string variable_of(std::string_view prefix, const std::string& option) {
  std::string name = fmt::format("{}_{}", prefix, option);
  for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

/// How many letters must change (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j)
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)}));
  }
  return row.back();
}

std::string nearest(const std::string& name, const std::set<std::string>& known) {
  return *std::min_element(known.begin(), known.end(), [&](const auto& a, const auto& b) { return distance(name, a) < distance(name, b); });
}

/// As the command line would have it.
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

std::map<std::string, std::string> values_in(const std::string& path, const std::set<std::string>& known) {
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
    if (!known.contains(name)) throw Refused(fmt::format("{} is not known; did you mean {}?", where, nearest(name, known)));
    values[name] = value_of(node, where);
  }
  return values;
}

/// The names that the command line gives, and the value of --config.
std::set<std::string> given_on(int argc, const char* const* argv, std::string& file) {
  std::set<std::string> given;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word(argv[i]);
    if (!word.starts_with("--")) continue;
    const auto equals = word.find('=');
    const std::string name(word.substr(2, equals == std::string_view::npos ? equals : equals - 2));
    if (name == "config") file = equals != std::string_view::npos ? word.substr(equals + 1) : i + 1 < argc ? argv[i + 1] : "";
    given.insert(name);
  }
  return given;
}

}  // namespace

void add_config_option(CLI::App& app, std::string_view prefix) {
  const std::string what =
      fmt::format("TOML file with these options, named as here; the command line and environment variables ({}, ...) come first",
                  variable_of(prefix, "OPTION"));
  app.add_option("--config", what)->type_name("FILE");  // read_options finds its value before it parses
}

std::optional<int> read_options(CLI::App& app, std::string_view prefix, int argc, const char* const* argv, std::string& told) {
  std::string file;
  app.formatter(std::make_shared<HelpFormatter>());
  std::vector<std::string> words(argv + 1, argv + argc);
  try {
    const std::set<std::string> known = options_of(app);
    std::set<std::string> given = given_on(argc, argv, file);
    if (const char* named = std::getenv(variable_of(prefix, "config").c_str()); file.empty() && named != nullptr) file = named;
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
    if (!from_environment.empty()) told += fmt::format("; from the environment: {}", fmt::join(from_environment, ", "));
    if (!from_file.empty()) told += fmt::format("; from {}: {}", file, fmt::join(from_file, ", "));
    std::reverse(words.begin(), words.end());
    app.parse(words);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : exit_bad_options;
  } catch (const Refused& e) {
    console::print_error("{}\n", e.what());
    return exit_bad_options;
  }
  return std::nullopt;
}

}  // namespace loglog::config

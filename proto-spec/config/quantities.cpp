// Parsing is strict (no blank, exact unit); the error sentences are lenient and guess the unit that
// was meant.
#include "proto-spec/config/quantities.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <span>
#include <utility>

namespace loglog::config {
namespace {

// A unit and its size in the base unit: bytes or milliseconds.
struct Unit {
  const char* name;
  double factor;
};

constexpr std::array size_units = {Unit{"B", 1}, Unit{"KiB", 0x1p10}, Unit{"MiB", 0x1p20},
                                   Unit{"GiB", 0x1p30}, Unit{"TiB", 0x1p40}};
constexpr std::array time_units = {Unit{"ms", 1}, Unit{"s", 1e3}, Unit{"m", 60e3},
                                   Unit{"h", 3600e3}, Unit{"d", 86400e3}};

/// Written in the largest unit that divides `n`.
std::string in_units(std::uint64_t n, std::span<const Unit> units) {
  const Unit* best = &units.front();
  for (const Unit& u : units)
    if (n > 0 && n % static_cast<std::uint64_t>(u.factor) == 0) best = &u;
  return fmt::format("{}{}", n / static_cast<std::uint64_t>(best->factor), best->name);
}

/// Reads a number and a unit without a blank between them. With `first_is_default` a number alone
/// is in the first unit. nullopt for any other text.
template <std::size_t N>
std::optional<std::uint64_t> parse_number(const std::string& text, const std::array<Unit, N>& units,
                                          bool first_is_default) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc{} || text.front() == '-') return std::nullopt;
  const std::string unit(rest, end);
  for (std::size_t i = 0; i < N; ++i) {
    if (unit != units[i].name && !(unit.empty() && i == 0 && first_is_default)) continue;
    const double value = std::round(number * units[i].factor);
    // Below 9e15 every whole number is exact in a double.
    return value < 9e15 ? std::optional(static_cast<std::uint64_t>(value)) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_bytes(const std::string& text) {
  return parse_number(text, size_units, true);
}
std::string as_written(std::uint64_t bytes) { return in_units(bytes, size_units); }
std::string as_written(std::chrono::milliseconds time) {
  return in_units(static_cast<std::uint64_t>(time.count()), time_units);
}

std::optional<std::chrono::milliseconds> parse_duration(const std::string& text) {
  const auto ms = parse_number(text, time_units, false);
  if (!ms) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(*ms));
}

std::expected<std::uint64_t, std::string> read_size(const std::string& text) {
  if (const auto bytes = parse_bytes(text)) return *bytes;
  // "1Gb", "10g", "64 mb": suggest the same number with the most likely unit.
  const auto digits = text.find_first_not_of("0123456789.");
  const auto letter = digits == std::string::npos || digits == 0
                          ? std::string::npos
                          : text.find_first_not_of(' ', digits);
  if (letter != std::string::npos)
    for (const char* unit : {"KiB", "MiB", "GiB", "TiB"})
      if (std::tolower(static_cast<unsigned char>(text[letter])) ==
          std::tolower(static_cast<unsigned char>(unit[0])))
        return std::unexpected(fmt::format(
            "{} is no size; write {}{} (units are B, KiB, MiB, GiB, TiB: powers of 1024)", text,
            text.substr(0, digits), unit));
  return std::unexpected(fmt::format(
      "{} is no size; write bytes, as 1048576, or 64MiB (B, KiB, MiB, GiB, TiB)", text));
}

std::expected<std::chrono::milliseconds, std::string> read_duration(const std::string& text) {
  if (const auto time = parse_duration(text)) return *time;
  if (!text.empty() && text.find_first_not_of("0123456789.") == std::string::npos)
    if (const auto seconds = parse_duration(text + "s")) return *seconds;
  return std::unexpected(
      fmt::format("{} is no time; write seconds, as 30, or 500ms, 90s, 5m, 2h, 7d", text));
}

CLI::Option* add_size(CLI::App& command, const std::string& name,
                      std::function<void(std::uint64_t)> set, const std::string& what,
                      const SizeRange& range) {
  auto* o = command.add_option_function<std::string>(
      name,
      [name, set = std::move(set), range](const std::string& text) {
        const auto bytes = read_size(text);
        if (!bytes) throw CLI::ValidationError(name, bytes.error());
        if (*bytes < range.least || *bytes > range.most)
          throw CLI::ValidationError(name, fmt::format("{} is not between {} and {} bytes", text,
                                                       range.least, range.most));
        set(*bytes);
      },
      what);
  if (!range.standard.empty()) o->default_str(range.standard);
  return o->type_name("SIZE");
}

CLI::Option* add_duration(CLI::App& command, const std::string& name,
                          std::function<void(std::chrono::milliseconds)> set,
                          const std::string& what, const DurationRange& range) {
  auto* o = command.add_option_function<std::string>(
      name,
      [name, set = std::move(set), range](const std::string& text) {
        const auto time = read_duration(text);
        if (!time) throw CLI::ValidationError(name, time.error());
        if (*time < range.least || *time > range.most)
          throw CLI::ValidationError(name,
                                     fmt::format("{} is not between {} and {} seconds", text,
                                                 static_cast<double>(range.least.count()) / 1000,
                                                 range.most.count() / 1000));
        set(*time);
      },
      what);
  if (!range.standard.empty()) o->default_str(range.standard);
  return o->type_name("TIME");
}

CLI::Option* add_duration(CLI::App& command, const std::string& name,
                          std::chrono::milliseconds& value, const std::string& what,
                          const DurationRange& range) {
  return add_duration(
      command, name, [&value](std::chrono::milliseconds t) { value = t; }, what, range);
}

}  // namespace loglog::config

// What people write for sizes, durations and times.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <ctime>
#include <utility>

#include "sdk/cli/cli.h"

namespace loglog::cli {
namespace {

struct Unit {
  const char* name;
  double factor;
};

/// A number and one of the units, without space between; the first unit may be left out where `first_is_default`.
template <std::size_t N>
std::optional<std::uint64_t> parse_number(const std::string& text, const std::array<Unit, N>& units, bool first_is_default) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc{} || text.front() == '-') return std::nullopt;
  const std::string unit(rest, end);
  for (std::size_t i = 0; i < N; ++i) {
    if (unit != units[i].name && !(unit.empty() && i == 0 && first_is_default)) continue;
    const double value = std::round(number * units[i].factor);
    return value < 9e15 ? std::optional(static_cast<std::uint64_t>(value)) : std::nullopt;  // exact in a double
  }
  return std::nullopt;
}

/// "Z", "+01:00", "-0530": seconds east of Greenwich; no place on earth is further off than 14 hours.
std::optional<long> parse_zone(const char* text) {
  constexpr long farthest = 14 * 3600;
  if (std::strcmp(text, "Z") == 0) return 0;
  tm zone{};
  if (std::strlen(text) < 5 || std::strchr("+-", *text) == nullptr) return std::nullopt;
  const char* const end = strptime(text, "%z", &zone);
  const bool whole = end != nullptr && *end == 0 && zone.tm_gmtoff >= -farthest && zone.tm_gmtoff <= farthest;
  return whole ? std::optional(zone.tm_gmtoff) : std::nullopt;
}

/// Local time. An hour that comes twice, as clocks are set back, is the earlier one: a reader that begins there misses nothing.
time_t local_seconds(const tm& written) {
  tm either = written;
  either.tm_isdst = -1;
  time_t seconds = mktime(&either);
  for (const int summer : {0, 1}) {
    tm at = written;
    at.tm_isdst = summer;
    const time_t as = mktime(&at);
    if (at.tm_isdst == summer && at.tm_hour == written.tm_hour && at.tm_min == written.tm_min) seconds = std::min(seconds, as);
  }
  return seconds;
}

/// The nearest that the type can hold, which is some 292 years off 1970: whoever asks for more means the log's begin, or its end.
std::chrono::system_clock::time_point time_point_of(std::chrono::milliseconds since_1970) {
  using Clock = std::chrono::system_clock;
  using std::chrono::milliseconds;
  if (since_1970 <= std::chrono::duration_cast<milliseconds>(Clock::duration::min())) return Clock::time_point::min();
  if (since_1970 >= std::chrono::duration_cast<milliseconds>(Clock::duration::max())) return Clock::time_point::max();
  return Clock::time_point(since_1970);
}

}  // namespace

std::optional<std::uint64_t> parse_bytes(const std::string& text) {
  static constexpr std::array units = {Unit{"B", 1}, Unit{"KiB", 0x1p10}, Unit{"MiB", 0x1p20}, Unit{"GiB", 0x1p30}, Unit{"TiB", 0x1p40}};
  return parse_number(text, units, true);
}

std::optional<std::chrono::milliseconds> parse_duration(const std::string& text) {
  static constexpr std::array units = {Unit{"ms", 1}, Unit{"s", 1e3}, Unit{"m", 60e3}, Unit{"h", 3600e3}, Unit{"d", 86400e3}};
  const auto ms = parse_number(text, units, false);
  if (!ms) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(*ms));
}

std::expected<std::uint64_t, std::string> read_size(const std::string& text) {
  if (const auto bytes = parse_bytes(text)) return *bytes;
  // "1Gb", "10g", "64 mb": the number, and the unit that is meant most likely.
  const auto digits = text.find_first_not_of("0123456789.");
  const auto letter = digits == std::string::npos || digits == 0 ? std::string::npos : text.find_first_not_of(' ', digits);
  if (letter != std::string::npos)
    for (const char* unit : {"KiB", "MiB", "GiB", "TiB"})
      if (std::tolower(static_cast<unsigned char>(text[letter])) == std::tolower(static_cast<unsigned char>(unit[0])))
        return std::unexpected(
            fmt::format("{} is no size; write {}{} (units are B, KiB, MiB, GiB, TiB: powers of 1024)", text, text.substr(0, digits), unit));
  return std::unexpected(fmt::format("{} is no size; write bytes, as 1048576, or 64MiB (B, KiB, MiB, GiB, TiB)", text));
}

std::expected<std::chrono::milliseconds, std::string> read_duration(const std::string& text) {
  if (const auto time = parse_duration(text)) return *time;
  if (!text.empty() && text.find_first_not_of("0123456789.") == std::string::npos)
    if (const auto seconds = parse_duration(text + "s")) return *seconds;
  return std::unexpected(fmt::format("{} is no time; write seconds, as 30, or 500ms, 90s, 5m, 2h, 7d", text));
}

CLI::Option* add_size(CLI::App& command, const std::string& name, std::function<void(std::uint64_t)> set, const std::string& what,
                      const SizeRange& range) {
  auto* o = command.add_option_function<std::string>(
      name,
      [name, set = std::move(set), range](const std::string& text) {
        const auto bytes = read_size(text);
        if (!bytes) throw CLI::ValidationError(name, bytes.error());
        if (*bytes < range.least || *bytes > range.most)
          throw CLI::ValidationError(name, fmt::format("{} is not between {} and {} bytes", text, range.least, range.most));
        set(*bytes);
      },
      what);
  if (!range.standard.empty()) o->default_str(range.standard);
  return o->type_name("SIZE");
}

CLI::Option* add_duration(CLI::App& command, const std::string& name, std::function<void(std::chrono::milliseconds)> set,
                          const std::string& what, const DurationRange& range) {
  auto* o = command.add_option_function<std::string>(
      name,
      [name, set = std::move(set), range](const std::string& text) {
        const auto time = read_duration(text);
        if (!time) throw CLI::ValidationError(name, time.error());
        if (*time < range.least || *time > range.most)
          throw CLI::ValidationError(name, fmt::format("{} is not between {} and {} seconds", text,
                                                       static_cast<double>(range.least.count()) / 1000, range.most.count() / 1000));
        set(*time);
      },
      what);
  if (!range.standard.empty()) o->default_str(range.standard);
  return o->type_name("TIME");
}

CLI::Option* add_duration(CLI::App& command, const std::string& name, std::chrono::milliseconds& value, const std::string& what,
                          const DurationRange& range) {
  return add_duration(command, name, [&value](std::chrono::milliseconds t) { value = t; }, what, range);
}

std::optional<std::chrono::system_clock::time_point> parse_time(const std::string& text, std::chrono::system_clock::time_point now) {
  if (text.starts_with('-')) {
    const auto before = parse_duration(text.substr(1));
    if (!before) return std::nullopt;
    return time_point_of(std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()) - *before);
  }
  tm at{};
  at.tm_isdst = -1;
  const char* rest = strptime(text.c_str(), "%Y-%m-%d", &at);
  if (rest == nullptr) return std::nullopt;
  if (*rest == 'T' || *rest == ' ') rest = strptime(rest + 1, "%H:%M:%S", &at);
  else if (*rest != 0) return std::nullopt;
  if (rest == nullptr) return std::nullopt;
  double fraction = 0;
  if (*rest == '.') rest = std::from_chars(rest, rest + std::strlen(rest), fraction, std::chars_format::fixed).ptr;
  tm day = at;
  day.tm_isdst = 0;
  const time_t utc = timegm(&day);
  if (day.tm_mday != at.tm_mday || day.tm_mon != at.tm_mon) return std::nullopt;  // no such day
  time_t seconds = 0;
  if (*rest == 0) {
    seconds = local_seconds(at);
  } else {
    const auto zone = parse_zone(rest);
    if (!zone) return std::nullopt;
    seconds = utc - *zone;
  }
  return time_point_of(std::chrono::seconds(seconds) + std::chrono::milliseconds(static_cast<std::int64_t>(std::round(fraction * 1000))));
}

}  // namespace loglog::cli

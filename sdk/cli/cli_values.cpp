// What people write for sizes, durations and times.
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

/// "Z", "+01:00", "-0530": seconds east of Greenwich.
std::optional<long> parse_zone(const char* text) {
  if (std::strcmp(text, "Z") == 0) return 0;
  tm zone{};
  if (std::strlen(text) < 5 || std::strchr("+-", *text) == nullptr) return std::nullopt;
  const char* const end = strptime(text, "%z", &zone);
  return end != nullptr && *end == 0 ? std::optional(zone.tm_gmtoff) : std::nullopt;
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

std::optional<std::chrono::system_clock::time_point> parse_time(const std::string& text, std::chrono::system_clock::time_point now) {
  if (text.starts_with('-')) {
    const auto before = parse_duration(text.substr(1));
    return before ? std::optional(now - *before) : std::nullopt;
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
  const tm written = at;
  time_t seconds = 0;
  if (*rest == 0) {
    seconds = mktime(&at);
  } else {
    const auto zone = parse_zone(rest);
    if (!zone) return std::nullopt;
    seconds = timegm(&at) - *zone;
  }
  if (at.tm_mday != written.tm_mday || at.tm_mon != written.tm_mon) return std::nullopt;  // no such day
  return std::chrono::system_clock::from_time_t(seconds) +
         std::chrono::milliseconds(static_cast<std::int64_t>(std::round(fraction * 1000)));
}

}  // namespace loglog::cli

// parse_time(): points in time as people write them. Ambiguous local times are read so that a
// reader that begins there misses no entry.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <ctime>

#include "sdk/cli/cli.h"

namespace loglog::cli {
namespace {

/// Parses a zone such as "Z", "+01:00" or "-0530" as seconds east of Greenwich. No zone on earth is
/// further than 14 hours away, so a larger value is an error.
std::optional<long> parse_zone(const char* text) {
  constexpr long farthest = 14 * 3600;
  if (std::strcmp(text, "Z") == 0) return 0;
  tm zone{};
  if (std::strlen(text) < 5 || std::strchr("+-", *text) == nullptr) return std::nullopt;
  const char* const end = strptime(text, "%z", &zone);
  const bool whole =
      end != nullptr && *end == 0 && zone.tm_gmtoff >= -farthest && zone.tm_gmtoff <= farthest;
  return whole ? std::optional(zone.tm_gmtoff) : std::nullopt;
}

/// Converts local time. In an hour that comes twice, because clocks are set back, the earlier time
/// counts.
time_t local_seconds(const tm& written) {
  tm either = written;
  either.tm_isdst = -1;
  time_t seconds = mktime(&either);
  // mktime() chooses either reading if tm_isdst is unknown, so both are tried.
  for (const int summer : {0, 1}) {
    tm at = written;
    at.tm_isdst = summer;
    const time_t as = mktime(&at);
    if (at.tm_isdst == summer && at.tm_hour == written.tm_hour && at.tm_min == written.tm_min)
      seconds = std::min(seconds, as);
  }
  return seconds;
}

/// The nearest time that the type can hold, which reaches 292 years from 1970. A time beyond it
/// means the log's begin, or its end.
std::chrono::system_clock::time_point time_point_of(std::chrono::milliseconds since_1970) {
  using Clock = std::chrono::system_clock;
  using std::chrono::milliseconds;
  if (since_1970 <= std::chrono::duration_cast<milliseconds>(Clock::duration::min()))
    return Clock::time_point::min();
  if (since_1970 >= std::chrono::duration_cast<milliseconds>(Clock::duration::max()))
    return Clock::time_point::max();
  return Clock::time_point(since_1970);
}

}  // namespace

std::optional<std::chrono::system_clock::time_point> parse_time(
    const std::string& text, std::chrono::system_clock::time_point now) {
  if (text.starts_with('-')) {
    const auto before = parse_duration(text.substr(1));
    if (!before) return std::nullopt;
    return time_point_of(
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()) - *before);
  }
  tm at{};
  at.tm_isdst = -1;
  const char* rest = strptime(text.c_str(), "%Y-%m-%d", &at);
  if (rest == nullptr) return std::nullopt;
  if (*rest == 'T' || *rest == ' ') rest = strptime(rest + 1, "%H:%M:%S", &at);
  else if (*rest != 0) return std::nullopt;
  if (rest == nullptr) return std::nullopt;
  double fraction = 0;
  if (*rest == '.')
    rest = std::from_chars(rest, rest + std::strlen(rest), fraction, std::chars_format::fixed).ptr;
  tm day = at;
  day.tm_isdst = 0;
  const time_t utc = timegm(&day);
  if (day.tm_mday != at.tm_mday || day.tm_mon != at.tm_mon)
    return std::nullopt;  // timegm() normalised a day that does not exist, such as 30 February
  time_t seconds = 0;
  if (*rest == 0) {
    seconds = local_seconds(at);
  } else {
    const auto zone = parse_zone(rest);
    if (!zone) return std::nullopt;
    seconds = utc - *zone;
  }
  return time_point_of(
      std::chrono::seconds(seconds) +
      std::chrono::milliseconds(static_cast<std::int64_t>(std::round(fraction * 1000))));
}

}  // namespace loglog::cli

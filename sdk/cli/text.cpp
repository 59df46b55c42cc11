// Widths are counted in characters of UTF-8, not in bytes, so that tables stay aligned.
#include "sdk/cli/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace loglog::cli {
namespace {

/// Length in bytes of the escape sequence or character at `at`. A sequence ends with a letter.
std::size_t unit_size(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  if (text[at] == '\x1b') {
    while (end < text.size() &&
           !((text[end] >= 'A' && text[end] <= 'Z') || (text[end] >= 'a' && text[end] <= 'z')))
      ++end;
    return std::min(end + 1, text.size()) - at;
  }
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) ++end;
  return end - at;
}

}  // namespace

std::string human_bytes(double bytes) {
  static constexpr std::array<const char*, 7> units = {"B",   "KiB", "MiB", "GiB",
                                                       "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  // A value that would be printed as 1024 is printed as 1.0 of the next unit.
  while (unit + 1 < units.size() && bytes >= (unit == 0 ? 1024.0 : 1023.5)) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", bytes, unit > 0 && bytes < 99.95 ? 1 : 0, units[unit]);
}

std::string human_seconds(double seconds) {
  const auto s = static_cast<std::uint64_t>(std::llround(std::max(0.0, seconds)));
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
  return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t at = 0; at < text.size(); at += unit_size(text, at))
    columns += text[at] != '\x1b' ? 1 : 0;
  return columns;
}

std::string cut_to(std::string_view text, std::size_t width) {
  std::string out;
  std::size_t columns = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = unit_size(text, at);
    const bool escape = text[at] == '\x1b';
    if (escape || columns < width) out += text.substr(at, size);
    columns += escape ? 0 : 1;
    at += size;
  }
  return out;
}

std::string paint(std::string_view text, Colour colour, bool colours) {
  static constexpr std::array<const char*, 6> codes = {"", "1", "2", "31", "33", "32"};
  if (!colours || colour == Colour::plain) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", codes[static_cast<std::size_t>(colour)], text);
}

std::string table(const std::vector<std::vector<Cell>>& rows, std::size_t indent, bool colours) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], columns_of(row[i].text));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line(indent, ' ');
    std::size_t cells = row.size();
    // Empty cells at the end are left out, so that no line ends in spaces.
    while (cells > 0 && row[cells - 1].text.empty()) --cells;
    for (std::size_t i = 0; i < cells; ++i) {
      const std::string room(widths[i] - columns_of(row[i].text), ' ');
      const bool last = i + 1 == cells;
      if (row[i].right) line += room;
      line += paint(row[i].text, row[i].colour, colours);
      if (!row[i].right && !last) line += room;
      if (!last) line += "  ";
    }
    out += line + '\n';
  }
  return out;
}

}  // namespace loglog::cli

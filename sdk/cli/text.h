// Text for people: sizes, durations, colours and tables. Pure; colours are off unless asked for.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace loglog::cli {

/// "512 B", "1.2 MiB": about three digits, in powers of 1024.
std::string human_bytes(double bytes);
/// "7 s", "3 min 20 s", "2 h 5 min".
std::string human_seconds(double seconds);
/// Columns of the terminal that UTF-8 text takes. Escape sequences take none; wide and combining
/// characters count as a single column.
std::size_t columns_of(std::string_view text);
/// The first `width` columns of the text. Escape sequences stay whole and take no column; those
/// behind the cut are kept, so that a colour ends.
std::string cut_to(std::string_view text, std::size_t width);

enum class Colour : std::uint8_t { plain, bold, dim, red, yellow, green };
/// The text between escape sequences for the colour; the text alone if `colours` is false.
std::string paint(std::string_view text, Colour colour, bool colours);

struct Cell {
  std::string text;
  Colour colour = Colour::plain;
  bool right = false;  ///< aligned
};
/// Rows of cells as lines, each column as wide as its widest cell, two spaces between; `indent`
/// spaces in front.
std::string table(const std::vector<std::vector<Cell>>& rows, std::size_t indent, bool colours);

}  // namespace loglog::cli

// Figures as people read them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace loglog::cli {

/// "512 B", "1.2 MiB": three digits or so, in powers of 1024.
std::string human_bytes(double bytes);
/// "7 s", "3 min 20 s", "2 h 5 min".
std::string human_seconds(double seconds);
/// Columns of the terminal that UTF-8 text takes, escape sequences aside; wide and combining
/// characters count as one.
std::size_t columns_of(std::string_view text);
/// Its first `width` columns; all of it where it has no more. Escape sequences are kept whole and
/// take none.
std::string cut_to(std::string_view text, std::size_t width);

enum class Colour : std::uint8_t { plain, bold, dim, red, yellow, green };
/// `text` between the escape sequences for it, or alone where colours are off.
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

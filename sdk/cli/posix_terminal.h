// What the terminal is, and the part of it that is not plain text.
#pragma once
#include <cstdint>
#include <string_view>

namespace loglog::cli {

/// Of --color and --progress.
enum class When : std::uint8_t { automatic, always, never };

enum class Stream : std::uint8_t { in = 0, out = 1, error = 2 };

bool is_terminal(Stream s);
/// Of the terminal; 80 and 24 where there is none.
struct ScreenSize {
  unsigned columns = 80;
  unsigned rows = 24;
  bool operator==(const ScreenSize&) const = default;
};
ScreenSize screen_size(Stream s);

/// Whether text for `s` is to be coloured. `automatic`: on a terminal, unless NO_COLOR is set
/// (https://no-color.org) or TERM is dumb.
bool wants_colour(When when, Stream s);

/// A page of its own on stdout, which must be a terminal: what was there before comes back when
/// this goes.
class Screen {
 public:
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  /// Replaces all that it shows by the first lines of `text`, as many and as much of them as fit
  /// `size`.
  void show(std::string_view text, ScreenSize size);
};

}  // namespace loglog::cli

// Properties of the terminal, and a full screen on it. Escape sequences of text are in text.h.
#pragma once
#include <cstdint>
#include <string_view>

namespace loglog::cli {

/// Value of --color and --progress.
enum class When : std::uint8_t { automatic, always, never };

/// The standard streams, by their descriptors.
enum class Stream : std::uint8_t { in = 0, out = 1, error = 2 };

bool is_terminal(Stream s);
/// Size of the terminal in characters; 80 and 24 if there is no terminal.
struct ScreenSize {
  unsigned columns = 80;
  unsigned rows = 24;
  bool operator==(const ScreenSize&) const = default;
};
ScreenSize screen_size(Stream s);

/// Whether text for `s` is coloured. `automatic`: on a terminal, unless NO_COLOR is set
/// (https://no-color.org) or TERM is dumb.
bool wants_colour(When when, Stream s);

/// The alternate screen of the terminal on stdout, without a cursor. Destruction brings the
/// previous content back.
class Screen {
 public:
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  /// Shows `text` in place of the previous text, cut to the lines and columns of `size`.
  void show(std::string_view text, ScreenSize size);
};

}  // namespace loglog::cli

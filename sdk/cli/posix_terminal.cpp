// Escape sequences are those of xterm, which every common terminal understands.
#include "sdk/cli/posix_terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "sdk/cli/posix_output.h"
#include "sdk/cli/text.h"

namespace loglog::cli {
namespace {

void draw(std::string_view text) {
  write_out(text);
  flush_out();
}

}  // namespace

bool is_terminal(Stream s) { return isatty(static_cast<int>(s)) == 1; }

ScreenSize screen_size(Stream s) {
  winsize w{};
  if (ioctl(static_cast<int>(s), TIOCGWINSZ, &w) != 0 || w.ws_col == 0 || w.ws_row == 0) return {};
  return {w.ws_col, w.ws_row};
}

bool wants_colour(When when, Stream s) {
  if (when != When::automatic) return when == When::always;
  const char* refused = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return is_terminal(s) && (refused == nullptr || *refused == '\0') &&
         (terminal == nullptr || std::string_view(terminal) != "dumb");
}

Screen::Screen() { draw("\x1b[?1049h\x1b[?25l"); }  // the alternate screen, no cursor
Screen::~Screen() { draw("\x1b[?25h\x1b[?1049l"); }

/// Overwrites line by line and clears each rest, because clearing the screen first would flicker.
void Screen::show(std::string_view text, ScreenSize size) {
  std::string out = "\x1b[H";
  unsigned row = 0;
  while (!text.empty() && row < size.rows) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (row++ > 0) out += '\n';
    out += cut_to(text.substr(0, end), size.columns) + "\x1b[0m\x1b[K";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  draw(out + "\x1b[J");
}

}  // namespace loglog::cli

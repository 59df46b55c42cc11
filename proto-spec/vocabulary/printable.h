// Makes text from another process safe for a log line or a terminal. The event log applies it to
// every line; the command line applies it to names and errors that it prints.
#pragma once
#include <string>
#include <string_view>

namespace loglog {

/// Replaces control characters by \n, \t or \xNN, so that no text forges a log line or sends
/// commands to a terminal. The two-byte UTF-8 controls U+0080 to U+009F are replaced too. All other
/// bytes stay, including a backslash, so the result cannot be reversed.
inline std::string printable(std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  const auto code = [](char c) {
    const auto b = static_cast<unsigned char>(c);
    return std::string{'\\', 'x', digits[b >> 4], digits[b & 15]};
  };
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto b = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0u;
    if (b == '\n') out += "\\n";
    else if (b == '\t') out += "\\t";
    else if (b < 0x20 || b == 0x7f) out += code(text[i]);
    else if (b == 0xc2 && next >= 0x80 && next <= 0x9f) {
      out += code(text[i]);
      out += code(text[++i]);
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace loglog

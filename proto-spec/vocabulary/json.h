// Helpers for JSON that code writes by hand (status pages, CLI output): string escaping, with any
// bytes as input. There is no document model and no parser here.
#pragma once
#include <fmt/format.h>

#include <string>
#include <string_view>

namespace loglog {

/// Length in bytes of the valid UTF-8 character that `s` begins with; 0 if `s` is empty or begins
/// with none. Overlong forms, surrogates and values above U+10FFFF count as none.
inline std::size_t utf8_length(std::string_view s) {
  const auto at = [&](std::size_t i) {
    return static_cast<unsigned char>(i < s.size() ? s[i] : 0);
  };
  const unsigned char b = at(0);
  if (b < 0x80) return s.empty() ? 0 : 1;
  const std::size_t n = b >= 0xC2 && b <= 0xDF   ? 2
                        : (b & 0xF0) == 0xE0     ? 3
                        : b >= 0xF0 && b <= 0xF4 ? 4
                                                 : 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((at(i) & 0xC0) != 0x80) return 0;
  const bool overlong = (b == 0xE0 && at(1) < 0xA0) || (b == 0xF0 && at(1) < 0x90);
  // Surrogates, and values above U+10FFFF.
  const bool beyond = (b == 0xED && at(1) > 0x9F) || (b == 0xF4 && at(1) > 0x8F);
  return overlong || beyond ? 0 : n;
}

/// `s` in double quotes, escaped. Bytes that are not UTF-8 become U+FFFD, so that any text, such as
/// a log name, gives a valid document.
inline std::string json_string(std::string_view s) {
  std::string out = "\"";
  while (!s.empty()) {
    const std::size_t n = utf8_length(s);
    const char c = s[0];
    if (n == 0) out += "\\ufffd";
    else if (n == 1 && static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else if (c == '"' || c == '\\') out += {'\\', c};
    else out += s.substr(0, n);
    s.remove_prefix(n == 0 ? 1 : n);
  }
  return out + '"';
}

}  // namespace loglog

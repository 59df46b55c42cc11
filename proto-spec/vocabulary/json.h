// JSON that is written by hand: small, flat, one truth for how a string is escaped.
#pragma once
#include <fmt/format.h>

#include <string>
#include <string_view>

namespace loglog {

/// "…" with what JSON wants escaped. Bytes from 0x80 on go through as they are: the text is UTF-8.
inline std::string json_string(std::string_view s) {
  std::string out = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else out += c;
  }
  return out + '"';
}

}  // namespace loglog

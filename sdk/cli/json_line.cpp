// A small parser instead of a library: the lines are flat, and a strict parser keeps a damaged
// backup from being appended as something else.
#include "sdk/cli/json_line.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

namespace loglog::cli {
namespace {

constexpr std::string_view letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The value of each base64 letter; 64 for any other byte.
constexpr std::array<std::uint8_t, 256> values = [] {
  std::array<std::uint8_t, 256> out{};
  out.fill(64);
  for (std::size_t i = 0; i < letters.size(); ++i)
    out[static_cast<unsigned char>(letters[i])] = static_cast<std::uint8_t>(i);
  return out;
}();

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put_byte = [&out](std::uint32_t b) {
    out += static_cast<char>(static_cast<unsigned char>(b));
  };
  if (c < 0x80) return put_byte(c);
  if (c < 0x800) {
    put_byte(0xC0 | (c >> 6));
  } else if (c < 0x10000) {
    put_byte(0xE0 | (c >> 12));
    put_byte(0x80 | ((c >> 6) & 0x3F));
  } else {
    put_byte(0xF0 | (c >> 18));
    put_byte(0x80 | ((c >> 12) & 0x3F));
    put_byte(0x80 | ((c >> 6) & 0x3F));
  }
  put_byte(0x80 | (c & 0x3F));
}

/// Parses a text that is a single flat object.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  std::expected<std::map<std::string, JsonValue>, std::string> object() {
    std::map<std::string, JsonValue> out;
    if (!take('{')) return std::unexpected("the line is no JSON object");
    for (bool first = true; !take('}'); first = false) {
      if (!first && !take(',')) return std::unexpected("a comma or } is missing");
      const auto name = string();
      if (!name) return std::unexpected("a field's name in quotes is missing");
      if (!take(':'))
        return std::unexpected(fmt::format("the colon after \"{}\" is missing", *name));
      auto v = value();
      if (!v)
        return std::unexpected(fmt::format(
            "the value of \"{}\" is not a string, a number, true, false or null", *name));
      if (!out.emplace(*name, std::move(*v)).second)
        return std::unexpected(fmt::format("\"{}\" is there twice", *name));
    }
    skip_space();
    if (!rest_.empty()) return std::unexpected("there is more than one object in the line");
    return out;
  }

 private:
  void skip_space() {
    const auto n = rest_.find_first_not_of(" \t\r");
    rest_.remove_prefix(n == std::string_view::npos ? rest_.size() : n);
  }
  bool take(char c) {
    skip_space();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::optional<std::uint32_t> hex4() {
    std::uint32_t out = 0;
    if (rest_.size() < 4) return std::nullopt;
    for (int i = 0; i < 4; ++i) {
      const char c = rest_[static_cast<std::size_t>(i)];
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return std::nullopt;
      out = out * 16 + static_cast<std::uint32_t>(digit);
    }
    rest_.remove_prefix(4);
    return out;
  }
  /// Reads the digits of \uXXXX, and the second escape of a surrogate pair; appends the character.
  bool unicode(std::string& out) {
    auto c = hex4();
    if (!c) return false;
    if (*c >= 0xD800 && *c < 0xDC00) {
      if (!rest_.starts_with("\\u")) return false;
      rest_.remove_prefix(2);
      const auto low = hex4();
      if (!low || *low < 0xDC00 || *low > 0xDFFF) return false;
      c = 0x10000 + ((*c - 0xD800) << 10) + (*low - 0xDC00);
    } else if (*c >= 0xDC00 && *c <= 0xDFFF) {
      return false;
    }
    append_utf8(out, *c);
    return true;
  }
  std::optional<std::string> string() {
    if (!take('"')) return std::nullopt;
    std::string out;
    for (;;) {
      const auto end = rest_.find_first_of("\"\\");
      if (end == std::string_view::npos) return std::nullopt;
      out += rest_.substr(0, end);
      const bool closed = rest_[end] == '"';
      rest_.remove_prefix(end + 1);
      if (closed) return out;
      if (rest_.empty()) return std::nullopt;
      const char c = rest_.front();
      rest_.remove_prefix(1);
      static constexpr std::string_view escapes = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
      if (c == 'u') {
        if (!unicode(out)) return std::nullopt;
      } else if (const auto i = escapes.find(c); i != std::string_view::npos) {
        out += meanings[i];
      } else {
        return std::nullopt;
      }
    }
  }
  /// A string, or a word up to the next separator. The spelling of numbers is not checked further.
  std::optional<JsonValue> value() {
    skip_space();
    if (rest_.starts_with('"')) {
      auto s = string();
      return s ? std::optional(JsonValue{true, std::move(*s)}) : std::nullopt;
    }
    const auto end = std::min(rest_.find_first_of(", \t\r}"), rest_.size());
    const std::string_view word = rest_.substr(0, end);
    const bool number =
        !word.empty() && word.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
    if (!number && word != "true" && word != "false" && word != "null") return std::nullopt;
    rest_.remove_prefix(end);
    return JsonValue{false, std::string(word)};
  }

  std::string_view rest_;
};

}  // namespace

std::string to_base64(std::string_view in) {
  std::string out;
  out.reserve((in.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < in.size(); i += 3) {
    const auto byte = [&](std::size_t k) {
      return i + k < in.size() ? static_cast<unsigned char>(in[i + k]) : 0u;
    };
    const unsigned v = (byte(0) << 16) | (byte(1) << 8) | byte(2);
    out += letters[v >> 18];
    out += letters[(v >> 12) & 63];
    out += i + 1 < in.size() ? letters[(v >> 6) & 63] : '=';
    out += i + 2 < in.size() ? letters[v & 63] : '=';
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const std::size_t absent = i + 4 == text.size() ? padding : 0;
    std::uint32_t v = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const std::uint8_t six = k < 4 - absent ? values[static_cast<unsigned char>(text[i + k])] : 0;
      if (six == 64) return std::nullopt;
      v = (v << 6) | six;
    }
    if ((absent >= 1 && (v & 0xFF) != 0) || (absent == 2 && (v & 0xFFFF) != 0))
      return std::nullopt;  // bits behind the last byte, which no encoder sets
    for (std::size_t k = 0; k < 3 - absent; ++k)
      out += static_cast<char>(static_cast<unsigned char>(v >> (16 - 8 * k)));
  }
  return out;
}

std::expected<std::map<std::string, JsonValue>, std::string> parse_json_line(
    std::string_view line) {
  return Scanner(line).object();
}

std::string entry_to_json(const Entry& e) {
  return fmt::format(
      "{{\"offset\": {}, \"term\": {}, \"producer\": {}, \"sequence\": {}, {}\"bytes\": \"{}\"}}\n",
      e.offset, e.term, e.producer, e.sequence, e.packed ? "\"packed\": true, " : "",
      to_base64(e.payload));
}

std::expected<JsonEntry, std::string> entry_from_json(std::string_view line) {
  const auto fields = parse_json_line(line);
  if (!fields) return std::unexpected(fields.error());
  const auto bytes = fields->find("bytes");
  if (bytes == fields->end() || !bytes->second.is_string)
    return std::unexpected("the field \"bytes\", the payload in base64, is missing");
  auto payload = from_base64(bytes->second.text);
  if (!payload) return std::unexpected("\"bytes\" is not base64");
  const auto packed = fields->find("packed");
  return JsonEntry{std::move(*payload), packed != fields->end() && packed->second.text == "true"};
}

}  // namespace loglog::cli

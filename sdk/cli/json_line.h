// Entries as lines of JSON, which carry any bytes: written by read, follow and inspect, read by
// append.
#pragma once
#include <loglog/client.h>

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace loglog::cli {

std::string to_base64(std::string_view bytes);
/// nullopt: it is not base64 (letters and padding as RFC 4648 has them, nothing else).
std::optional<std::string> from_base64(std::string_view text);

/// The fields of one object. Strings are decoded; numbers, true, false and null stay as they are
/// written.
struct JsonValue {
  bool is_string = false;
  std::string text;
};
/// Else a sentence that says what is wrong. Objects and arrays within the object are refused.
std::expected<std::map<std::string, JsonValue>, std::string> parse_json_line(std::string_view line);

/// One line, newline included: offset, term, producer, sequence, bytes (base64), and packed where
/// append_batch made the entry.
std::string entry_to_json(const Entry& e);
struct JsonEntry {
  std::string payload;
  bool packed = false;
};
/// Takes "bytes" and "packed"; other fields tell where the entry was, and do not matter. Else a
/// sentence.
std::expected<JsonEntry, std::string> entry_from_json(std::string_view line);

}  // namespace loglog::cli

// Entries as lines of JSON with the payload in base64, so that any bytes survive. The commands
// read, follow and inspect write them; append reads them. Pure.
#pragma once
#include <loglog/client.h>

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace loglog::cli {

std::string to_base64(std::string_view bytes);
/// nullopt: the text is not base64 in the alphabet of RFC 4648 with padding and without line
/// breaks.
std::optional<std::string> from_base64(std::string_view text);

/// Value of a field. A string is decoded; a number, true, false or null keeps its spelling.
struct JsonValue {
  bool is_string = false;
  std::string text;
};
/// Parses a flat JSON object: fields by name. Error: a sentence with the reason. Objects and arrays
/// inside the object are refused; also a name that occurs twice.
std::expected<std::map<std::string, JsonValue>, std::string> parse_json_line(std::string_view line);

/// A line with its newline: offset, term, producer, sequence, bytes (base64), and packed if
/// append_batch made the entry.
std::string entry_to_json(const Entry& e);
struct JsonEntry {
  std::string payload;
  bool packed = false;
};
/// Takes the fields "bytes" and "packed" and ignores the others, which describe the entry's old
/// place. Error: a sentence with the reason.
std::expected<JsonEntry, std::string> entry_from_json(std::string_view line);

}  // namespace loglog::cli

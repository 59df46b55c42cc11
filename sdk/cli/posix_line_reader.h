// Reads lines from a descriptor that may be slow: a pipe, a terminal or a file. A wait for input
// ends soon after the caller asks for that, which std::getline cannot do. Used by loglog append and
// by confirmations.
#pragma once
#include <cstddef>
#include <expected>
#include <functional>
#include <optional>
#include <string>

namespace loglog::cli {

/// Longest line, bytes: the largest entry in base64, and its other fields.
inline constexpr std::size_t line_bytes_max = 24u << 20;

/// Not thread-safe.
class LineReader {
 public:
  /// Reads from `descriptor`, and leaves it open.
  explicit LineReader(int descriptor) : descriptor_(descriptor) {}
  /// Returns the next line without its newline; the last line need not have a newline. Blocks until
  /// then. nullopt: the input has ended, or `stopped` returned true; it is asked ten times a
  /// second. Error: a sentence with the reason, also for a line over line_bytes_max.
  std::expected<std::optional<std::string>, std::string> next(const std::function<bool()>& stopped);
  /// Returns the rest of the input as a whole. Errors also if it has more than `bytes_max` bytes.
  std::expected<std::optional<std::string>, std::string> rest(const std::function<bool()>& stopped,
                                                              std::size_t bytes_max);

 private:
  enum class More { yes, ended, stopped };
  std::expected<More, std::string> read_more(const std::function<bool()>& stopped);
  int descriptor_;
  std::string buffer_;
  std::size_t begin_ = 0;   // of the bytes that were not returned yet
  std::size_t looked_ = 0;  // no newline lies in [begin_, looked_), so no byte is searched twice
  bool ended_ = false;
};

}  // namespace loglog::cli

// Lines of a descriptor that may be slow: a pipe, a terminal, a file. A wait for input ends as soon
// as the caller wants it to.
#pragma once
#include <cstddef>
#include <expected>
#include <functional>
#include <optional>
#include <string>

namespace loglog::cli {

/// Longest line, bytes: an entry of the largest size in base64, and its fields.
inline constexpr std::size_t line_bytes_max = 24u << 20;

class LineReader {
 public:
  /// Leaves the descriptor open.
  explicit LineReader(int descriptor) : descriptor_(descriptor) {}
  /// The next line, without its newline; the last one may lack it. nullopt: the input has ended, or
  /// `stopped` (asked ten times a second) says so. Else a sentence that says why the input cannot
  /// be read.
  std::expected<std::optional<std::string>, std::string> next(const std::function<bool()>& stopped);
  /// All that is left, as one piece.
  std::expected<std::optional<std::string>, std::string> rest(const std::function<bool()>& stopped,
                                                              std::size_t bytes_max);

 private:
  enum class More { yes, ended, stopped };
  std::expected<More, std::string> read_more(const std::function<bool()>& stopped);
  int descriptor_;
  std::string buffer_;
  std::size_t begin_ = 0;   // of what has not been given out
  std::size_t looked_ = 0;  // up to there is no newline
  bool ended_ = false;
};

}  // namespace loglog::cli

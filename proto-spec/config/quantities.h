// Sizes and durations as people write them, on command lines and in option files; also the CLI11
// options that take them.
#pragma once
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>

namespace loglog::config {

/// Reads "65536", "256KiB", "1.5GiB" (B, KiB, MiB, GiB, TiB; powers of 1024). nullopt if the text
/// is no size, or is 9e15 or more.
std::optional<std::uint64_t> parse_bytes(const std::string& text);
/// The same, or a sentence that says how to write a size. For "1Gb" it suggests 1GiB.
std::expected<std::uint64_t, std::string> read_size(const std::string& text);
/// Reads "500ms", "30s", "15m", "2h", "7d". nullopt if the text is no duration, or is too long.
std::optional<std::chrono::milliseconds> parse_duration(const std::string& text);
/// The same, and a bare number, which counts seconds. Otherwise a sentence that says how to write a
/// time.
std::expected<std::chrono::milliseconds, std::string> read_duration(const std::string& text);
/// The shortest text that the parser above reads as the same value: "10GiB", "7d".
std::string as_written(std::uint64_t bytes);
std::string as_written(std::chrono::milliseconds time);

/// Bounds, inclusive, bytes. `standard` is the default as help shows it; empty: help shows none.
struct SizeRange {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  std::string standard = {};
};
/// Adds an option that takes a size. A value that is no size or lies outside the range is bad
/// usage; otherwise `set` receives it. `what` is the description for help.
CLI::Option* add_size(CLI::App& command, const std::string& name,
                      std::function<void(std::uint64_t)> set, const std::string& what,
                      const SizeRange& range);
/// Bounds, inclusive. `standard` as in SizeRange.
struct DurationRange {
  std::chrono::milliseconds least{};
  std::chrono::milliseconds most{};
  std::string standard = {};
};
/// Adds an option that takes a duration, in the same way.
CLI::Option* add_duration(CLI::App& command, const std::string& name,
                          std::function<void(std::chrono::milliseconds)> set,
                          const std::string& what, const DurationRange& range);
CLI::Option* add_duration(CLI::App& command, const std::string& name,
                          std::chrono::milliseconds& value, const std::string& what,
                          const DurationRange& range);

}  // namespace loglog::config

// Sizes and durations as people write them, on every command line and in every file of options.
#pragma once
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>

namespace loglog::config {

/// "65536", "256KiB", "1.5GiB" (B, KiB, MiB, GiB, TiB); nullopt: it is none, or too much.
std::optional<std::uint64_t> parse_bytes(const std::string& text);
/// The same, or a sentence that says how to write a size: of "1Gb" that 1GiB may be meant.
std::expected<std::uint64_t, std::string> read_size(const std::string& text);
/// "500ms", "30s", "15m", "2h", "7d"; nullopt: it is none, or too long.
std::optional<std::chrono::milliseconds> parse_duration(const std::string& text);
/// The same, and a number alone, which is seconds; or a sentence that says how to write a time.
std::expected<std::chrono::milliseconds, std::string> read_duration(const std::string& text);
/// The shortest text that parse_bytes or parse_duration reads as that: "10GiB", "7d".
std::string as_written(std::uint64_t bytes);
std::string as_written(std::chrono::milliseconds time);

/// An option that takes a size, or a time. A value that is none, or lies outside, is bad usage.
/// `standard`: the default, as help says it.
struct SizeRange {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  std::string standard = {};
};
CLI::Option* add_size(CLI::App& command, const std::string& name,
                      std::function<void(std::uint64_t)> set, const std::string& what,
                      const SizeRange& range);
struct DurationRange {
  std::chrono::milliseconds least{};
  std::chrono::milliseconds most{};
  std::string standard = {};
};
CLI::Option* add_duration(CLI::App& command, const std::string& name,
                          std::function<void(std::chrono::milliseconds)> set,
                          const std::string& what, const DurationRange& range);
CLI::Option* add_duration(CLI::App& command, const std::string& name,
                          std::chrono::milliseconds& value, const std::string& what,
                          const DurationRange& range);

}  // namespace loglog::config

// What the commands of `loglog` share.
#pragma once
#include <loglog/client.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "sdk/cli/posix_interrupt.h"
#include "sdk/cli/posix_terminal.h"

namespace loglog::cli {

inline constexpr int exit_failed = 1;

/// Options of every command that talks to a cluster.
struct Target {
  std::vector<std::string> addresses;
  ClientOptions options = {};  // but for the addresses
  /// From --cluster, else LOGLOG_CLUSTER, else 127.0.0.1:7070.
  std::expected<Client, CallError> connect() const;
};

/// Prints "loglog: <sentence>" on stderr; returns exit_failed.
int failed(const CallError& e);
int failed(const std::string& sentence);

enum class Format : std::uint8_t { lines, json, raw };
void print_entry(const Entry& e, Format f, std::FILE* to);

/// Whether raw bytes would go to a terminal, which nobody asked for by `force`; then it has been said. The exit code is
/// exit_bad_options.
bool refuses_terminal(Format f, bool to_file, bool force);

/// Writes a whole file, or none; returns the exit code.
int write_file(const std::string& path, std::string_view text);
/// "65536", "256KiB", "1.5GiB" (B, KiB, MiB, GiB, TiB); nullopt: it is none, or too much.
std::optional<std::uint64_t> parse_bytes(const std::string& text);
/// The same, or a sentence that says how to write a size: of "1Gb" that 1GiB may be meant.
std::expected<std::uint64_t, std::string> read_size(const std::string& text);
/// "500ms", "30s", "15m", "2h", "7d"; nullopt: it is none, or too long.
std::optional<std::chrono::milliseconds> parse_duration(const std::string& text);
/// The same, and a number alone, which is seconds; or a sentence that says how to write a time.
std::expected<std::chrono::milliseconds, std::string> read_duration(const std::string& text);
/// "2026-11-21T20:00:00Z", with a fraction, with +01:00 or without either in local time; a date alone; or "-15m", so long before `now`.
/// nullopt: it is none.
std::optional<std::chrono::system_clock::time_point> parse_time(const std::string& text, std::chrono::system_clock::time_point now);

// Each registers its command; `run` holds the chosen one's work.
using Run = std::function<int()>;

// Options that several commands have.
/// LOG; completed with the cluster's logs.
void add_log_name(CLI::App& command, std::string& name);
// Type names of options and arguments, by which they are completed.
inline constexpr const char* log_type = "LOG";
inline constexpr const char* file_type = "FILE";
inline constexpr const char* folder_type = "DIR";
/// --cluster, and --timeout where the command has none of its own.
void add_cluster(CLI::App& command, Target& target, bool with_timeout = true);
/// An option that takes a size, or a time. A value that is none, or lies outside, is bad usage. `standard`: the default, as help says it.
struct SizeRange {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  std::string standard = {};
};
CLI::Option* add_size(CLI::App& command, const std::string& name, std::function<void(std::uint64_t)> set, const std::string& what,
                      const SizeRange& range);
struct DurationRange {
  std::chrono::milliseconds least{};
  std::chrono::milliseconds most{};
  std::string standard = {};
};
CLI::Option* add_duration(CLI::App& command, const std::string& name, std::function<void(std::chrono::milliseconds)> set,
                          const std::string& what, const DurationRange& range);
CLI::Option* add_duration(CLI::App& command, const std::string& name, std::chrono::milliseconds& value, const std::string& what,
                          const DurationRange& range);
void add_colour(CLI::App& command, When& when);
void add_progress(CLI::App& command, When& when);

void add_append(CLI::App& app, Target& target, Run& run);
void add_read(CLI::App& app, Target& target, Run& run);
void add_follow(CLI::App& app, Target& target, Run& run);
void add_tail(CLI::App& app, Target& target, Run& run);
void add_logs(CLI::App& app, Target& target, Run& run);
void add_status(CLI::App& app, Target& target, Run& run);
void add_nodes(CLI::App& app, Target& target, Run& run);
void add_verify(CLI::App& app, Target& target, Run& run);
void add_inspect(CLI::App& app, Run& run);
void add_bench(CLI::App& app, Target& target, Run& run);
void add_dev(CLI::App& app, Run& run);
void add_man(CLI::App& app, Run& run);
void add_completions(CLI::App& app, Run& run);

}  // namespace loglog::cli

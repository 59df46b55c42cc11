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

#include "proto-spec/config/quantities.h"
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

/// Prints "loglog: <sentence>" on stderr; returns exit_failed, or exit_bad_options of an address
/// that is none.
int failed(const CallError& e);
int failed(const std::string& sentence);

enum class Format : std::uint8_t { lines, json, raw };
void print_entry(const Entry& e, Format f, std::FILE* to);

/// Whether raw bytes would go to a terminal, which nobody asked for by `force`; then it has been
/// said. The exit code is exit_bad_options.
bool refuses_terminal(Format f, bool to_file, bool force);

/// Writes a whole file, or none; returns the exit code.
int write_file(const std::string& path, std::string_view text);
// Sizes and times are written in one way everywhere.
using config::add_duration;
using config::add_size;
using config::as_written;
using config::parse_duration;
using config::read_duration;
using config::read_size;
/// "2026-11-21T20:00:00Z", with a fraction, with +01:00 or without either in local time; a date
/// alone; or "-15m", so long before `now`. nullopt: it is none.
std::optional<std::chrono::system_clock::time_point> parse_time(
    const std::string& text, std::chrono::system_clock::time_point now);

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

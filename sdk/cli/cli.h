// Declarations that the commands of `loglog` share: the cluster to talk to, errors, output, options
// of several commands, and a function for each command that adds it to the tree (command_line.cpp).
// Commands run in the main thread and print by posix_output.h.
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

/// Exit code of a command that failed; other codes are in proto-spec/vocabulary/exit_code.h.
inline constexpr int exit_failed = 1;

/// Options of every command that talks to a cluster.
struct Target {
  std::vector<std::string> addresses;
  ClientOptions options = {};  // its addresses are not used
  /// Makes a client of the addresses of --cluster, else of LOGLOG_CLUSTER, else of 127.0.0.1:7070.
  /// Its calls end when the command is interrupted.
  std::expected<Client, CallError> connect() const;
};

/// Prints "loglog: <sentence>" on stderr. Returns exit_failed, or exit_bad_options for a malformed
/// address.
int failed(const CallError& e);
int failed(const std::string& sentence);

/// Form of printed entries. lines: payload and a newline. json: see json_line.h. raw: payload
/// alone.
enum class Format : std::uint8_t { lines, json, raw };
/// Prints an entry; of a packed entry each part. Errors of `to` are left to its owner.
void print_entry(const Entry& e, Format f, std::FILE* to);

/// True if raw bytes would go to a terminal and `force` is not set; the reason has been printed.
/// The command then ends with exit_bad_options.
bool refuses_terminal(Format f, bool to_file, bool force);

/// Writes a file as a whole or not at all (posix_output_file.h). Returns the exit code.
int write_file(const std::string& path, std::string_view text);
// Sizes and times are written in the same way in commands and in the servers' options.
using config::add_duration;
using config::add_size;
using config::as_written;
using config::parse_duration;
using config::read_duration;
using config::read_size;
/// Parses "2026-11-21T20:00:00Z", also with a fraction or with a zone such as +01:00; without a
/// zone the time is local; a date alone is its midnight. "-15m" is that long before `now`. nullopt:
/// the text is no time.
std::optional<std::chrono::system_clock::time_point> parse_time(
    const std::string& text, std::chrono::system_clock::time_point now);

/// The work of the command that was given; returns the exit code. Each add_... function below adds
/// its command to the tree, and sets `run` when that command is parsed.
using Run = std::function<int()>;

// Options that several commands have.
/// Adds the argument LOG, which shells complete with the cluster's logs.
void add_log_name(CLI::App& command, std::string& name);
/// Type names of options and arguments. The completion chooses its candidates by them.
inline constexpr const char* log_type = "LOG";
inline constexpr const char* file_type = "FILE";
inline constexpr const char* folder_type = "DIR";
/// Adds --cluster, and --timeout unless the command has its own.
void add_cluster(CLI::App& command, Target& target, bool with_timeout = true);
/// Add --color and --progress.
void add_colour(CLI::App& command, When& when);
void add_progress(CLI::App& command, When& when);

void add_append(CLI::App& app, Target& target, Run& run);
void add_read(CLI::App& app, Target& target, Run& run);
void add_follow(CLI::App& app, Target& target, Run& run);
void add_tail(CLI::App& app, Target& target, Run& run);
void add_logs(CLI::App& app, Target& target, Run& run);
void add_status(CLI::App& app, Target& target, Run& run);
void add_nodes(CLI::App& app, Target& target, Run& run);
void add_cluster_commands(CLI::App& app, Target& target, Run& run);
void add_verify(CLI::App& app, Target& target, Run& run);
void add_inspect(CLI::App& app, Run& run);
void add_bench(CLI::App& app, Target& target, Run& run);
void add_dev(CLI::App& app, Run& run);
void add_man(CLI::App& app, Run& run);
void add_completions(CLI::App& app, Run& run);

}  // namespace loglog::cli

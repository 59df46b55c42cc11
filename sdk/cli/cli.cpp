// Errors go to stderr as a sentence, and remove the progress line first. All results go to stdout.
#include "sdk/cli/cli.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "proto-spec/console/error_output.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "proto-spec/vocabulary/printable.h"
#include "sdk/cli/json_line.h"
#include "sdk/cli/posix_interrupt.h"
#include "sdk/cli/posix_output.h"
#include "sdk/cli/posix_output_file.h"
#include "sdk/cli/progress.h"

namespace loglog::cli {
namespace {

/// The parts between commas, without empty parts.
std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  std::size_t at = 0;
  while (at <= text.size()) {
    const auto comma = std::min(text.find(',', at), text.size());
    if (comma > at) out.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

}  // namespace

std::expected<Client, CallError> Target::connect() const {
  ClientOptions o = options;
  const char* environment = std::getenv("LOGLOG_CLUSTER");
  o.addresses = !addresses.empty() ? addresses
                                   : split(environment != nullptr ? environment : "127.0.0.1:7070");
  o.wait_for_cluster = false;  // a person waits: a wrong address should fail at once
  auto client = Client::connect(std::move(o));
  if (client) end_when_interrupted(*client);
  return client;
}

namespace {
void add_when(CLI::App& command, const char* name, When& when, const char* what) {
  command
      .add_option_function<std::string>(
          name,
          [&when](const std::string& s) {
            when = s == "always" ? When::always : s == "never" ? When::never : When::automatic;
          },
          what)
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->default_str("auto");
}
}  // namespace

void add_log_name(CLI::App& command, std::string& name) {
  command.add_option("LOG", name, "name of the log")->required()->type_name(log_type);
}
void add_cluster(CLI::App& command, Target& target, bool with_timeout) {
  command
      .add_option("--cluster", target.addresses,
                  "HOST:PORT of any nodes of the cluster, by commas (default: LOGLOG_CLUSTER of "
                  "the environment, else 127.0.0.1:7070)")
      ->delimiter(',')
      ->type_name("HOST:PORT");
  if (with_timeout)
    add_duration(
        command, "--timeout", target.options.timeout,
        "how long each question to the cluster may take, as 30, 90s or 5m",
        {.least = std::chrono::milliseconds(1), .most = std::chrono::hours(24), .standard = "10s"});
}
void add_colour(CLI::App& command, When& when) {
  add_when(command, "--color", when, "auto: on a terminal, unless NO_COLOR is set");
}
void add_progress(CLI::App& command, When& when) {
  add_when(command, "--progress", when, "how far it is, on stderr; auto: where that is a terminal");
}

int failed(const CallError& e) {
  // Ctrl-C closes the client, so calls end with client_closed; the cause is the interruption.
  if (interrupted() && e.code == Errc::client_closed) return failed("interrupted");
  const bool late = e.code == Errc::unavailable && e.timed_out;
  const int code = failed(late ? e.message + "; --timeout gives it longer" : e.message);
  return e.code == Errc::bad_configuration ? exit_bad_options : code;  // a malformed address
}
int failed(const std::string& sentence) {
  clear_progress();
  console::print_error("loglog: {}\n", printable(sentence));
  return exit_failed;
}

void print_entry(const Entry& e, Format f, std::FILE* to) {
  const auto print = [to](std::string_view text) {
    if (to == stdout) write_out(text);
    else std::fwrite(text.data(), 1, text.size(), to);
  };
  if (f == Format::json) return print(entry_to_json(e));
  for (const std::string& part : e.parts()) {
    print(part);
    if (f == Format::lines) print("\n");
  }
}

bool refuses_terminal(Format f, bool to_file, bool force) {
  if (f != Format::raw || to_file || force || !is_terminal(Stream::out)) return false;
  failed("raw bytes would go to the terminal; give --output FILE, a pipe, or --force");
  return true;
}

int write_file(const std::string& path, std::string_view text) {
  auto file = OutputFile::create(path);
  if (!file) return failed(file.error());
  std::fwrite(text.data(), 1, text.size(), file->stream());  // commit() reports errors
  const auto done = file->commit();
  return done ? 0 : failed(done.error());
}

}  // namespace loglog::cli

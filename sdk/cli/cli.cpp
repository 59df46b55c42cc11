#include "sdk/cli/cli.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "proto-spec/console/error_output.h"
#include "proto-spec/vocabulary/printable.h"
#include "sdk/cli/posix_output_file.h"
#include "sdk/cli/progress.h"

namespace loglog::cli {
namespace {

volatile std::sig_atomic_t stop_wanted = 0;

std::string base64(const std::string& in) {
  static constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < in.size(); i += 3) {
    const auto byte = [&](std::size_t k) { return i + k < in.size() ? static_cast<unsigned char>(in[i + k]) : 0u; };
    const unsigned v = (byte(0) << 16) | (byte(1) << 8) | byte(2);
    out += letters[v >> 18];
    out += letters[(v >> 12) & 63];
    out += i + 1 < in.size() ? letters[(v >> 6) & 63] : '=';
    out += i + 2 < in.size() ? letters[v & 63] : '=';
  }
  return out;
}

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
  o.addresses = !addresses.empty() ? addresses : split(environment != nullptr ? environment : "127.0.0.1:7070");
  return Client::connect(std::move(o));
}

namespace {
void add_when(CLI::App& command, const char* name, When& when, const char* what) {
  command
      .add_option_function<std::string>(
          name, [&when](const std::string& s) { when = s == "always"  ? When::always
                                                       : s == "never" ? When::never
                                                                      : When::automatic; }, what)
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->default_str("auto");
}
}  // namespace

void add_log_name(CLI::App& command, std::string& name) {
  command.add_option("LOG", name, "name of the log")->required()->type_name(log_type);
}
void add_cluster(CLI::App& command, Target& target) {
  command
      .add_option("--cluster", target.addresses,
                  "HOST:PORT of any nodes of the cluster, by commas (default: LOGLOG_CLUSTER of the environment, else 127.0.0.1:7070)")
      ->delimiter(',')
      ->type_name("HOST:PORT");
}
void add_colour(CLI::App& command, When& when) { add_when(command, "--color", when, "auto: on a terminal, unless NO_COLOR is set"); }
void add_progress(CLI::App& command, When& when) {
  add_when(command, "--progress", when, "how far it is, on stderr; auto: where that is a terminal");
}

int failed(const CallError& e) { return failed(e.message); }
int failed(const std::string& sentence) {
  clear_progress();
  console::print_error("loglog: {}\n", printable(sentence));
  return exit_failed;
}

void print_entry(const Entry& e, Format f, std::FILE* to) {
  for (const std::string& part : f == Format::json ? std::vector<std::string>{e.payload} : e.parts()) {
    switch (f) {
      case Format::lines:
        std::fwrite(part.data(), 1, part.size(), to);
        std::fputc('\n', to);
        break;
      case Format::raw:
        std::fwrite(part.data(), 1, part.size(), to);
        break;
      case Format::json:
        fmt::print(to, "{{\"offset\": {}, \"term\": {}, \"producer\": {}, \"sequence\": {}, \"bytes\": \"{}\"}}\n", e.offset, e.term,
                   e.producer, e.sequence, base64(part));
        break;
    }
  }
}

int write_file(const std::string& path, std::string_view text) {
  auto file = OutputFile::create(path);
  if (!file) return failed(file.error());
  std::fwrite(text.data(), 1, text.size(), file->stream());  // commit() tells what failed
  const auto done = file->commit();
  return done ? 0 : failed(done.error());
}

bool interrupted() { return stop_wanted != 0; }
void watch_signals() {
  struct sigaction action{};
  action.sa_handler = [](int) { stop_wanted = 1; };  // without SA_RESTART: a wait for input ends
  for (int s : {SIGINT, SIGTERM}) sigaction(s, &action, nullptr);
}

}  // namespace loglog::cli

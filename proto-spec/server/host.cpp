// Order matters here: the service listens before signals can be missed, pages close before the
// loop, and the service dies on the loop's thread. The header has the contracts.
#include "proto-spec/server/host.h"

#include <fmt/format.h>

#include <utility>

#include "proto-spec/console/error_output.h"
#include "proto-spec/transport/address.h"
#include "proto-spec/transport/posix_descriptors.h"
#include "proto-spec/transport/posix_signals.h"
#include "proto-spec/vocabulary/exit_code.h"

namespace loglog::server {
namespace {
// A burst's memory goes back to the system within about a second (spec/09).
constexpr Duration look_at_memory_every = 1s;
}  // namespace

Host::Host(std::unique_ptr<Service> service, const std::string& name, transport::LogLevel level,
           std::string http)
    : log_(name, level), http_(std::move(http)), service_(std::move(service)) {}

Host::~Host() {
  begin_stop();
  if (thread_.joinable()) thread_.join();
}

// Common to both ways to run: the role listens first, then the pages.
Result<void> Host::set_up() {
  auto address = service_->start(loop_, log_);
  if (!address) return std::unexpected(address.error());
  address_ = std::move(*address);
  return start_http();
}

Result<void> Host::start_http() {
  if (http_.empty()) return {};
  const auto parts = transport::split_tcp_address(http_);
  if (!parts) return std::unexpected(parts.error());
  auto started = http::Server::start(
      parts->first, parts->second, service_->pages(gate_), {},
      [log = log_](const std::string& what) { log(transport::LogLevel::debug, what); });
  if (!started) return std::unexpected(started.error());
  pages_ = std::move(*started);
  http_address_ = pages_->address();
  log_(transport::LogLevel::info, fmt::format("serves HTTP on {}", http_address_));
  return {};
}

Result<void> Host::start() {
  if (auto ok = set_up(); !ok) return ok;
  const transport::SignalsBlocked around_the_start;
  thread_ = std::thread([this] {
    loop_.run();
    end();
  });
  return {};
}

// On the loop's thread, or after the loop has ended. The gate closes first, so that no page asks a
// service that is going.
void Host::end() {
  gate_.close();
  service_.reset();
}

void Host::begin_stop() {
  if (!thread_.joinable() || std::exchange(told_, true)) return;
  loop_.post([this] { stop_or_leave(); });
}

// On the loop's thread. The first call stops in order; a second call, such as a second signal, ends
// the loop at once.
void Host::stop_or_leave() {
  if (std::exchange(stopping_, true)) return loop_.stop();
  service_->begin_stop([this] { loop_.stop(); });
}

// Runs only in run_until_signal(): an embedded node must not trim the heap of its application.
void Host::look_at_memory() {
  memory_.look();
  loop_.after(look_at_memory_every, [this] { look_at_memory(); });
}

int Host::run_until_signal(const std::string& program,
                           std::function<void(const transport::EventLog&)> on_hangup) {
  transport::take_all_descriptors();
  // The handlers are set before anybody can know that the server serves; otherwise an early SIGTERM
  // would kill the process.
  loop_.on_stop_signal([this] { stop_or_leave(); });
  loop_.on_hangup([this, on_hangup = std::move(on_hangup)] { on_hangup(log_); });
  if (auto ok = set_up(); !ok) {
    console::print_error("{}: {}\n", program, ok.error().message());
    return exit_code_of(ok.error().code);
  }
  look_at_memory();
  loop_.run();
  end();
  log_(transport::LogLevel::info, "stopped");
  return 0;
}

}  // namespace loglog::server
